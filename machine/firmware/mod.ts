/**
 * What a guest runs first: firmware that is found, firmware of moa's own, the way to start a kernel, and an assembler.
 *
 * @module
 */
export { assemble, type Assembled, AssemblyError } from "./assembler/mod.ts";
export { type BiosSite, BuiltInBios } from "./bios/bios.ts";
export type { FirmwareDisk } from "./bios/site.ts";
export { findFirmware } from "./find.ts";
