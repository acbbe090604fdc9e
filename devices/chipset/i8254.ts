/**
 * The 8254 interval timer of a PC: three counters at ports 40-42, control at 43. OUT of counter 0 is interrupt 0.
 *
 * Source: [8254] "Control Word Format", "Read-Back Command".
 *
 * @module
 */
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
import { PitCounter, type PitCounterState } from "./pit_counter.ts";

const PROPERTIES = { "iobase": prop.uint32(0xffff_ffff) };

/** Interrupts come no faster, so that a guest's absurd count does not keep the host busy; the counts stay exact. */
const SHORTEST_WAIT_NS = 10_000;
/** A machine that stood for longer does not make up for the interrupts of that time. */
const LONGEST_LAG_NS = 100_000_000;

export interface PitState {
  counters: PitCounterState[];
  /** Whether the HPET has taken interrupt 0 over. */
  silenced: boolean;
}

/** The chip. Input 0: 0 lets the HPET have interrupt 0; output 0: interrupt 0. */
export class Pit8254 extends IsaDevice<typeof PROPERTIES, PitState> {
  #counters = newCounters();
  #silenced = false;
  readonly #irq: OutputPin;
  readonly #timer: DeviceTimer;
  /** The change that the timer waits for. */
  #changeNs: number | undefined;

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(isaPit, context, values, options);
    this.#irq = this.addOutputs("", 1)[0]!;
    this.addInputs("", 1, (_index, level) => this.#setSilenced(level === 0));
    this.#timer = new DeviceTimer(context.clocks.virtual, () => this.#follow(this.#changeNs));
  }

  /** Counter 0 to 2, as it stands. */
  counter(index: 0 | 1 | 2): Readonly<PitCounterState> {
    return this.#counters[index]!.state;
  }

  /** The level of a counter's output now. */
  output(index: 0 | 1 | 2): 0 | 1 {
    return this.#counters[index]!.output(this.#nowNs);
  }

  /** The level of a counter's gate input. */
  gate(index: 0 | 1 | 2): 0 | 1 {
    return this.#counters[index]!.state.gate;
  }

  /** Drives a counter's gate input; port 61 has that of counter 2. */
  setGate(index: 0 | 1 | 2, level: 0 | 1): void {
    this.#counters[index]!.setGate(level, this.#nowNs);
    if (index === 0) this.#follow();
  }

  protected override onRealize(): void {
    const region = MemoryRegion.io("pit", 4, {
      read: (offset) => offset === 3 ? 0 : this.#counters[offset]!.read(this.#nowNs),
      write: (offset, _size, value) => this.#write(offset, value),
      accessSizes: { min: 1, max: 1 },
    });
    this.claimPorts(region, this.properties.iobase);
  }

  protected override onReset(): void {
    this.#counters = newCounters();
    for (const counter of this.#counters) counter.state.startNs = this.#nowNs;
    this.#silenced = false;
    this.#follow();
  }

  protected override async onUnrealize(): Promise<void> {
    this.#timer.cancel();
    await super.onUnrealize();
  }

  protected override saveState(): PitState {
    return { counters: this.#counters.map((counter) => ({ ...counter.state })), silenced: this.#silenced };
  }

  protected override loadState(state: PitState): void {
    this.#counters = newCounters();
    for (const [index, counter] of this.#counters.entries()) {
      const saved = state.counters[index];
      if (saved !== undefined) counter.state = { ...saved, initial: Math.max(1, saved.initial) };
    }
    this.#silenced = state.silenced;
    this.#follow();
  }

  get #nowNs(): number {
    return this.context.clocks.virtual.nowNs();
  }

  #write(offset: number, value: number): void {
    if (offset < 3) this.#counters[offset]!.write(value, this.#nowNs);
    else if (value >> 6 < 3) this.#counters[value >> 6]!.control(value, this.#nowNs);
    else this.#readBack(value);
    this.#follow();
  }

  #readBack(value: number): void {
    for (const [index, counter] of this.#counters.entries()) {
      if ((value & (2 << index)) === 0) continue;
      if ((value & 0x20) === 0) counter.latchCount(this.#nowNs);
      if ((value & 0x10) === 0) counter.latchStatus(this.#nowNs);
    }
  }

  #setSilenced(silenced: boolean): void {
    this.#silenced = silenced;
    this.#follow();
  }

  /**
   * Drives interrupt 0 as counter 0 said at `atNs` and waits for its next change. Where timers come late, changes that
   * are past are followed one by one: a low output of one tick is an edge all the same.
   */
  #follow(atNs = this.#nowNs): void {
    const counter = this.#counters[0]!;
    if (this.#silenced) {
      this.#timer.cancel();
      return;
    }
    const nowNs = this.#nowNs;
    this.#irq.set(counter.output(atNs));
    const fromNs = nowNs - atNs > LONGEST_LAG_NS ? nowNs : atNs;
    // What is passed over ends in an edge too: a strobe (mode 4) has none after it that would make up for its own.
    if (fromNs !== atNs) this.#irq.set(counter.output(fromNs));
    let changeNs = counter.nextChangeNs(fromNs);
    if (changeNs !== undefined && changeNs <= nowNs) {
      this.#irq.set(counter.output(changeNs));
      changeNs = counter.nextChangeNs(changeNs);
    }
    this.#changeNs = changeNs;
    this.#timer.set(changeNs === undefined ? undefined : Math.max(changeNs, nowNs + SHORTEST_WAIT_NS));
  }
}

function newCounters(): PitCounter[] {
  return [new PitCounter(1), new PitCounter(1), new PitCounter(0)];
}

/** `isa-pit`. */
export const isaPit = {
  name: "isa-pit",
  busType: "ISA",
  category: "Uncategorized",
  userCreatable: false,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new Pit8254(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
