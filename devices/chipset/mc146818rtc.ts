/**
 * The MC146818A real-time clock with the CMOS memory of a PC, at ports 70 and 71.
 *
 * The clock counts while somebody looks or an interrupt is enabled: what has happened since the last look is worked out
 * from the time that has gone by.
 *
 * Left out: the square wave, daylight saving.
 *
 * Source: [MC146818A] "Register A" to "Register D", "Interrupts", "Update Cycle"; [PIIX3] 2.5.5.
 *
 * @module
 */
import type { Clock } from "../../base/clocks.ts";
import { NS_PER_S, NS_PER_US } from "../../base/units.ts";
import {
  type DeviceContext,
  type DeviceOptions,
  DeviceTimer,
  type DeviceType,
  IsaDevice,
  MemoryRegion,
  type OutputPin,
  prop,
  type PropertyValues,
} from "../bus/mod.ts";
import { loadTime, secondsToAlarm, storeTime, type TimeFormat, TimeRegister } from "./cmos_clock.ts";
import { nsAtTick, ticksIn } from "./ticks.ts";

const PROPERTIES = {
  "base_year": prop.int32(1980),
  "iobase": prop.uint16(0x70),
  "irq": prop.uint8(8),
  "lost_tick_policy": prop.choice("LostTickPolicy", ["discard", "delay", "slew"], "discard"),
};

const A = 0x0a;
const B = 0x0b;
const C = 0x0c;
const D = 0x0d;
const A_UPDATE_IN_PROGRESS = 0x80;
const B_SET = 0x80;
const B_BINARY = 0x04;
const B_24_HOURS = 0x02;
/** Flags of C; the same bits of B enable their interrupts. */
const PERIODIC = 0x40;
const ALARM = 0x20;
const UPDATE_ENDED = 0x10;
const C_INTERRUPT = 0x80;
/** How long before a second ends its update is announced. */
const UPDATE_NS = 244_000;
const OSCILLATOR_HZ = 32_768;
const RUNNING_DIVIDER = 0x20;
/** PS/2 machines keep the century here as well. */
const PS2_CENTURY = 0x37;

export interface RtcState {
  cmos: Uint8Array;
  index: number;
  /** What is added to the clock to get the time, in ns. */
  offsetNs: number;
  /** Up to when flags have been worked out, on the same clock. */
  seenNs: number;
}

