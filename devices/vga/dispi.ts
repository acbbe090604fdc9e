/**
 * The Bochs display interface: an index at port 1CE and data at 1CF (also 1D0), for modes beyond VGA.
 *
 * Source: [Bochs VBE] "VBE Display Bios extension"; QEMU's docs/specs/standard-vga.rst.
 *
 * @module
 */

export const DISPI_ENABLED = 0x01;
const DISPI_GET_CAPABILITIES = 0x02;
const DISPI_8BIT_DAC = 0x20;
const DISPI_NO_CLEAR = 0x80;

const ID = 0;
const X = 1;
const Y = 2;
const BITS = 3;
const ENABLE = 4;
const BANK = 5;
const VIRTUAL_WIDTH = 6;
const VIRTUAL_HEIGHT = 7;
const X_OFFSET = 8;
const Y_OFFSET = 9;
const VIDEO_MEMORY = 10;
const COUNT = 10;

const ID_NEWEST = 0xb0c5;
const ID_OLDEST = 0xb0c0;
const MAX_X = 16000;
const MAX_Y = 12000;
const MAX_BITS = 32;
const BANK_BYTES = 0x10000;

export interface DispiState {
  index: number;
  registers: Uint16Array;
}

/** What the interface sets up. */
export interface DispiMode {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  /** Bytes from one line to the next; of each plane where there are four bits. */
  readonly lineBytes: number;
  /** Byte of memory that is shown first. */
  readonly startByte: number;
}

/** What it does to the chip. */
export interface DispiEffects {
  bank(offsetBytes: number): void;
  /** A mode begins or changes, or (`undefined`) ends; with `clear` memory becomes black. */
  changed(mode: DispiMode | undefined, clear: boolean): void;
}

/** The interface. */
export class Dispi {
  readonly #memoryBytes: number;
  readonly #effects: DispiEffects;
  #state: DispiState = initialState();

  constructor(memoryBytes: number, effects: DispiEffects) {
    this.#memoryBytes = memoryBytes;
    this.#effects = effects;
  }

  /** The mode, while one is enabled. */
  get mode(): DispiMode | undefined {
    return (this.#state.registers[ENABLE]! & DISPI_ENABLED) === 0 ? undefined : this.#mode();
  }

  /** Palette entries have eight bits instead of six. */
  get isDac8Bit(): boolean {
    return (this.#state.registers[ENABLE]! & DISPI_8BIT_DAC) !== 0;
  }

  get index(): number {
    return this.#state.index;
  }

  set index(value: number) {
    this.#state.index = value;
  }

  reset(): void {
    this.#state = initialState();
    this.#effects.bank(0);
    this.#effects.changed(undefined, false);
  }

  save(): DispiState {
    return structuredClone(this.#state);
  }

  load(state: DispiState): void {
    this.#state = structuredClone(state);
    this.#effects.bank(this.#state.registers[BANK]! * BANK_BYTES);
  }

  read(index: number): number {
    const { registers } = this.#state;
    if (index === VIDEO_MEMORY) return this.#memoryBytes / BANK_BYTES;
    if ((registers[ENABLE]! & DISPI_GET_CAPABILITIES) !== 0) {
      if (index === X) return MAX_X;
      if (index === Y) return MAX_Y;
      if (index === BITS) return MAX_BITS;
    }
    return registers[index] ?? 0;
  }

  write(index: number, value: number): void {
    const { registers } = this.#state;
    switch (index) {
      case ID:
        if (value >= ID_OLDEST && value <= ID_NEWEST) registers[ID] = value;
        return;
      case X:
      case Y:
      case BITS:
      case VIRTUAL_WIDTH:
      case X_OFFSET:
      case Y_OFFSET:
        registers[index] = value;
        if (this.mode === undefined) return;
        this.#settle();
        this.#effects.changed(this.#mode(), false);
        return;
      case BANK: {
        // Planes of four bits share an address.
        const mask = (registers[BITS] === 4 ? this.#memoryBytes / 4 : this.#memoryBytes) / BANK_BYTES - 1;
        registers[BANK] = value & mask;
        this.#effects.bank(registers[BANK]! * BANK_BYTES);
        return;
      }
      case ENABLE:
        this.#enable(value);
    }
  }

  #enable(value: number): void {
    const { registers } = this.#state;
    const starts = (value & DISPI_ENABLED) !== 0 && (registers[ENABLE]! & DISPI_ENABLED) === 0;
    if (starts) {
      registers[VIRTUAL_WIDTH] = 0;
      registers[X_OFFSET] = 0;
      registers[Y_OFFSET] = 0;
      this.#settle();
    }
    registers[ENABLE] = value;
    this.#effects.bank(0);
    if ((value & DISPI_ENABLED) === 0) this.#effects.changed(undefined, false);
    else if (starts) this.#effects.changed(this.#mode(), (value & DISPI_NO_CLEAR) === 0);
  }

  /** Whatever was asked for becomes something that memory has room for. */
  #settle(): void {
    const { registers } = this.#state;
    const bits = [4, 8, 15, 16, 24, 32].includes(registers[BITS]!) ? registers[BITS]! : 8;
    registers[BITS] = bits;
    const width = Math.max(8, Math.min(registers[X]!, MAX_X) & ~7);
    registers[X] = width;
    registers[VIRTUAL_WIDTH] = Math.max(width, Math.min(registers[VIRTUAL_WIDTH]!, MAX_X) & ~7);
    const memory = bits === 4 ? this.#memoryBytes / 4 : this.#memoryBytes;
    const lines = Math.floor(memory / this.#lineBytes());
    registers[Y] = Math.max(1, Math.min(registers[Y]!, MAX_Y, lines));
    registers[VIRTUAL_HEIGHT] = Math.min(lines, 0xffff);
    if (registers[X_OFFSET]! + width > registers[VIRTUAL_WIDTH]!) registers[X_OFFSET] = 0;
    if (registers[Y_OFFSET]! + registers[Y]! > lines) registers[Y_OFFSET] = 0;
  }

  #lineBytes(): number {
    const { registers } = this.#state;
    const bits = registers[BITS]!;
    return bits === 4 ? registers[VIRTUAL_WIDTH]! >> 3 : registers[VIRTUAL_WIDTH]! * ((bits + 7) >> 3);
  }

  #mode(): DispiMode {
    const { registers } = this.#state;
    const bits = registers[BITS]!;
    const lineBytes = this.#lineBytes();
    const xBytes = bits === 4 ? registers[X_OFFSET]! >> 3 : registers[X_OFFSET]! * ((bits + 7) >> 3);
    const start = registers[Y_OFFSET]! * lineBytes + xBytes;
    return { width: registers[X]!, height: registers[Y]!, bits, lineBytes, startByte: bits === 4 ? start * 4 : start };
  }
}

function initialState(): DispiState {
  const registers = new Uint16Array(COUNT);
  registers[ID] = ID_NEWEST;
  return { index: 0, registers };
}
