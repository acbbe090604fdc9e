/**
 * The 8259A interrupt controller as PIIX3 has two of them, the second behind input 2 of the first.
 *
 * A request that is set and not masked raises the output while no request of the same or a higher priority is in
 * service. The acknowledge cycle of the CPU turns it into a vector. Which inputs are level-triggered says the ELCR of
 * PIIX3; the LTIM bit of ICW1 has no effect there.
 *
 * Left out: MCS-80 mode and buffered mode, which a PC cannot use.
 *
 * Source: [8259A] "Programming the 8259A" (ICW1-4, OCW1-3); [PIIX3] 2.5.3 for the ELCR.
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  IsaDevice,
  MemoryRegion,
  type OutputPin,
  prop,
  type PropertyValues,
} from "../bus/mod.ts";

const PROPERTIES = {
  "iobase": prop.uint32(0xffff_ffff),
  "elcr_addr": prop.uint32(0xffff_ffff),
  "elcr_mask": prop.uint8(0xff),
  "master": prop.bool(false, { description: "on/off" }),
};

/** What the controller remembers; eight-bit registers have a bit for each input. */
export interface PicState {
  /** Levels that the inputs had last. */
  lines: number;
  /** Interrupt request register. */
  irr: number;
  /** Interrupt mask register. */
  imr: number;
  /** In-service register. */
  isr: number;
  /** The input of the highest priority. */
  highest: number;
  /** The five upper bits of the vectors, from ICW2. */
  vectorBase: number;
  /** Whether reads of the first port show the ISR. */
  readIsr: boolean;
  /** Whether the next read is a poll. */
  poll: boolean;
  specialMask: boolean;
  /** 0 when initialized; else the number of the next ICW, 2 to 4. */
  nextIcw: number;
  wantsIcw4: boolean;
  single: boolean;
  autoEoi: boolean;
  rotateOnAutoEoi: boolean;
  specialFullyNested: boolean;
  /** Inputs that are level-triggered. */
  elcr: number;
}

const NONE = 8;
const CASCADE_INPUT = 2;

/** One 8259A with its ELCR. Input 0 to 7 are the request lines, output 0 is INT. */
export class Pic8259 extends IsaDevice<typeof PROPERTIES, PicState> {
  /** The second controller; the board sets it on the first. */
  cascade: Pic8259 | undefined;
  readonly #int: OutputPin;
  #state = initialState();

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(isaI8259, context, values, options);
    this.addInputs("", 8, (index, level) => this.#request(index, level));
    this.#int = this.addOutputs("", 1)[0]!;
  }

  /** The registers, as they stand. */
  get state(): Readonly<PicState> {
    return this.#state;
  }

  /** The CPU's acknowledge cycle, on the first controller: the vector of the interrupt that is now in service. */
  acknowledge(): number {
    const input = this.#pending();
    if (input === NONE) return this.#state.vectorBase + 7;
    const { cascade } = this;
    let vector = this.#state.vectorBase + input;
    if (input === CASCADE_INPUT && cascade !== undefined) {
      const behind = cascade.#pending();
      if (behind !== NONE) cascade.#accept(behind);
      vector = cascade.#state.vectorBase + (behind === NONE ? 7 : behind);
    }
    this.#accept(input);
    return vector;
  }

  protected override onRealize(): void {
    const { iobase, elcr_addr } = this.properties;
    const registers = MemoryRegion.io("pic", 2, {
      read: (offset) => this.#read(offset),
      write: (offset, _size, value) => offset === 0 ? this.#writeFirst(value) : this.#writeSecond(value),
      accessSizes: { min: 1, max: 1 },
    });
    const elcr = MemoryRegion.io("elcr", 1, {
      read: () => this.#state.elcr,
      write: (_offset, _size, value) => {
        this.#state.elcr = value & this.properties.elcr_mask;
      },
      accessSizes: { min: 1, max: 1 },
    });
    this.claimPorts(registers, iobase);
    if (elcr_addr <= 0xffff) this.claimPorts(elcr, elcr_addr);
  }

  protected override onReset(): void {
    this.#state = initialState();
    this.#drive();
  }

  protected override saveState(): PicState {
    return { ...this.#state };
  }

  protected override loadState(state: PicState): void {
    this.#state = { ...state };
    this.#drive();
  }

  #request(input: number, level: 0 | 1): void {
    const state = this.#state;
    const bit = 1 << input;
    if ((state.elcr & bit) !== 0) {
      state.irr = level === 1 ? state.irr | bit : state.irr & ~bit;
    } else if (level === 1 && (state.lines & bit) === 0) state.irr |= bit;
    state.lines = level === 1 ? state.lines | bit : state.lines & ~bit;
    this.#drive();
  }

