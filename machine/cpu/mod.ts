/**
 * Accelerators: what runs guest code, or stands in its place.
 *
 * @module
 */
export type {
  Accelerator,
  AcceleratorAbilities,
  CpuRegisters,
  CpuView,
  MachineBus,
  PageMapping,
  SegmentRegister,
} from "./accelerator.ts";
export {
  type InterruptControllers,
  type IoApicView,
  LOCAL_APIC_AFTER_RESET,
  type LocalApicView,
  type PicView,
} from "./interrupt_controllers.ts";
export { V86Accelerator, type V86Site } from "./v86/accelerator.ts";
export type { InstructionClock } from "./v86/icount.ts";
export { type AccessWidth, QtestAccelerator } from "./qtest.ts";
export { QtestSession, type QtestWiring } from "./qtest_protocol.ts";
