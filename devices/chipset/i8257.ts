/**
 * The DMA controllers of a PC, two 8237A in PIIX3: channels 0 to 3 by bytes, 5 to 7 by words.
 *
 * A device asks with `request` and moves its bytes with `transfer`; the controller says where in memory they go. Page
 * registers hold address bits 16 to 23, which do not take part in counting.
 *
 * Left out: memory-to-memory, cascade timing and priorities, which no transfer of whole blocks can show.
 *
 * Source: [8237A] "Register Description", "Software Commands"; [PIIX3] 2.4 "DMA Register Description".
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  IsaDevice,
  type IsaDma,
  MemoryRegion,
  prop,
  type PropertyValues,
} from "../bus/mod.ts";

const PROPERTIES = {
  "base": prop.int32(0),
  "page-base": prop.int32(0x80),
  "pageh-base": prop.int32(0x480),
  "dshift": prop.int32(0),
};

/** One channel. Addresses and counts are in units of the channel: bytes or words. */
export interface DmaChannelState {
  baseAddress: number;
  baseCount: number;
  address: number;
  /** Units still to move, less one; 0xffff after the last. */
  count: number;
  mode: number;
  page: number;
}

export interface DmaState {
  channels: DmaChannelState[];
  command: number;
  mask: number;
  /** Terminal counts in bits 0-3, requests in bits 4-7. */
  status: number;
  highByteNext: boolean;
}

/** Which channel a page register belongs to, by its offset from 80 or 88. */
const PAGE_OF_OFFSET: readonly (number | undefined)[] = [undefined, 2, 3, 1, undefined, undefined, undefined, 0];

const DISABLED = 0x04;
const AUTO_INITIALIZE = 0x10;
const DECREMENT = 0x20;
const MODE_WRITE = 0x04;
const MODE_READ = 0x08;

