/**
 * No CPU: a script plays the guest. The virtual clock moves only when told.
 *
 * A script reads and writes ports and memory, moves the clock, and watches interrupt lines: {@link QtestAccelerator}
 * has a method for each command of QEMU's qtest protocol.
 *
 * Source: QEMU's docs/devel/testing/qtest.rst.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import { ManualClock } from "../../base/clocks.ts";
import { GiB } from "../../base/units.ts";
import { type GuestRam, PlainRam } from "../../devices/bus/mod.ts";
import type { Accelerator, AcceleratorAbilities, MachineBus } from "./accelerator.ts";

/** The most that one buffer holds in V8, less than which the host may have. */
const MAX_RAM_BYTES = 8 * GiB;

/** The width of one access. */
export type AccessWidth = 1 | 2 | 4;

/** The accelerator. */
export class QtestAccelerator implements Accelerator {
  readonly name = "qtest";
  readonly can: AcceleratorAbilities = {
    maxRamBytes: MAX_RAM_BYTES,
    runsCode: false,
    longMode: true,
    processorId: 0x078b_fbfd_0006_0fb1n, // qemu64's: that is what the object tree shows
    smp: false,
    interruptControllers: "ours",
    romProtection: true,
    virtualClock: true,
  };
  readonly clock: ManualClock;
  #bus: MachineBus | undefined;
  #interrupt: 0 | 1 = 0;
  #running = false;

  constructor(startNs = 0) {
    this.clock = new ManualClock(startNs);
  }

  /** The level of INTR: whether an interrupt waits for a CPU. */
  get interruptLevel(): 0 | 1 {
    return this.#interrupt;
  }

  get running(): boolean {
    return this.#running;
  }

  mapRam(sizeBytes: number): GuestRam {
    return new PlainRam(sizeBytes);
  }

  mapRom(): void {}

  async attach(bus: MachineBus): Promise<void> {
    assert(this.#bus === undefined, "an accelerator serves one machine");
    this.#bus = bus;
  }

  setInterrupt(line: number, level: 0 | 1): void {
    if (line === 0) this.#interrupt = level;
  }

  signalMessage(): void {}

  async run(): Promise<void> {
    this.#running = true;
  }

  async stop(): Promise<void> {
    this.#running = false;
  }

  kick(): void {}
  reset(): void {}

  save(): Uint8Array {
    return new Uint8Array(0);
  }

  refusal(state: Uint8Array): string | undefined {
    return state.length === 0 ? undefined : `it is of a machine with a CPU: ${state.length} bytes of it`;
  }

  load(_state: Uint8Array): void {}

  async [Symbol.asyncDispose](): Promise<void> {}

  /** `inb`, `inw`, `inl`. */
  in(port: number, width: AccessWidth = 1): number {
    return this.#machine.ports.readValue(port, width);
  }

  /** `outb`, `outw`, `outl`. */
  out(port: number, value: number, width: AccessWidth = 1): void {
    this.#machine.ports.writeValue(port, width, value);
  }

  /** `readb`, `readw`, `readl`: a little-endian value at a guest-physical address. */
  readValue(address: number, width: AccessWidth): number {
    return this.#machine.memory.readValue(address, width);
  }

  /** `writeb`, `writew`, `writel`. */
  writeValue(address: number, value: number, width: AccessWidth): void {
    this.#machine.memory.writeValue(address, width, value);
  }

  /** `read`. */
  read(address: number, lengthBytes: number): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    this.#machine.memory.read(address, bytes);
    return bytes;
  }

  /** `write`. */
  write(address: number, bytes: Uint8Array): void {
    this.#machine.memory.write(address, bytes);
  }

  /** `memset`. */
  fill(address: number, lengthBytes: number, value: number): void {
    const chunk = new Uint8Array(Math.min(lengthBytes, 1 << 20)).fill(value);
    for (let at = 0; at < lengthBytes; at += chunk.length) {
      this.write(address + at, chunk.subarray(0, Math.min(chunk.length, lengthBytes - at)));
    }
  }

  /** `clock_step`: moves on by `durationNs`, or to the next timer; returns the time then. */
  clockStep(durationNs?: number): number {
    const { clock } = this;
    if (durationNs !== undefined) clock.advance(durationNs);
    else if (clock.nextDeadlineNs !== undefined) clock.advanceTo(clock.nextDeadlineNs);
    return clock.nowNs();
  }

  /** `clock_set`: moves to `untilNs`, which is not before now. */
  clockSet(untilNs: number): number {
    this.clock.advanceTo(Math.max(untilNs, this.clock.nowNs()));
    return this.clock.nowNs();
  }

  /** Takes the waiting interrupt as a CPU would; its vector. */
  acknowledgeInterrupt(): number {
    return this.#machine.acknowledgeInterrupt();
  }

  get #machine(): MachineBus {
    assert(this.#bus !== undefined, "the accelerator has no machine yet");
    return this.#bus;
  }
}
