/**
 * Accelerators: what runs guest code, or stands in its place.
 *
 * @module
 */
export type { Accelerator, AcceleratorAbilities, MachineBus } from "./accelerator.ts";
export { type AccessWidth, QtestAccelerator } from "./qtest.ts";
export { QtestSession, type QtestWiring } from "./qtest_protocol.ts";
