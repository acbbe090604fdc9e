/**
 * Texts of QEMU's that the monitor and the tools both print: descriptions of images, lists of snapshots, key order.
 *
 * @module
 */
export { qemuKeyOrder as qdictOrder } from "../../block/mod.ts";
export * from "./device_types.ts";
export * from "./formats.ts";
export * from "./image_info.ts";
export * from "./snapshots.ts";
