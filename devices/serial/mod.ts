/**
 * Serial and parallel ports.
 *
 * @module
 */
import type { DeviceType } from "../bus/mod.ts";
import { isaDebugcon } from "./isa_debugcon.ts";
import { isaParallel } from "./isa_parallel.ts";
import { isaSerial } from "./isa_serial.ts";
import { pciSerial } from "./pci_serial.ts";
import { serial } from "./uart16550.ts";

export { IsaDebugcon, isaDebugcon } from "./isa_debugcon.ts";
export { IsaParallel, isaParallel } from "./isa_parallel.ts";
export { IsaSerial, isaSerial } from "./isa_serial.ts";
export { PciSerial, pciSerial } from "./pci_serial.ts";
export { serial, Uart16550, type UartState } from "./uart16550.ts";

/** All types of this folder. */
export const serialDeviceTypes: readonly DeviceType[] = [isaSerial, isaParallel, isaDebugcon, pciSerial, serial];
