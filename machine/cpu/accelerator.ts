/**
 * What runs guest code, or stands in its place. Devices cannot tell which one it is.
 *
 * The accelerator owns guest RAM: it may lie inside WebAssembly memory that grows, so nobody keeps views of it.
 *
 * @module
 */
import type { Clock } from "../../base/clocks.ts";
import type { AddressSpace, GuestRam, PortSpace } from "../../devices/bus/mod.ts";

/** What an accelerator can do. */
export interface AcceleratorAbilities {
  readonly maxRamBytes: number;
  /** Whether there is a CPU at all. */
  readonly runsCode: boolean;
  readonly longMode: boolean;
  readonly smp: boolean;
  /** Whether it brings PIC and APIC, or takes the board's; {@link Accelerator.setInterrupt} means accordingly. */
  readonly interruptControllers: "its own" | "ours";
  /** Whether ROM, PAM and SMRAM have effect; without, C0000 to FFFFF is RAM into which a reset puts the firmware. */
  readonly romProtection: boolean;
  /** Whether it has a virtual clock of its own. */
  readonly virtualClock: boolean;
}

/** The machine as a CPU sees it. Accesses are synchronous and never throw. */
export interface MachineBus {
  readonly memory: AddressSpace;
  readonly ports: PortSpace;
  /** The vector of the interrupt that is waiting, taken from the interrupt controller. */
  acknowledgeInterrupt(): number;
  /** The guest did what a CPU answers by a reset: a fault in the handler of a fault in the handler of a fault. */
  requestReset(): void;
  /** The CPU cannot go on; it stands still already. */
  failed(error: Error): void;
}

/** A virtual clock that a snapshot can set. */
export interface AcceleratorClock extends Clock {
  /** Sets the time; fires nothing. */
  restore(nowNs: number): void;
}

/** A CPU and the RAM that it works on. */
export interface Accelerator extends AsyncDisposable {
  /** As `-accel` names it. */
  readonly name: string;
  readonly can: AcceleratorAbilities;
  /** The virtual clock, where it has one of its own. */
  readonly clock: AcceleratorClock | undefined;
  /** Makes guest RAM; once, before {@link attach}. */
  mapRam(sizeBytes: number): GuestRam;
  /** Says that `bytes` lie at `address` and cannot be written. */
  mapRom(address: number, bytes: Uint8Array): void;
  /** Takes the finished board. */
  attach(bus: MachineBus): Promise<void>;
  /**
   * Drives a line into the CPU, from anywhere, at any time. With the board's interrupt controllers line 0 is INTR; with
   * its own these are the board's lines 0 to 23, 0 to 15 as ISA counts them.
   */
  setInterrupt(line: number, level: 0 | 1): void;
  /** A message-signalled interrupt. */
  signalMessage(address: bigint, data: number): void;
  /** Resolves when the CPU runs. */
  run(): Promise<void>;
  /** Resolves when it stands still between two instructions. */
  stop(): Promise<void>;
  /** Makes it look at interrupts and timers soon, and lets others have their turn. */
  kick(): void;
  reset(): void;
  /** The CPU's state; RAM is saved by machine/snapshot. */
  save(): Uint8Array;
  load(state: Uint8Array): void;
}
