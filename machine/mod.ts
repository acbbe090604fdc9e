/**
 * Machines: a board of devices over an accelerator, with drives and a state.
 *
 * @module
 */
export { BackendSet } from "./backends.ts";
export type { Board, BoardDrive, BoardSite, BuiltBoard, FirmwareItems } from "./boards/board.ts";
export {
  type Accelerator,
  type AcceleratorAbilities,
  type CpuRegisters,
  type InstructionClock,
  type InterruptControllers,
  type IoApicView,
  LOCAL_APIC_AFTER_RESET,
  type LocalApicView,
  type MachineBus,
  type PageMapping,
  type PicView,
  QtestAccelerator,
  V86Accelerator,
  type V86Site,
} from "./cpu/mod.ts";
export { pc } from "./boards/pc.ts";
export * from "./chardev/mod.ts";
export * from "./display/mod.ts";
export { standardDeviceTypes } from "./device_types.ts";
export { BOOT_INDEXES } from "./boards/boot_paths.ts";
export { buses, type DeviceRequestOptions, setBootIndex } from "./devices.ts";
export type { LinuxFiles } from "./firmware/linux.ts";
export { assemble, type Assembled, AssemblyError } from "./firmware/mod.ts";
export * from "./inspect/mod.ts";
export { MachineError } from "./errors.ts";
export * from "./media/mod.ts";
export { guestBus } from "./guest_bus.ts";
export { Machine, type MachineOptions } from "./machine.ts";
export * from "./snapshot/mod.ts";
export * from "./wiring/mod.ts";
export { qtestSession } from "./qtest_session.ts";
export { RequestRing } from "./request_ring.ts";
export type { MachineEvents, RunState, ShutdownCause } from "./run_state.ts";
