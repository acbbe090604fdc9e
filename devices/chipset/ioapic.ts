/**
 * The I/O APIC 82093AA: 24 inputs, each with an entry that says where and how its interrupt is delivered.
 *
 * Where messages go is up to the CPU; without one they are counted and kept pending as they are on a real bus.
 *
 * Source: [82093AA] 3.0 "Register Description"; the EOI register is that of version 20h.
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  MemoryRegion,
  prop,
  type PropertyValues,
  SystemBusDevice,
} from "../bus/mod.ts";

const PROPERTIES = { "version": prop.uint8(0x20) };

const INPUTS = 24;
/** ISA interrupt 0 arrives at input 2. */
const TIMER_INPUT = 2;
const LEVEL = 0x8000;
const MASKED = 0x1_0000;
const REMOTE_IRR = 0x4000;
const PENDING = 0x1000;
const READ_ONLY = REMOTE_IRR | PENDING;

/** An interrupt on its way to the CPUs. */
export interface ApicMessage {
  readonly destination: number;
  readonly destinationMode: "physical" | "logical";
  /** 0 fixed, 1 lowest priority, 2 SMI, 4 NMI, 5 INIT, 7 ExtINT. */
  readonly deliveryMode: number;
  readonly vector: number;
  readonly triggerMode: "edge" | "level";
}

export interface IoApicState {
  id: number;
  select: number;
  /** Inputs that ask. */
  requests: number;
  /** Redirection entries, low and high words. */
  low: Uint32Array;
  high: Uint32Array;
}

/** The chip. Inputs 0 to 23 are its interrupt lines. */
export class IoApic extends SystemBusDevice<typeof PROPERTIES, IoApicState> {
  /** Takes messages; the board sets it where a CPU has a local APIC. */
  deliver: ((message: ApicMessage) => void) | undefined;
  #state = initialState();

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(ioapic, context, values, options);
    this.addInputs("", INPUTS, (index, level) => this.#request(index === 0 ? TIMER_INPUT : index, level));
    this.mmio.push(MemoryRegion.io("ioapic", 0x1000, {
      read: (offset) => this.#read(offset & 0xff),
      write: (offset, _size, value) => this.#write(offset & 0xff, value),
    }));
  }

  /** The registers, as they stand. */
  get state(): Readonly<IoApicState> {
    return this.#state;
  }

  /** The CPU has ended the interrupt with `vector`. */
  endOfInterrupt(vector: number): void {
    for (let input = 0; input < INPUTS; input++) {
      const low = this.#state.low[input]!;
      if ((low & 0xff) !== vector || (low & LEVEL) === 0) continue;
      this.#state.low[input] = low & ~REMOTE_IRR;
    }
    this.#serve();
  }

  protected override onReset(): void {
    this.#state = initialState();
  }

  protected override saveState(): IoApicState {
    return structuredClone(this.#state);
  }

  protected override loadState(state: IoApicState): void {
    this.#state = structuredClone(state);
  }

  #request(input: number, level: 0 | 1): void {
    const state = this.#state;
    const bit = 2 ** input;
    const low = state.low[input]!;
    if (level === 1) {
      // A masked edge is lost.
      if ((low & LEVEL) === 0 && (low & MASKED) !== 0) return;
      state.requests |= bit;
      this.#serve();
    } else if ((low & LEVEL) !== 0) state.requests &= ~bit;
  }

  #serve(): void {
    const state = this.#state;
    for (let input = 0; input < INPUTS; input++) {
      const bit = 2 ** input;
      const low = state.low[input]!;
      if ((state.requests & bit) === 0 || (low & MASKED) !== 0) continue;
      if ((low & LEVEL) === 0) state.requests &= ~bit;
      else if ((low & REMOTE_IRR) !== 0) continue;
      else state.low[input] = low | REMOTE_IRR;
      this.deliver?.({
        destination: state.high[input]! >>> 24,
        destinationMode: (low & 0x800) === 0 ? "physical" : "logical",
        deliveryMode: (low >> 8) & 7,
        vector: low & 0xff,
        triggerMode: (low & LEVEL) === 0 ? "edge" : "level",
      });
    }
  }

  #read(offset: number): number {
    const { select } = this.#state;
    if (offset === 0x00) return select;
    if (offset !== 0x10) return 0;
    switch (select) {
      case 0x00:
      case 0x02:
        return (this.#state.id << 24) >>> 0;
      case 0x01:
        return this.properties.version | ((INPUTS - 1) << 16);
      default: {
        const entry = (select - 0x10) >> 1;
        return (select < 0x10 ? undefined : (select & 1) === 0 ? this.#state.low[entry] : this.#state.high[entry]) ?? 0;
      }
    }
  }

  #write(offset: number, value: number): void {
    if (offset === 0x00) this.#state.select = value & 0xff;
    else if (offset === 0x10) this.#writeRegister(value);
    else if (offset === 0x40 && this.properties.version >= 0x20) this.endOfInterrupt(value & 0xff);
  }

  #writeRegister(value: number): void {
    const state = this.#state;
    if (state.select === 0x00) state.id = (value >>> 24) & 0x0f;
    const entry = (state.select - 0x10) >> 1;
    if (state.select < 0x10 || entry >= INPUTS) return;
    if ((state.select & 1) === 1) state.high[entry] = value;
    else {
      const kept = state.low[entry]! & READ_ONLY;
      let low = (value & ~READ_ONLY & 0x1_ffff) | kept;
      if ((low & LEVEL) === 0) low &= ~REMOTE_IRR;
      state.low[entry] = low;
    }
    this.#serve();
  }
}

function initialState(): IoApicState {
  return {
    id: 0,
    select: 0,
    requests: 0,
    low: new Uint32Array(INPUTS).fill(MASKED),
    high: new Uint32Array(INPUTS),
  };
}

/** `ioapic`. */
export const ioapic = {
  name: "ioapic",
  busType: "System",
  category: "Uncategorized",
  userCreatable: false,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new IoApic(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
