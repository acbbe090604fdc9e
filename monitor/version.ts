/**
 * Which QEMU this speaks like, and moa's own version: the same for the monitor and for all tools.
 *
 * @module
 */
export * from "../base/version.ts";
