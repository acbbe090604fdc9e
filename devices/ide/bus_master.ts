/**
 * A channel's bus master: command, status and table address, and the walk through the table of physical regions.
 *
 * A table entry is an address and a length of up to 64 KiB (0 stands for that); the last one carries a mark, and a
 * table ends at 4 KiB without one. The regions become slices of guest RAM that go down to the image's file as they are.
 *
 * Stopping the bus master while a request is in flight does not take it back: the active bit stays until it has ended.
 *
 * Source: Intel 82371SB (PIIX3) datasheet, 2.7.1 to 2.7.3; "Programming Interface for Bus Master IDE Controller" 1.0.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { RegisterFile, type RegisterState, registerTable } from "../../base/registers.ts";
import type { GuestRam } from "../bus/mod.ts";
import type { Channel } from "./channel.ts";
import type { DmaBuffer, DmaMaster } from "./drive.ts";
import type { BusMasterTraces } from "./traces.ts";

const REGISTERS = registerTable({
  command: { offset: 0, size: 1, access: "rw", mask: 0x09, section: "[PIIX3] 2.7.1" },
  status: { offset: 2, size: 1, access: "rw", mask: 0x66, clearMask: 0x06, section: "[PIIX3] 2.7.2" },
  table: { offset: 4, size: 4, access: "rw", mask: 0xfffffffc, section: "[PIIX3] 2.7.3" },
});

const Command = { START: 0x01 } as const;
const MasterStatus = { ACTIVE: 0x01, INTERRUPT: 0x04 } as const;
const TABLE_BYTES = 4096;
const LAST_ENTRY = 0x80000000;

/** A bus master's volatile state. */
export type BusMasterState = RegisterState<"command" | "status" | "table">;

/** Where the master reaches memory: asked for each request, since software may open and close it. */
export type MemoryAccess = () => GuestRam;

function entryBuffer() {
  const entry = new Uint8Array(8);
  return { entry, view: new DataView(entry.buffer) };
}

/** One channel's half of the bus master function. */
export class BusMaster implements DmaMaster {
  readonly #registers = new RegisterFile(REGISTERS);
  readonly #channel: Channel;
  readonly #memory: MemoryAccess;
  readonly #traces: BusMasterTraces;
  /** One table entry, while it is looked at. */
  readonly #entry = entryBuffer();
  /** Software has stopped it while a request was in flight. */
  #stopping = false;

  constructor(channel: Channel, memory: MemoryAccess, traces: BusMasterTraces) {
    this.#channel = channel;
    this.#memory = memory;
    this.#traces = traces;
    channel.connectMaster(this);
  }

  /** Reads register 0 to 3, one byte; wider accesses and gaps are all ones. */
  readCommand(offset: number, size: number): number {
    const name = REGISTERS.byOffset[offset];
    const value = size !== 1 ? 2 ** (8 * size) - 1 : name === undefined ? 0xff : this.#registers.get(name);
    if (size === 1) this.#traces.read.emit({ register: offset, value });
    return value;
  }

  /** Writes register 0 to 3; only single bytes count. */
  writeCommand(offset: number, size: number, value: number): void {
    if (size !== 1) return;
    this.#traces.write.emit({ register: offset, value });
    if (offset === 0) return this.#writeCommand(value);
    if (offset === 2) this.#registers.write(2, 1, value);
  }

  readTable(offset: number, size: number): number {
    const value = this.#registers.read(4 + offset, size as 1 | 2 | 4);
    this.#traces.tableRead.emit({ value });
    return value;
  }

  writeTable(offset: number, size: number, value: number): void {
    this.#traces.tableWrite.emit({ value });
    this.#registers.write(4 + offset, size as 1 | 2 | 4, value);
  }

  get active(): boolean {
    return (this.#registers.get("status") & MasterStatus.ACTIVE) !== 0;
  }

  #setActive(active: boolean): void {
    const status = this.#registers.get("status");
    this.#registers.set("status", active ? status | MasterStatus.ACTIVE : status & ~MasterStatus.ACTIVE);
  }

  #writeCommand(value: number): void {
    this.#traces.command.emit({ value });
    const started = (this.#registers.get("command") & Command.START) !== 0;
    const start = (value & Command.START) !== 0;
    this.#registers.write(0, 1, value);
    if (start === started) return;
    if (!start) {
      if (this.active && this.#channel.inFlight) this.#stopping = true;
      else this.#setActive(false);
      return;
    }
    this.#stopping = false;
    if (this.active) return;
    this.#setActive(true);
    this.#channel.dmaStarted();
  }

  collect(lengthBytes: number): DmaBuffer | undefined {
    const memory = this.#memory();
    const regions: [address: number, bytes: number][] = [];
    const { entry, view } = this.#entry;
    const table = this.#registers.get("table");
    let total = 0;
    for (let at = 0; at < TABLE_BYTES; at += 8) {
      memory.read(table + at, entry);
      const address = view.getUint32(0, true) & ~1;
      const control = view.getUint32(4, true);
      const bytes = (control & 0xfffe) || 0x10000;
      const wanted = Math.min(bytes, lengthBytes - total);
      if (wanted > 0) regions.push([address >>> 0, wanted]);
      total += bytes;
      if ((control & LAST_ENTRY) !== 0) break;
    }
    if (total < lengthBytes) return undefined;
    return {
      vector: IoVector.from(regions.map(([address, bytes]) => memory.slice(address, bytes))),
      more: total > lengthBytes,
      changed() {
        for (const [address, bytes] of regions) memory.changed(address, bytes);
      },
    };
  }

  finish(more: boolean): void {
    if (!more || this.#stopping) this.#setActive(false);
    this.#stopping = false;
  }

  /** The channel's interrupt line went up: software finds out here who it was. */
  interruptRaised(): void {
    this.#registers.set("status", this.#registers.get("status") | MasterStatus.INTERRUPT);
  }

  /** Nothing is in flight. */
  reset(): void {
    this.#traces.reset.emit({});
    this.#registers.reset();
    this.#stopping = false;
  }

  save(): BusMasterState {
    return this.#registers.save();
  }

  load(state: BusMasterState): void {
    this.#stopping = false;
    this.#registers.restore(state);
  }
}
