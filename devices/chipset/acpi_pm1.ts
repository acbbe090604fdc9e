/**
 * ACPI's fixed hardware: PM1 event and control registers, the power management timer of 3.579545 MHz.
 *
 * Source: [ACPI 6.5] 4.8.3.1 "PM1 Event Grouping", 4.8.3.2 "PM1 Control", 4.8.3.3 "Power Management Timer".
 *
 * @module
 */
import type { Clock } from "../../base/clocks.ts";
import { DeviceTimer, MemoryRegion } from "../bus/mod.ts";
import { nsAtTick, ticksIn } from "./ticks.ts";

/** The timer's pace. */
export const PM_TIMER_HZ = 3_579_545;

/** Bits of the event registers. */
export const Pm1Event = { Timer: 0x0001, Global: 0x0020, PowerButton: 0x0100, Rtc: 0x0400, Wake: 0x8000 } as const;

const INTERRUPTS = Pm1Event.Timer | Pm1Event.Global | Pm1Event.PowerButton | Pm1Event.Rtc;
const CONTROL_SCI_ENABLE = 0x0001;
const CONTROL_SLEEP_ENABLE = 0x2000;
/** The timer's status is set whenever its bit 23 changes. */
const HALF_ROUND_TICKS = 2 ** 23;

export interface Pm1State {
  status: number;
  enable: number;
  control: number;
  /** When the timer's status bit is set next, on the virtual clock. */
  overflowNs: number;
}

/** What the registers bring about. */
export interface Pm1Effects {
  /** The state of interrupts may have changed. */
  update(): void;
  /** Software asks for sleep state type 0 to 7. */
  sleep(type: number): void;
}

/** The registers; three regions that the owner maps. */
export class AcpiPm1 {
  readonly event: MemoryRegion;
  readonly control: MemoryRegion;
  readonly timer: MemoryRegion;
  readonly #clock: Clock;
  readonly #effects: Pm1Effects;
  readonly #overflow: DeviceTimer;
  #state: Pm1State = { status: 0, enable: 0, control: 0, overflowNs: 0 };

  constructor(clock: Clock, effects: Pm1Effects) {
    this.#clock = clock;
    this.#effects = effects;
    this.#overflow = new DeviceTimer(clock, () => this.follow());
    const sizes = { accessSizes: { min: 2, max: 2 }, validSizes: { min: 1, max: 2 } };
    this.event = MemoryRegion.io("acpi-evt", 4, {
      read: (offset) => offset === 0 ? this.status : offset === 2 ? this.#state.enable : 0,
      write: (offset, _size, value) => this.#writeEvent(offset, value),
      ...sizes,
    });
    this.control = MemoryRegion.io("acpi-cnt", 2, {
      read: () => this.#state.control,
      write: (_offset, _size, value) => this.#writeControl(value),
      ...sizes,
    });
    this.timer = MemoryRegion.io("acpi-tmr", 4, {
      read: () => ticksIn(this.#clock.nowNs(), PM_TIMER_HZ) % 2 ** 24,
      write() {},
      accessSizes: { min: 4, max: 4 },
      validSizes: { min: 1, max: 4 },
    });
  }

  /** The event status now. */
  get status(): number {
    if (this.#clock.nowNs() >= this.#state.overflowNs) this.#state.status |= Pm1Event.Timer;
    return this.#state.status;
  }

  /** Whether an enabled event asks for the system control interrupt. */
  get asks(): boolean {
    return (this.status & this.#state.enable & INTERRUPTS) !== 0;
  }

  /** Whether software has taken power management over from the firmware. */
  get sciEnabled(): boolean {
    return (this.#state.control & CONTROL_SCI_ENABLE) !== 0;
  }

  set sciEnabled(enabled: boolean) {
    this.#state.control = enabled
      ? this.#state.control | CONTROL_SCI_ENABLE
      : this.#state.control & ~CONTROL_SCI_ENABLE;
  }

  /** An event has happened: the power button, say. */
  raise(event: number): void {
    this.#state.status |= event;
    this.follow();
  }

  reset(): void {
    this.#state = { status: 0, enable: 0, control: 0, overflowNs: 0 };
    this.#overflow.cancel();
  }

  save(): Pm1State {
    return { ...this.#state };
  }

  load(state: Pm1State): void {
    this.#state = { ...state };
    this.follow();
  }

  dispose(): void {
    this.#overflow.cancel();
  }

  /** Tells the owner, and waits for the timer where its event is enabled. */
  follow(): void {
    const waits = (this.#state.enable & Pm1Event.Timer) !== 0 && (this.status & Pm1Event.Timer) === 0;
    this.#overflow.set(waits ? this.#state.overflowNs : undefined);
    this.#effects.update();
  }

  #writeEvent(offset: number, value: number): void {
    const state = this.#state;
    if (offset === 0) {
      if ((this.status & value & Pm1Event.Timer) !== 0) {
        const halfRounds = Math.floor(ticksIn(this.#clock.nowNs(), PM_TIMER_HZ) / HALF_ROUND_TICKS);
        state.overflowNs = nsAtTick((halfRounds + 1) * HALF_ROUND_TICKS, PM_TIMER_HZ);
      }
      state.status &= ~value;
    } else if (offset === 2) state.enable = value;
    this.follow();
  }

  #writeControl(value: number): void {
    this.#state.control = value & ~CONTROL_SLEEP_ENABLE;
    if ((value & CONTROL_SLEEP_ENABLE) !== 0) this.#effects.sleep((value >> 10) & 7);
  }
}
