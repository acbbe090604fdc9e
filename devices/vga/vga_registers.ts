/**
 * The registers of a VGA behind ports 3B4 to 3DF: miscellaneous output, sequencer, graphics controller, attribute
 * controller, CRTC and DAC. What they do to memory and screen is elsewhere.
 *
 * Vertical retrace is not timed: each look at the status says the opposite of the one before, which is what guests wait
 * for. Left out: the DAC's pixel mask (reads 0), sense switches.
 *
 * Source: [IBM VGA] "VGA Function", "VGA Registers"; values at rest and masks as QEMU 7.2 has them.
 *
 * @module
 */

export interface VgaRegisterState {
  misc: number;
  feature: number;
  status1: number;
  sequencerIndex: number;
  sequencer: Uint8Array;
  graphicsIndex: number;
  graphics: Uint8Array;
  attributeIndex: number;
  /** Whether the next write to 3C0 is data. */
  attributeData: boolean;
  attribute: Uint8Array;
  crtcIndex: number;
  crtc: Uint8Array;
  dacState: number;
  dacReadIndex: number;
  dacWriteIndex: number;
  /** Which of red, green and blue comes next. */
  dacPart: number;
  dacCache: Uint8Array;
  palette: Uint8Array;
}

const SEQUENCER_MASKS = [0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0x00, 0x00, 0xff];
const GRAPHICS_MASKS = [0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff];
const ATTRIBUTES = 21;
/** Vertical retrace and display disabled. */
const RETRACE = 0x09;
/** Colour addresses: 3D4, 3D5, 3DA. */
const MISC_COLOUR = 0x01;
const CRTC_PROTECT = 0x80;

/** The register file. `changed` is called when something may look different, `mapped` when memory may. */
export class VgaRegisters {
  #state = initialState();
  readonly #mapped: () => void;

  constructor(mapped: () => void) {
    this.#mapped = mapped;
  }

  get state(): VgaRegisterState {
    return this.#state;
  }

