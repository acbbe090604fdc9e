/**
 * Objects that users make beside disks and devices; secrets so far.
 *
 * @module
 */
export * from "./registry.ts";
export { Secret } from "./secret.ts";
export type { ObjectType, PropertyRow, UserObject } from "./types.ts";
export { QEMU_OBJECT_TYPES } from "./types.ts";
