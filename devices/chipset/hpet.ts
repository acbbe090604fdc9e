/**
 * The high precision event timer: a 64-bit counter of 10 ns on the virtual clock, three comparators.
 *
 * While "legacy replacement" is on it takes interrupt 0 from the 8254 and 8 from the real-time clock.
 *
 * Left out: delivery by FSB messages (the `msi` property stays off).
 *
 * Source: [IA-PC HPET 1.0a] 2.3 "Register Definitions", 2.4 "Theory of Operation".
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceOptions,
  DeviceTimer,
  type DeviceType,
  MemoryRegion,
  type OutputPin,
  prop,
  type PropertyValues,
  SystemBusDevice,
} from "../bus/mod.ts";

const PROPERTIES = {
  "timers": prop.uint8(3),
  "msi": prop.bool(false, { description: "on/off" }),
  "hpet-intcap": prop.uint32(0),
  "hpet-offset-saved": prop.bool(true),
};

const TICK_NS = 10;
const PERIOD_FS = 10_000_000;
const VENDOR_AND_REVISION = 0x8086_a001;
const MAX_TIMERS = 32;
/** Periodic interrupts come no faster, so that a guest's absurd period does not keep the host busy. */
const SHORTEST_PERIOD_NS = 10_000;
const PIT_GSI = 2;
const PIT_IRQ = 0;
const RTC_IRQ = 8;

const ENABLE = 1;
const LEGACY = 2;

const T_LEVEL = 0x0002;
const T_ENABLE = 0x0004;
const T_PERIODIC = 0x0008;
const T_CAN_PERIODIC = 0x0010;
const T_CAN_64 = 0x0020;
const T_SET_VALUE = 0x0040;
const T_32BIT = 0x0100;
const T_WRITABLE = 0x7f4e;
const ALL_ONES = (1n << 64n) - 1n;

/** A 64-bit register as a snapshot keeps it. */
export interface Words64 {
  low: number;
  high: number;
}

export interface HpetState {
  config: number;
  interruptStatus: number;
  /** The counter while it stands. */
  counter: Words64;
  /** When the running counter would have been 0, on the virtual clock; with the counter modulo 2^64. */
  counterAtZero: Words64;
  timers: { config: number; comparator: Words64; period: Words64; fsb: Words64 }[];
  /** Levels that the 8254 and the real-time clock drive. */
  inputs: number[];
}

interface Comparator {
  config: number;
  comparator: bigint;
  period: bigint;
  fsb: bigint;
  readonly timer: DeviceTimer;
}

/** The block. Inputs 0 and 1: the 8254's and the clock's interrupt. Outputs: `sysbus-irq` 0-31; 0: silences the 8254. */
export class Hpet extends SystemBusDevice<typeof PROPERTIES, HpetState> {
  readonly #irqs: OutputPin[];
  readonly #pitEnabled: OutputPin;
  #timers: Comparator[] = [];
  #config = 0;
  #interruptStatus = 0;
  #counter = 0n;
  #counterAtZero = 0n;
  #inputs: (0 | 1)[] = [0, 0];

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(hpet, context, values, options);
    this.#irqs = this.addSystemIrqs(MAX_TIMERS);
    this.addInputs("", 2, (index, level) => this.#takeInput(index, level));
    this.#pitEnabled = this.addOutputs("", 1)[0]!;
    this.mmio.push(MemoryRegion.io("hpet", 0x400, {
      read: (offset) => this.#read(offset),
      write: (offset, _size, value) => this.#write(offset, value),
      accessSizes: { min: 4, max: 4 },
      validSizes: { min: 4, max: 4 },
    }));
  }

