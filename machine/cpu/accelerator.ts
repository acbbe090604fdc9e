/**
 * What runs guest code, or stands in its place. Devices cannot tell which one it is.
 *
 * The accelerator owns guest RAM: it may lie inside WebAssembly memory, and in another one after a panic of its CPU, so
 * nobody keeps views of it longer than a request lives.
 *
 * @module
 */
import type { Clock } from "../../base/clocks.ts";
import type { AddressSpace, GuestRam, PortSpace } from "../../devices/bus/mod.ts";
import type { InterruptControllers } from "./interrupt_controllers.ts";

/** What an accelerator can do. */
export interface AcceleratorAbilities {
  readonly maxRamBytes: number;
  /** Whether there is a CPU at all. */
  readonly runsCode: boolean;
  readonly longMode: boolean;
  /** What the CPU says of itself: EAX of CPUID function 1, and EDX above it. */
  readonly processorId: bigint;
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

/** One segment register with what it caches of its descriptor. */
export interface SegmentRegister {
  readonly name: "ES" | "CS" | "SS" | "DS" | "FS" | "GS" | "TR" | "LDT";
  readonly selector: number;
  readonly base: number;
  readonly limit: number;
  /** As in the descriptor's second word: access rights from bit 8, limit's upper bits from 16, B at 22, G at 23. */
  readonly flags: number;
}

/** The registers of a 32-bit CPU. */
export interface CpuRegisters {
  /** EAX to EDI by name. */
  readonly general: Readonly<Record<string, number>>;
  readonly eip: number;
  readonly eflags: number;
  readonly cpl: number;
  readonly halted: boolean;
  readonly segments: readonly SegmentRegister[];
  readonly gdt: { readonly base: number; readonly limit: number };
  readonly idt: { readonly base: number; readonly limit: number };
  /** CR0 to CR4. */
  readonly control: readonly number[];
  /** DR0 to DR7. */
  readonly debug: readonly number[];
  readonly fpuControl: number;
  readonly fpuStatus: number;
  readonly fpuTop: number;
  /** A bit for each register that is empty. */
  readonly fpuEmpty: number;
  readonly mxcsr: number;
  readonly fpu: readonly { readonly mantissa: bigint; readonly exponent: number }[];
  readonly xmm: readonly { readonly low: bigint; readonly high: bigint }[];
}

/** A page that is mapped. */
export interface PageMapping {
  readonly linear: number;
  readonly sizeBytes: number;
  /** Of the page itself, as it lies in its table. */
  readonly entry: bigint;
  /** What the tables allow, all levels together. */
  readonly user: boolean;
  readonly writable: boolean;
}

/** A look into a CPU. */
export interface CpuView {
  registers(): CpuRegisters;
  /** Those that it brings, where it does. */
  interruptControllers(): InterruptControllers;
  /** The physical address that a linear one means now, which has 32 bits under paging; `undefined` where it means none. */
  translate(linear: bigint): number | undefined;
  /** All that page tables map, by linear address; `undefined` where there is no paging. */
  mappings(): PageMapping[] | undefined;
}

/** A CPU and the RAM that it works on. */
export interface Accelerator extends AsyncDisposable {
  /** As `-accel` names it. */
  readonly name: string;
  readonly can: AcceleratorAbilities;
  /** The virtual clock, where it has one of its own. */
  readonly clock: AcceleratorClock | undefined;
  /** A look into the CPU, where there is one. */
  readonly cpu?: CpuView;
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
  /** Why it cannot take up `state`; `undefined` where it can. */
  refusal(state: Uint8Array): string | undefined;
  /** Takes up a state that it did not refuse. */
  load(state: Uint8Array): void;
}
