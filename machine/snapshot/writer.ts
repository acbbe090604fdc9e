/**
 * Writes a machine's state: devices first, then RAM region by region, never more than a few of them in memory twice.
 *
 * Pages are copied, though a region could be written from where it lies: a script may play the guest meanwhile, and what
 * is written must be what was summed. Copies within the processor's cache cost next to nothing.
 *
 * @module
 */
import { isZero } from "../../base/io_vector.ts";
import { nextTurn } from "../../base/turn.ts";
import type { Machine } from "../machine.ts";
import {
  FORMAT_VERSION,
  Header,
  Kind,
  MAGIC,
  MAX_RAM_SECTION_BYTES,
  PAGE_BYTES,
  PAGE_MAP_BYTES,
  putSectionHead,
  REGION_BYTES,
  SectionHeader,
  TURN_BYTES,
} from "./format.ts";
import { StateOutput, type StateSink } from "./output.ts";
import { encodeState } from "./state_text.ts";

/** Writes the state of `machine`, which stands still; returns how many bytes that took. */
export async function writeMachineState(machine: Machine, sink: StateSink): Promise<number> {
  const output = new StateOutput(sink);
  try {
    await writeAll(machine, output);
  } finally {
    await output.end();
  }
  return output.position;
}

async function writeAll(machine: Machine, output: StateOutput): Promise<void> {
  await output.append(Header.toBytes({ magic: MAGIC, version: FORMAT_VERSION, reserved: 0 }));
  const about = {
    board: machine.board.name,
    ramBytes: machine.ramBytes,
    virtualNs: machine.clocks.virtual.nowNs(),
    accelerator: machine.accelerator.name,
  };
  await writeSection(output, Kind.machine, encodeState(about));
  for (const device of machine.devices) {
    const record = { type: device.type.name, path: device.path, saved: device.save() };
    await writeSection(output, Kind.device, encodeState(record));
  }
  await writeSection(output, Kind.cpu, machine.accelerator.save());
  for (let address = 0; address < machine.ramBytes; address += REGION_BYTES) {
    if (address % TURN_BYTES === 0) await nextTurn();
    // The view is taken anew for each region: while one is written, the accelerator may move its memory.
    const region = machine.ram.slice(address, Math.min(REGION_BYTES, machine.ramBytes - address));
    const length = fillRamSection(output.room(MAX_RAM_SECTION_BYTES), address, region);
    if (length > 0) await output.put(length);
  }
  await writeSection(output, Kind.end, new Uint8Array(0));
}

async function writeSection(output: StateOutput, kind: number, payload: Uint8Array): Promise<void> {
  const head = new Uint8Array(SectionHeader.sizeBytes);
  putSectionHead(head, kind, 0, payload);
  await output.append(head);
  await output.append(payload);
}

/** Makes the section of `region` in `into`; its length, 0 where the region is all zero and needs none. */
function fillRamSection(into: Uint8Array, address: number, region: Uint8Array): number {
  if (isZero(region)) return 0;
  const map = into.subarray(SectionHeader.sizeBytes, SectionHeader.sizeBytes + PAGE_MAP_BYTES).fill(0);
  let end = SectionHeader.sizeBytes + PAGE_MAP_BYTES;
  for (let at = 0; at < region.length; at += PAGE_BYTES) {
    const page = region.subarray(at, at + PAGE_BYTES);
    if (isZero(page)) continue;
    map[at / PAGE_BYTES >>> 3]! |= 1 << (at / PAGE_BYTES & 7);
    into.set(page, end);
    end += page.length;
  }
  putSectionHead(into, Kind.ram, address, into.subarray(SectionHeader.sizeBytes, end));
  return end;
}
