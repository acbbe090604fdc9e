/**
 * The graphics card of a pc.
 *
 * @module
 */
import type { DeviceType } from "../bus/mod.ts";
import { vga } from "./vga.ts";

export { cp437 } from "./cp437.ts";
export {
  type Card,
  type Picture,
  picture,
  type TextCells,
  textCells,
  type TextScreen,
  textScreen,
  visibleSize,
} from "./picture.ts";
export { Vga, vga, type VgaState } from "./vga.ts";

/** All types of this folder. */
export const vgaDeviceTypes: readonly DeviceType[] = [vga];