  /** The main counter. */
  get counter(): bigint {
    if ((this.#config & ENABLE) === 0) return this.#counter;
    return BigInt.asUintN(64, this.#counterAtZero + this.#nowTicks);
  }

  protected override onRealize(): void {
    const count = Math.max(3, Math.min(MAX_TIMERS, this.properties.timers));
    this.#timers = Array.from({ length: count }, (_, index) => ({
      ...freshComparator(),
      timer: new DeviceTimer(this.context.clocks.virtual, () => this.#expire(index)),
    }));
  }

  protected override onUnrealize(): void {
    for (const { timer } of this.#timers) timer.cancel();
  }

  protected override onReset(): void {
    for (const timer of this.#timers) {
      timer.timer.cancel();
      Object.assign(timer, freshComparator());
    }
    this.#config = 0;
    this.#interruptStatus = 0;
    this.#counter = 0n;
    this.#counterAtZero = 0n;
    this.#pitEnabled.set(1);
  }

  protected override saveState(): HpetState {
    return {
      config: this.#config,
      interruptStatus: this.#interruptStatus,
      counter: words(this.#counter),
      counterAtZero: words(this.#counterAtZero),
      timers: this.#timers.map(({ config, comparator, period, fsb }) => ({
        config,
        comparator: words(comparator),
        period: words(period),
        fsb: words(fsb),
      })),
      inputs: [...this.#inputs],
    };
  }

  protected override loadState(state: HpetState): void {
    this.#config = state.config & 3;
    this.#interruptStatus = state.interruptStatus;
    this.#counter = whole(state.counter);
    this.#counterAtZero = whole(state.counterAtZero);
    this.#inputs = [state.inputs[0] === 1 ? 1 : 0, state.inputs[1] === 1 ? 1 : 0];
    for (const [index, timer] of this.#timers.entries()) {
      const saved = state.timers[index];
      if (saved === undefined) continue;
      timer.config = saved.config;
      timer.comparator = whole(saved.comparator);
      timer.period = whole(saved.period);
      timer.fsb = whole(saved.fsb);
      this.#schedule(timer);
    }
    this.#pitEnabled.set((this.#config & LEGACY) === 0 ? 1 : 0);
  }

  get #nowTicks(): bigint {
    return BigInt(Math.floor(this.context.clocks.virtual.nowNs() / TICK_NS));
  }

  #read(offset: number): number {
    if (offset >= 0x100) return this.#readTimer(offset);
    switch (offset) {
      case 0x000:
        return (VENDOR_AND_REVISION | ((this.#timers.length - 1) << 8) | 0x2000) >>> 0;
      case 0x004:
        return PERIOD_FS;
      case 0x010:
        return this.#config;
      case 0x020:
        return this.#interruptStatus >>> 0;
      case 0x0f0:
        return words(this.counter).low;
      case 0x0f4:
        return words(this.counter).high;
      default:
        return 0;
    }
  }

  #readTimer(offset: number): number {
    const timer = this.#timers[(offset - 0x100) >> 5];
    if (timer === undefined) return 0;
    switch (offset & 0x1f) {
      case 0x00:
        return (timer.config | T_CAN_PERIODIC | T_CAN_64) >>> 0;
      case 0x04:
        return this.properties["hpet-intcap"];
      case 0x08:
        return words(timer.comparator).low;
      case 0x0c:
        return words(timer.comparator).high;
      case 0x10:
        return words(timer.fsb).low;
      case 0x14:
        return words(timer.fsb).high;
      default:
        return 0;
    }
  }

  #write(offset: number, value: number): void {
    if (offset >= 0x100) return this.#writeTimer(offset, value);
    switch (offset) {
      case 0x010:
        return this.#writeConfig(value);
      case 0x020:
        return this.#clearStatus(value);
      case 0x0f0:
      case 0x0f4:
        // The counter may be written while it stands.
        if ((this.#config & ENABLE) === 0) this.#counter = withWord(this.#counter, offset === 0x0f4, value);
    }
  }

  #writeConfig(value: number): void {
    const before = this.#config;
    const counter = this.counter;
    this.#config = value & (ENABLE | LEGACY);
    const changed = before ^ this.#config;
    if ((changed & ENABLE) !== 0) {
      this.#counter = counter;
      this.#counterAtZero = BigInt.asUintN(64, counter - this.#nowTicks);
      for (const timer of this.#timers) this.#schedule(timer);
    }
    if ((changed & LEGACY) === 0) return;
    if ((value & LEGACY) !== 0) {
      this.#pitEnabled.set(0);
      this.#irqs[PIT_IRQ]!.set(0);
      this.#irqs[RTC_IRQ]!.set(0);
    } else {
      this.#irqs[PIT_IRQ]!.set(0);
      this.#pitEnabled.set(1);
      this.#irqs[RTC_IRQ]!.set(this.#inputs[1]!);
    }
  }

  #clearStatus(value: number): void {
    for (const [index, timer] of this.#timers.entries()) {
      const bit = 2 ** index;
      if ((value & this.#interruptStatus & bit) === 0) continue;
      this.#interruptStatus &= ~bit;
      if ((timer.config & T_LEVEL) !== 0) this.#irqs[this.#route(index)]!.set(0);
    }
  }

  #writeTimer(offset: number, value: number): void {
    const timer = this.#timers[(offset - 0x100) >> 5];
    if (timer === undefined) return;
    switch (offset & 0x1f) {
      case 0x00:
        timer.config = value & T_WRITABLE;
        if ((timer.config & T_32BIT) !== 0) {
          timer.comparator = BigInt.asUintN(32, timer.comparator);
          timer.period = BigInt.asUintN(32, timer.period);
        }
        break;
      case 0x08:
      case 0x0c:
        this.#writeComparator(timer, (offset & 4) !== 0, value);
        break;
      case 0x10:
      case 0x14:
        timer.fsb = withWord(timer.fsb, (offset & 4) !== 0, value);
    }
    this.#schedule(timer);
  }

  #writeComparator(timer: Comparator, high: boolean, value: number): void {
    const periodic = (timer.config & T_PERIODIC) !== 0;
    if ((timer.config & T_32BIT) !== 0 && high) return;
    const base = (timer.config & T_32BIT) !== 0 ? 0n : undefined;
    if (!periodic || (timer.config & T_SET_VALUE) !== 0) {
      timer.comparator = withWord(base ?? timer.comparator, high, value);
    }
    if (periodic) timer.period = withWord(base ?? timer.period, high, value);
    if (high || (timer.config & T_32BIT) !== 0) timer.config &= ~T_SET_VALUE;
  }

  /** Waits for the comparator's match, as seen from `counter`. */
  #schedule(timer: Comparator, shortestNs = 0, counter = this.counter): void {
    if ((this.#config & ENABLE) === 0 || (timer.config & T_ENABLE) === 0) return timer.timer.cancel();
    const bits = (timer.config & T_32BIT) !== 0 ? 32 : 64;
    const ahead = BigInt.asUintN(bits, timer.comparator - counter);
    // Half the range ahead is the past: a match that was missed.
    const ticks = ahead >= 1n << BigInt(bits - 1) ? (bits === 32 ? ahead : undefined) : ahead;
    if (ticks === undefined || ticks > 1n << 50n) return timer.timer.cancel();
    const waitNs = Math.max(Number(ticks) * TICK_NS, shortestNs);
    timer.timer.set(Number(this.#nowTicks) * TICK_NS + waitNs);
  }

  #expire(index: number): void {
    const timer = this.#timers[index]!;
    if ((timer.config & T_PERIODIC) !== 0 && timer.period !== 0n) {
      const bits = (timer.config & T_32BIT) !== 0 ? 32 : 64;
      // One look at the counter: the next match must not be past by the time it is waited for, or it comes in 43 s.
      const { counter } = this;
      const late = BigInt.asUintN(bits, counter - timer.comparator);
      const rounds = late / timer.period + 1n;
      timer.comparator = BigInt.asUintN(bits, timer.comparator + rounds * timer.period);
      this.#schedule(timer, SHORTEST_PERIOD_NS, counter);
    }
    const line = this.#irqs[this.#route(index)]!;
    if ((timer.config & T_LEVEL) !== 0) {
      this.#interruptStatus |= 2 ** index;
      line.set(1);
    } else {
      line.set(1);
      line.set(0);
    }
  }

  /** The interrupt that a comparator raises. */
  #route(index: number): number {
    if (index <= 1 && (this.#config & LEGACY) !== 0) return index === 0 ? PIT_IRQ : RTC_IRQ;
    return (this.#timers[index]!.config >> 9) & 0x1f;
  }

  #takeInput(index: number, level: 0 | 1): void {
    this.#inputs[index] = level;
    if ((this.#config & LEGACY) !== 0) return;
    this.#irqs[index === 0 ? PIT_IRQ : RTC_IRQ]!.set(level);
  }
}

function freshComparator(): Omit<Comparator, "timer"> {
  return { config: 0, comparator: ALL_ONES, period: 0n, fsb: 0n };
}

function words(value: bigint): Words64 {
  return { low: Number(value & 0xffff_ffffn), high: Number(value >> 32n) };
}

function whole({ low, high }: Words64): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function withWord(value: bigint, high: boolean, word: number): bigint {
  const parts = words(value);
  return whole(high ? { ...parts, high: word } : { ...parts, low: word });
}

/** The interrupt capabilities that a pc board gives it: GSI 2. */
export const PC_HPET_INTCAP = 1 << PIT_GSI;

/** `hpet`. */
export const hpet = {
  name: "hpet",
  busType: "System",
  category: "Uncategorized",
  userCreatable: false,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new Hpet(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
