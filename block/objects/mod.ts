/**
 * Objects that users make beside disks and devices: secrets, throttle groups, iothreads.
 *
 * @module
 */
export { IoThread } from "./iothread.ts";
export * from "./registry.ts";
export { Secret } from "./secret.ts";
export { ThrottleGroupHolder } from "./throttle_group.ts";
export type { ObjectType, PropertyRow, PropertyValue, UserObject } from "./types.ts";
export { QEMU_OBJECT_TYPES } from "./types.ts";
