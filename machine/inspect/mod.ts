/**
 * A machine's structure as data, for the monitor to print.
 *
 * @module
 */
export { type Mtree, mtree, type MtreeRow, type MtreeSection } from "./mtree.ts";
export { type PciFunctionInfo, pciFunctions } from "./pci.ts";
export { type RomInfo, roms } from "./roms.ts";
export { qtree, type QtreeBus, type QtreeDevice, type QtreePci } from "./qtree.ts";
