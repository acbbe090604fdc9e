/**
 * Serial and parallel ports of a pc: as many as have something at their other end.
 *
 * @module
 */
import type { IsaBus } from "../../devices/bus/mod.ts";
import { isaParallel, isaSerial } from "../../devices/serial/mod.ts";
import type { BoardSite } from "./board.ts";

const MAX_SERIALS = 4;
const MAX_PARALLELS = 3;

/** Realizes them, COM1 first, then LPT1; what is beyond the last place is left out, as QEMU does. */
export async function buildPorts(site: BoardSite, isa: IsaBus): Promise<void> {
  for (const [index, chardev] of site.serials.slice(0, MAX_SERIALS).entries()) {
    if (chardev !== undefined) await isaSerial.create(site.context, { index, chardev }).realize(isa);
  }
  for (const [index, chardev] of site.parallels.slice(0, MAX_PARALLELS).entries()) {
    if (chardev !== undefined) await isaParallel.create(site.context, { index, chardev }).realize(isa);
  }
}
