/**
 * Writes a machine's state: devices first, then RAM page by page, never more than a chunk of it in memory.
 *
 * @module
 */
import { IoVector, isZero } from "../../base/io_vector.ts";
import type { Machine } from "../machine.ts";
import { FORMAT_VERSION, Header, Kind, MAGIC, PAGE_BYTES, RAM_CHUNK_BYTES, sectionHead } from "./format.ts";
import { encodeState } from "./state_text.ts";

/** Where a state goes; offsets count from its beginning. */
export interface StateSink {
  write(at: number, from: IoVector): Promise<void>;
}

/** Writes the state of `machine`, which stands still; returns how many bytes that took. */
export async function writeMachineState(machine: Machine, sink: StateSink): Promise<number> {
  const writer = new StateWriter(sink);
  await writer.raw(Header.toBytes({ magic: MAGIC, version: FORMAT_VERSION, reserved: 0 }));
  await writer.section(
    Kind.machine,
    encodeState({
      board: machine.board.name,
      ramBytes: machine.ramBytes,
      virtualNs: machine.clocks.virtual.nowNs(),
      accelerator: machine.accelerator.name,
    }),
  );
  for (const device of machine.devices) {
    const record = { type: device.type.name, path: device.path, saved: device.save() };
    await writer.section(Kind.device, encodeState(record));
  }
  await writer.section(Kind.cpu, machine.accelerator.save());
  await writeRam(machine, writer);
  await writer.section(Kind.end, new Uint8Array(0));
  await writer.finish();
  return writer.position;
}

async function writeRam(machine: Machine, writer: StateWriter): Promise<void> {
  const { ram } = machine;
  for (let at = 0; at < ram.sizeBytes; at += RAM_CHUNK_BYTES) {
    const length = Math.min(RAM_CHUNK_BYTES, ram.sizeBytes - at);
    // The view is taken anew for each chunk: while one is written, the accelerator may move its memory.
    if (isZero(ram.slice(at, length))) continue;
    const chunk = ram.slice(at, length).slice();
    for (const { start, end } of runsOfPages(chunk)) {
      // A copy: a script may play the guest meanwhile, and what is written must be what was summed.
      await writer.section(Kind.ram, chunk.slice(start, end), at + start);
    }
  }
}

/** The runs of pages in `chunk` that are not all zero. */
function runsOfPages(chunk: Uint8Array): { start: number; end: number }[] {
  const runs: { start: number; end: number }[] = [];
  for (let start = 0; start < chunk.length; start += PAGE_BYTES) {
    const end = Math.min(start + PAGE_BYTES, chunk.length);
    if (isZero(chunk.subarray(start, end))) continue;
    const last = runs.at(-1);
    if (last?.end === start) last.end = end;
    else runs.push({ start, end });
  }
  return runs;
}

/** Gathers small sections into one write. */
class StateWriter {
  readonly #sink: StateSink;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #written = 0;

  constructor(sink: StateSink) {
    this.#sink = sink;
  }

  get position(): number {
    return this.#written + this.#pendingBytes;
  }

  async section(kind: number, payload: Uint8Array, address = 0): Promise<void> {
    await this.raw(sectionHead(kind, address, payload));
    await this.raw(payload);
  }

  async raw(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (this.#pendingBytes >= RAM_CHUNK_BYTES) await this.finish();
  }

  async finish(): Promise<void> {
    if (this.#pendingBytes === 0) return;
    const data = IoVector.from(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    await this.#sink.write(this.#written, data);
    this.#written += data.length;
  }
}
