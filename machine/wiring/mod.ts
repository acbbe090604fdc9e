/**
 * From what a user asks for to a machine.
 *
 * @module
 */
export { type WiredMachine, wireMachine, type WiringSite } from "./build.ts";
export { WiringError, type WiringStage } from "./errors.ts";
export { OPTION_GROUPS } from "./option_groups.ts";
export type { AcceleratorWish, BlockdevWish, DeviceWish, DriveWish, GlobalProperty, MachineWishes } from "./options.ts";
export { SMBIOS_OPTIONS, SmbiosOptions } from "./smbios.ts";
