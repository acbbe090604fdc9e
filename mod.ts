/**
 * moa: QEMU's storage world as one scriptable process.
 *
 * {@link Vm} is a machine with its prompt, {@link openImage} an image without one. Drivers that play the guest
 * ({@link IdeGuest}) see ports, memory and interrupts only.
 *
 * @module
 */
export * from "./base/clocks.ts";
export * from "./base/units.ts";
export { parseSize } from "./base/sizes.ts";
export { requirePermissions } from "./base/permissions.ts";
export { HostRandom, type Random, SeededRandom } from "./base/random.ts";
export { IoVector } from "./base/io_vector.ts";
export * from "./block/mod.ts";
export type { DeviceRequest } from "./devices/bus/mod.ts";
export * from "./machine/guest/mod.ts";
export {
  buildCpio,
  buildFat,
  buildIso,
  type FatOptions,
  type IsoOptions,
  IsoReader,
  Machine,
  MachineError,
  type MachineEvents,
  type MediaContent,
  type MediaFiles,
  type MediumBytes,
  type QtestAccelerator,
  type RunState,
  ScriptChardev,
  type ScriptPeer,
} from "./machine/mod.ts";
export * from "./monitor/mod.ts";
// The block layer has functions of these names that take a graph; a script wants those that need none.
export { createImage } from "./monitor/mod.ts";
