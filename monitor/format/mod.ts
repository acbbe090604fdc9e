/**
 * Texts of QEMU's that the monitor and the tools both print: descriptions of images, lists of snapshots, key order.
 *
 * @module
 */
export * from "./image_info.ts";
export * from "./qdict.ts";
export * from "./snapshots.ts";