  /** The display is switched on: attribute index bit 5. */
  get isVisible(): boolean {
    return (this.#state.attributeIndex & 0x20) !== 0;
  }

  reset(): void {
    this.#state = initialState();
    this.#mapped();
  }

  save(): VgaRegisterState {
    return structuredClone(this.#state);
  }

  load(state: VgaRegisterState): void {
    this.#state = structuredClone(state);
    this.#mapped();
  }

  /** Reads port 3B0 to 3DF. */
  read(port: number): number {
    const state = this.#state;
    if (this.#isElsewhere(port)) return 0xff;
    switch (port) {
      case 0x3c0:
        return state.attributeData ? 0 : state.attributeIndex;
      case 0x3c1: {
        const index = state.attributeIndex & 0x1f;
        return index < ATTRIBUTES ? state.attribute[index]! : 0;
      }
      case 0x3c4:
        return state.sequencerIndex;
      case 0x3c5:
        return state.sequencer[state.sequencerIndex]!;
      case 0x3c7:
        return state.dacState;
      case 0x3c8:
        return state.dacWriteIndex;
      case 0x3c9:
        return this.#readDac();
      case 0x3ca:
        return state.feature;
      case 0x3cc:
        return state.misc;
      case 0x3ce:
        return state.graphicsIndex;
      case 0x3cf:
        return state.graphics[state.graphicsIndex]!;
      case 0x3b4:
      case 0x3d4:
        return state.crtcIndex;
      case 0x3b5:
      case 0x3d5:
        return state.crtc[state.crtcIndex]!;
      case 0x3ba:
      case 0x3da:
        state.attributeData = false;
        return state.status1 ^= RETRACE;
      default:
        return 0;
    }
  }

  /** Writes port 3B0 to 3DF; `value` is a byte. */
  write(port: number, value: number): void {
    const state = this.#state;
    if (this.#isElsewhere(port)) return;
    switch (port) {
      case 0x3c0:
        return this.#writeAttribute(value);
      case 0x3c2:
        state.misc = value & ~0x10;
        return;
      case 0x3c4:
        state.sequencerIndex = value & 7;
        return;
      case 0x3c5:
        state.sequencer[state.sequencerIndex] = value & SEQUENCER_MASKS[state.sequencerIndex]!;
        return this.#mapped();
      case 0x3c7:
        state.dacReadIndex = value;
        state.dacPart = 0;
        state.dacState = 3;
        return;
      case 0x3c8:
        state.dacWriteIndex = value;
        state.dacPart = 0;
        state.dacState = 0;
        return;
      case 0x3c9:
        return this.#writeDac(value);
      case 0x3ce:
        state.graphicsIndex = value & 0x0f;
        return;
      case 0x3cf:
        state.graphics[state.graphicsIndex] = value & (GRAPHICS_MASKS[state.graphicsIndex] ?? 0);
        return this.#mapped();
      case 0x3b4:
      case 0x3d4:
        state.crtcIndex = value;
        return;
      case 0x3b5:
      case 0x3d5:
        return this.#writeCrtc(value);
      case 0x3ba:
      case 0x3da:
        state.feature = value & 0x10;
    }
  }

  /** Ports of a colour display are silent on a monochrome one, and the other way round. */
  #isElsewhere(port: number): boolean {
    const isColour = (this.#state.misc & MISC_COLOUR) !== 0;
    return isColour ? port >= 0x3b0 && port <= 0x3bf : port >= 0x3d0 && port <= 0x3df;
  }

  #writeAttribute(value: number): void {
    const state = this.#state;
    const isData = state.attributeData;
    state.attributeData = !isData;
    if (!isData) {
      state.attributeIndex = value & 0x3f;
      return;
    }
    const index = state.attributeIndex & 0x1f;
    if (index < 0x10) state.attribute[index] = value & 0x3f;
    else if (index === 0x10) state.attribute[index] = value & ~0x10;
    else if (index === 0x11) state.attribute[index] = value;
    else if (index === 0x12) state.attribute[index] = value & ~0xc0;
    else if (index < ATTRIBUTES) state.attribute[index] = value & ~0xf0;
  }

  #writeCrtc(value: number): void {
    const { crtc, crtcIndex } = this.#state;
    if ((crtc[0x11]! & CRTC_PROTECT) !== 0 && crtcIndex <= 7) {
      // Only the line compare bit of the overflow register is free.
      if (crtcIndex === 7) crtc[7] = (crtc[7]! & ~0x10) | (value & 0x10);
      return;
    }
    crtc[crtcIndex] = value;
  }

  #readDac(): number {
    const state = this.#state;
    const value = state.palette[state.dacReadIndex * 3 + state.dacPart]!;
    if (++state.dacPart === 3) {
      state.dacPart = 0;
      state.dacReadIndex = (state.dacReadIndex + 1) & 0xff;
    }
    return value;
  }

  #writeDac(value: number): void {
    const state = this.#state;
    state.dacCache[state.dacPart] = value;
    if (++state.dacPart < 3) return;
    state.palette.set(state.dacCache, state.dacWriteIndex * 3);
    state.dacPart = 0;
    state.dacWriteIndex = (state.dacWriteIndex + 1) & 0xff;
  }
}

function initialState(): VgaRegisterState {
  return {
    misc: 0,
    feature: 0,
    status1: 0,
    sequencerIndex: 0,
    sequencer: new Uint8Array(8),
    graphicsIndex: 0,
    graphics: new Uint8Array(16),
    attributeIndex: 0,
    attributeData: false,
    attribute: new Uint8Array(ATTRIBUTES),
    crtcIndex: 0,
    crtc: new Uint8Array(256),
    dacState: 0,
    dacReadIndex: 0,
    dacWriteIndex: 0,
    dacPart: 0,
    dacCache: new Uint8Array(3),
    palette: new Uint8Array(768),
  };
}
