/**
 * Which card shows a machine's screen.
 *
 * @module
 */
import { Vga } from "../../devices/vga/mod.ts";
import type { Machine } from "../machine.ts";

/** There is no such screen; the texts are QEMU's. */
export class ScreenError extends Error {
  override readonly name = "ScreenError";
}

/** The card of that id, or the first one. @throws {ScreenError} */
export function findCard(machine: Machine, device?: string, head = 0): Vga {
  if (device !== undefined) {
    const found = machine.findDevice(device);
    if (found === undefined) throw new ScreenError(`Device '${device}' not found`);
    if (!(found instanceof Vga) || head !== 0) {
      throw new ScreenError(`Device ${device} (head ${head}) is not bound to a QemuConsole`);
    }
    return found;
  }
  const card = machine.devices.find((candidate) => candidate instanceof Vga);
  if (card === undefined) throw new ScreenError("There is no console to take a screendump from");
  return card;
}
