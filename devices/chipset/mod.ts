/**
 * The chips of the PC's board.
 *
 * @module
 */
export { I440fx, i440fx, type I440fxMemory } from "./i440fx.ts";
export { I440fxHost, i440fxHost } from "./pci_host.ts";
export { Piix3, piix3 } from "./piix3.ts";