/** One controller of four channels. */
export class Dma8237 extends IsaDevice<typeof PROPERTIES, DmaState> implements IsaDma {
  readonly #servants: ((() => void) | undefined)[] = new Array(4).fill(undefined);
  #state = initialState();

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(i8257, context, values, options);
  }

  /** The registers, as they stand. */
  get state(): Readonly<DmaState> {
    return this.#state;
  }

  serve(channel: number, moves: () => void): void {
    this.#servants[channel & 3] = moves;
  }

  isReady(channel: number): boolean {
    return (this.#state.command & DISABLED) === 0 && (this.#state.mask & (1 << (channel & 3))) === 0;
  }

  remainingBytes(channel: number): number {
    return ((this.#channel(channel).count + 1) & 0xffff || 0x1_0000) << this.properties.dshift;
  }

  request(channel: number, level: 0 | 1): void {
    const bit = 0x10 << (channel & 3);
    this.#state.status = level === 1 ? this.#state.status | bit : this.#state.status & ~bit;
  }

  transfer(channel: number, buffer: Uint8Array, direction: "to-memory" | "from-memory"): number {
    const number = channel & 3;
    const state = this.#channel(number);
    if (!this.isReady(number)) return 0;
    const unitBytes = 1 << this.properties.dshift;
    const kind = state.mode & 0x0c;
    const length = Math.min(buffer.length - buffer.length % unitBytes, this.remainingBytes(number));
    // Verify transfers count and move nothing.
    const moves = kind === (direction === "to-memory" ? MODE_WRITE : MODE_READ);
    if (kind !== 0 && !moves) return 0;
    for (let at = 0; at < length;) {
      const part = (state.mode & DECREMENT) === 0
        ? Math.min(length - at, (0x1_0000 - state.address) * unitBytes)
        : unitBytes;
      if (moves) this.#move(this.#memoryAddress(state), buffer.subarray(at, at + part), direction);
      const units = part / unitBytes;
      state.address = (state.address + ((state.mode & DECREMENT) === 0 ? units : -units)) & 0xffff;
      at += part;
    }
    this.#advance(number, length / unitBytes);
    return length;
  }

  protected override onRealize(): void {
    const { base, dshift } = this.properties;
    const byte = { min: 1, max: 1 };
    const channels = MemoryRegion.io("dma-chan", 8 << dshift, {
      read: (offset) => this.#readChannel(offset >> dshift),
      write: (offset, _size, value) => this.#writeChannel(offset >> dshift, value),
      accessSizes: byte,
    });
    const control = MemoryRegion.io("dma-cont", 8 << dshift, {
      read: (offset) => this.#readControl(offset >> dshift),
      write: (offset, _size, value) => this.#writeControl(offset >> dshift, value),
      accessSizes: byte,
    });
    this.claimPorts(channels, base);
    this.#claimPages(this.properties["page-base"] + 1, 1, 3);
    this.#claimPages(this.properties["page-base"] + 7, 7, 1);
    this.claimPorts(control, base + (8 << dshift));
    this.isa.dma[dshift === 0 ? 0 : 1] = this;
  }

  protected override onReset(): void {
    const { channels } = this.#state;
    // A master clear leaves addresses, counts and modes alone; nobody may rely on them.
    this.#state = { ...initialState(), channels };
  }

  protected override saveState(): DmaState {
    return structuredClone(this.#state);
  }

  protected override loadState(state: DmaState): void {
    const channels = initialState().channels.map((fresh, index) => ({ ...fresh, ...state.channels[index] }));
    this.#state = { ...state, channels };
  }

  #channel(number: number): DmaChannelState {
    return this.#state.channels[number & 3]!;
  }

  #claimPages(port: number, firstOffset: number, count: number): void {
    const region = MemoryRegion.io("dma-page", count, {
      read: (offset) => this.#channel(PAGE_OF_OFFSET[firstOffset + offset]!).page,
      write: (offset, _size, value) => {
        this.#channel(PAGE_OF_OFFSET[firstOffset + offset]!).page = value;
      },
      accessSizes: { min: 1, max: 1 },
    });
    this.claimPorts(region, port);
  }

  #memoryAddress({ page, address }: DmaChannelState): number {
    return this.properties.dshift === 0 ? page * 0x1_0000 + address : (page & 0xfe) * 0x1_0000 + address * 2;
  }

  #move(address: number, bytes: Uint8Array, direction: "to-memory" | "from-memory"): void {
    if (direction === "to-memory") this.context.ram.write(address, bytes);
    else this.context.ram.read(address, bytes);
  }

  /** Counts `units` that have been moved; at the terminal count the channel stops or begins again. */
  #advance(number: number, units: number): void {
    const state = this.#channel(number);
    const before = state.count + 1;
    state.count = (state.count - units) & 0xffff;
    if (units < before) return;
    this.#state.status |= 1 << number;
    if ((state.mode & AUTO_INITIALIZE) !== 0) {
      state.address = state.baseAddress;
      state.count = state.baseCount;
    } else this.#state.mask |= 1 << number;
  }

  #readChannel(register: number): number {
    const state = this.#channel(register >> 1);
    const value = (register & 1) === 0 ? state.address : state.count;
    const high = this.#flip();
    return high ? value >> 8 : value & 0xff;
  }

  #writeChannel(register: number, value: number): void {
    const state = this.#channel(register >> 1);
    const high = this.#flip();
    const merge = (old: number) => high ? (old & 0x00ff) | (value << 8) : (old & 0xff00) | value;
    if ((register & 1) === 0) state.address = state.baseAddress = merge(state.baseAddress);
    else state.count = state.baseCount = merge(state.baseCount);
  }

  #flip(): boolean {
    const high = this.#state.highByteNext;
    this.#state.highByteNext = !high;
    return high;
  }

  #readControl(register: number): number {
    const state = this.#state;
    if (register === 1) return state.mask;
    if (register !== 0) return 0;
    const status = state.status;
    state.status &= 0xf0;
    return status;
  }

  #writeControl(register: number, value: number): void {
    const state = this.#state;
    const channel = value & 3;
    switch (register) {
      case 0:
        state.command = value;
        break;
      case 1: // software request
        this.request(channel, (value & 4) === 0 ? 0 : 1);
        break;
      case 2:
        state.mask = (value & 4) === 0 ? state.mask & ~(1 << channel) : state.mask | (1 << channel);
        break;
      case 3:
        this.#channel(channel).mode = value;
        break;
      case 4:
        state.highByteNext = false;
        break;
      case 5:
        this.onReset();
        break;
      case 6:
        state.mask = 0;
        break;
      case 7:
        state.mask = value;
    }
    this.#serveRequests();
  }

  /** Whoever has asked and may move data now does. */
  #serveRequests(): void {
    for (let channel = 0; channel < 4; channel++) {
      if ((this.#state.status & (0x10 << channel)) !== 0 && this.isReady(channel)) this.#servants[channel]?.();
    }
  }
}

function initialState(): DmaState {
  const channel = { baseAddress: 0, baseCount: 0, address: 0, count: 0, mode: 0, page: 0 };
  return {
    channels: Array.from({ length: 4 }, () => ({ ...channel })),
    command: 0,
    mask: 0xff,
    status: 0,
    highByteNext: false,
  };
}

/** `i8257`, as QEMU calls it. */
export const i8257 = {
  name: "i8257",
  busType: "ISA",
  category: "Uncategorized",
  userCreatable: false,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new Dma8237(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