/** The clock. Output 0 is interrupt 8. */
export class RealTimeClock extends IsaDevice<typeof PROPERTIES, RtcState> {
  /** Which clock counts, and by how much its time is changed; set before realization, as `-rtc` says. */
  source: { readonly clock: Clock; readonly offsetNs: number };
  readonly #irq: OutputPin;
  #state: RtcState = { cmos: new Uint8Array(128), index: 0, offsetNs: 0, seenNs: 0 };
  #timer: DeviceTimer | undefined;

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(mc146818rtc, context, values, options);
    this.source = { clock: context.clocks.host, offsetNs: 0 };
    this.#irq = this.addOutputs("", 1)[0]!;
  }

  /** Counts by another clock from now on, with its time changed by `offsetNs`. */
  use(source: { readonly clock: Clock; readonly offsetNs: number }): void {
    this.#timer?.cancel();
    this.source = source;
    this.#timer = new DeviceTimer(source.clock, () => this.#follow());
    this.#state.offsetNs = source.offsetNs;
    this.#state.seenNs = source.clock.nowNs();
    this.#follow();
  }

  /** CMOS byte `index`, 0 to 127, as software would read it; nothing is cleared. */
  peek(index: number): number {
    this.#catchUp();
    this.#show();
    return this.#state.cmos[index & 0x7f]!;
  }

  /** Sets CMOS byte `index`: the board's firmware settings. */
  poke(index: number, value: number): void {
    this.#state.cmos[index & 0x7f] = value;
  }

  protected override onRealize(): void {
    const { cmos } = this.#state;
    cmos[A] = 0x26;
    cmos[B] = B_24_HOURS;
    cmos[D] = 0x80;
    this.#state.offsetNs = this.source.offsetNs;
    this.#state.seenNs = this.source.clock.nowNs();
    this.#timer = new DeviceTimer(this.source.clock, () => this.#follow());
    const region = MemoryRegion.io("rtc", 2, {
      read: (offset) => offset === 0 ? 0xff : this.#read(this.#state.index),
      write: (offset, _size, value) => {
        if (offset === 0) this.#state.index = value & 0x7f;
        else this.#write(this.#state.index, value);
      },
      accessSizes: { min: 1, max: 1 },
    });
    // QEMU lays the index port over the pair, so that its writes need no lock; the tree is seen by users.
    const index = MemoryRegion.io("rtc-index", 1, {
      read: () => 0xff,
      write: (_offset, _size, value) => {
        this.#state.index = value & 0x7f;
      },
      accessSizes: { min: 1, max: 1 },
    });
    region.add(index, 0);
    this.claimPorts(region, this.properties.iobase);
  }

  protected override onReset(): void {
    const { cmos } = this.#state;
    cmos[B] = cmos[B]! & ~(PERIODIC | ALARM | UPDATE_ENDED | 0x08);
    cmos[C] = 0;
    this.#state.seenNs = this.source.clock.nowNs();
    this.#follow();
  }

  protected override async onUnrealize(): Promise<void> {
    this.#timer?.cancel();
    await super.onUnrealize();
  }

  protected override saveState(): RtcState {
    this.#catchUp();
    return { ...this.#state, cmos: this.#state.cmos.slice() };
  }

  protected override loadState(state: RtcState): void {
    this.#state = { ...state, cmos: state.cmos.slice() };
    // A clock of the host has gone on since; what it would have flagged meanwhile is not made up for.
    this.#state.seenNs = Math.max(state.seenNs, this.source.clock.nowNs());
    this.#follow();
  }

  get #format(): TimeFormat {
    const b = this.#state.cmos[B]!;
    return { binary: (b & B_BINARY) !== 0, hours24: (b & B_24_HOURS) !== 0, baseYear: this.properties.base_year };
  }

  /** Whether time goes on: not while software sets it or holds the divider. */
  get #running(): boolean {
    const { cmos } = this.#state;
    return (cmos[B]! & B_SET) === 0 && (cmos[A]! & 0x60) !== 0x60;
  }

  get #timeNs(): number {
    return this.source.clock.nowNs() + this.#state.offsetNs;
  }

  #read(index: number): number {
    const { cmos } = this.#state;
    this.#catchUp();
    switch (index) {
      case A: {
        const untilNext = NS_PER_S - this.#timeNs % NS_PER_S;
        return cmos[A]! | (this.#running && untilNext <= UPDATE_NS ? A_UPDATE_IN_PROGRESS : 0);
      }
      case C: {
        const flags = cmos[C]!;
        cmos[C] = 0;
        this.#follow();
        return flags;
      }
      case PS2_CENTURY:
        this.#show();
        return cmos[TimeRegister.Century]!;
      default:
        this.#show();
        return cmos[index]!;
    }
  }

  #write(index: number, value: number): void {
    const { cmos } = this.#state;
    this.#catchUp();
    switch (index) {
      case A:
        this.#change(() => cmos[A] = value & ~A_UPDATE_IN_PROGRESS);
        break;
      case B:
        this.#change(() => cmos[B] = value);
        break;
      case C:
      case D:
        return; // read-only
      case PS2_CENTURY:
        this.#setTime(TimeRegister.Century, value);
        break;
      case TimeRegister.SecondsAlarm:
      case TimeRegister.MinutesAlarm:
      case TimeRegister.HoursAlarm:
        cmos[index] = value;
        break;
      default:
        if (index <= TimeRegister.Year || index === TimeRegister.Century) this.#setTime(index, value);
        else cmos[index] = value;
    }
    this.#follow();
  }

  /** A change of A or B, which may stop or start the clock, or turn digits into other digits. */
  #change(apply: () => void): void {
    this.#show();
    const wasRunning = this.#running;
    apply();
    if (!wasRunning && this.#running) this.#takeTime();
    if (wasRunning && this.#running) this.#show();
  }

  #setTime(register: number, value: number): void {
    this.#show();
    this.#state.cmos[register] = value;
    if (this.#running) this.#takeTime();
  }

  /** From now on the time is what the registers say; the fraction of the second goes on. */
  #takeTime(): void {
    const fraction = this.#timeNs % NS_PER_S;
    const seconds = loadTime(this.#state.cmos, this.#format);
    this.#state.offsetNs = seconds * NS_PER_S + fraction - this.source.clock.nowNs();
  }

  /** Puts the time into the registers. */
  #show(): void {
    if (this.#running) storeTime(this.#state.cmos, Math.floor(this.#timeNs / NS_PER_S), this.#format);
  }

  /** Ticks of the oscillator between two periodic events; 0 for none. */
  get #periodTicks(): number {
    const a = this.#state.cmos[A]!;
    const rate = a & 0x0f;
    if (rate === 0 || (a & 0x60) !== RUNNING_DIVIDER) return 0;
    return 1 << ((rate <= 2 ? rate + 7 : rate) - 1);
  }

  /** Sets the flags of all that has happened since the last call. */
  #catchUp(): void {
    const state = this.#state;
    const nowNs = this.source.clock.nowNs();
    const thenNs = Math.min(state.seenNs, nowNs);
    state.seenNs = nowNs;
    let flags = 0;
    const period = this.#periodTicks;
    if (period !== 0) {
      const rounds = (ns: number) => Math.floor(ticksIn(ns + state.offsetNs, OSCILLATOR_HZ) / period);
      if (rounds(nowNs) !== rounds(thenNs)) flags |= PERIODIC;
    }
    const before = Math.floor((thenNs + state.offsetNs) / NS_PER_S);
    const after = Math.floor((nowNs + state.offsetNs) / NS_PER_S);
    if (this.#running && after > before) {
      flags |= UPDATE_ENDED;
      if (before + secondsToAlarm(state.cmos, before, this.#format) <= after) flags |= ALARM;
    }
    state.cmos[C] = state.cmos[C]! | flags;
  }

  /** Drives the interrupt and waits for the next event that would raise it. */
  #follow(): void {
    this.#catchUp();
    const { cmos, offsetNs, seenNs } = this.#state;
    const enabled = cmos[B]! & (PERIODIC | ALARM | UPDATE_ENDED);
    const raised = (cmos[C]! & enabled) !== 0;
    cmos[C] = raised ? cmos[C]! | C_INTERRUPT : cmos[C]! & ~C_INTERRUPT;
    this.#irq.set(raised ? 1 : 0);
    const waiting = enabled & ~cmos[C]!;
    const timeNs = seenNs + offsetNs;
    const seconds = Math.floor(timeNs / NS_PER_S);
    let nextNs = Infinity;
    if ((waiting & PERIODIC) !== 0 && this.#periodTicks !== 0) {
      const period = this.#periodTicks;
      const round = Math.floor(ticksIn(timeNs, OSCILLATOR_HZ) / period);
      nextNs = Math.min(nextNs, nsAtTick((round + 1) * period, OSCILLATOR_HZ));
    }
    if ((waiting & UPDATE_ENDED) !== 0 && this.#running) nextNs = Math.min(nextNs, (seconds + 1) * NS_PER_S);
    if ((waiting & ALARM) !== 0 && this.#running) {
      nextNs = Math.min(nextNs, (seconds + secondsToAlarm(cmos, seconds, this.#format)) * NS_PER_S);
    }
    // Times of day are beyond 2^53 ns, so a deadline may be rounded to a moment too early: then a little later again.
    this.#timer?.set(Number.isFinite(nextNs) ? Math.max(nextNs - offsetNs, seenNs + NS_PER_US) : undefined);
  }
}

/** `mc146818rtc`. */
export const mc146818rtc = {
  name: "mc146818rtc",
  busType: "ISA",
  category: "Misc",
  userCreatable: false,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new RealTimeClock(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