  /** How far down the order of priorities the first set bit of `bits` is; {@link NONE} where there is none. */
  #rank(bits: number): number {
    for (let rank = 0; rank < 8; rank++) {
      if ((bits & (1 << ((rank + this.#state.highest) & 7))) !== 0) return rank;
    }
    return NONE;
  }

  /** The input whose request may be served now. */
  #pending(): number {
    const { irr, imr, isr, specialMask, specialFullyNested, highest } = this.#state;
    const rank = this.#rank(irr & ~imr);
    if (rank === NONE) return NONE;
    let blocking = specialMask ? isr & ~imr : isr;
    if (specialFullyNested && this.properties.master) blocking &= ~(1 << CASCADE_INPUT);
    return rank < this.#rank(blocking) ? (rank + highest) & 7 : NONE;
  }

  #accept(input: number): void {
    const state = this.#state;
    const bit = 1 << input;
    if (!state.autoEoi) state.isr |= bit;
    else if (state.rotateOnAutoEoi) state.highest = (input + 1) & 7;
    if ((state.elcr & bit) === 0) state.irr &= ~bit;
    this.#drive();
  }

  #drive(): void {
    this.#int.set(this.#pending() === NONE ? 0 : 1);
  }

  #read(offset: number): number {
    const state = this.#state;
    if (!state.poll) return offset === 1 ? state.imr : state.readIsr ? state.isr : state.irr;
    state.poll = false;
    const input = this.#pending();
    if (input === NONE) return 0;
    this.#accept(input);
    return 0x80 | input;
  }

  #writeFirst(value: number): void {
    if ((value & 0x10) !== 0) this.#writeIcw1(value);
    else if ((value & 0x08) !== 0) this.#writeOcw3(value);
    else this.#writeOcw2(value);
    this.#drive();
  }

  #writeIcw1(value: number): void {
    const { elcr, irr } = this.#state;
    // Edges are forgotten; a level-triggered input asks on.
    this.#state = {
      ...initialState(),
      elcr,
      irr: irr & elcr,
      nextIcw: 2,
      wantsIcw4: (value & 1) !== 0,
      single: (value & 2) !== 0,
    };
  }

  #writeOcw2(value: number): void {
    const state = this.#state;
    const rotate = (value & 0x80) !== 0;
    const specific = (value & 0x40) !== 0;
    const endOfInterrupt = (value & 0x20) !== 0;
    if (!endOfInterrupt) {
      if (!specific) state.rotateOnAutoEoi = rotate;
      else if (rotate) state.highest = (value + 1) & 7;
      return;
    }
    const rank = this.#rank(state.isr);
    if (!specific && rank === NONE) return;
    const input = specific ? value & 7 : (rank + state.highest) & 7;
    state.isr &= ~(1 << input);
    if (rotate) state.highest = (input + 1) & 7;
  }

  #writeOcw3(value: number): void {
    const state = this.#state;
    if ((value & 0x04) !== 0) state.poll = true;
    if ((value & 0x02) !== 0) state.readIsr = (value & 0x01) !== 0;
    if ((value & 0x40) !== 0) state.specialMask = (value & 0x20) !== 0;
  }

  #writeSecond(value: number): void {
    const state = this.#state;
    switch (state.nextIcw) {
      case 2:
        state.vectorBase = value & 0xf8;
        state.nextIcw = !state.single ? 3 : state.wantsIcw4 ? 4 : 0;
        break;
      case 3:
        state.nextIcw = state.wantsIcw4 ? 4 : 0;
        break;
      case 4:
        state.specialFullyNested = (value & 0x10) !== 0;
        state.autoEoi = (value & 0x02) !== 0;
        state.nextIcw = 0;
        break;
      default:
        state.imr = value;
        this.#drive();
    }
  }
}

function initialState(): PicState {
  return {
    lines: 0,
    irr: 0,
    imr: 0,
    isr: 0,
    highest: 0,
    vectorBase: 0,
    readIsr: false,
    poll: false,
    specialMask: false,
    nextIcw: 0,
    wantsIcw4: false,
    single: false,
    autoEoi: false,
    rotateOnAutoEoi: false,
    specialFullyNested: false,
    elcr: 0,
  };
}

/** `isa-i8259`. */
export const isaI8259 = {
  name: "isa-i8259",
  busType: "ISA",
  category: "Uncategorized",
  userCreatable: false,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new Pic8259(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
