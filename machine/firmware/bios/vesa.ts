/**
 * Int 10h, functions 4Fxxh: VESA's BIOS extension, over the Bochs display interface of the standard VGA.
 *
 * Left out: saving and restoring (04h), the interface for protected mode (0Ah), power states (10h), text modes, planar
 * modes, triple buffering, refresh rates.
 *
 * Source: [VBE 3.0] VESA BIOS Extension Core Functions Standard 3.0, 4; [Bochs VBE]; [VBE/DDC] 1.1.
 *
 * @module
 */
import { bytes, struct, u16, u32, u8 } from "../../../base/struct.ts";
import { KiB } from "../../../base/units.ts";
import { type FirmwareCall, linear } from "./call.ts";
import type { PciService } from "./pci.ts";
import { BDA, type FirmwareSite } from "./site.ts";
import { colourFields, pixelBytes, VESA_MODES, type VesaMode } from "./vesa_modes.ts";
import type { VideoService } from "./video.ts";

const INDEX_PORT = 0x1ce;
const DATA_PORT = 0x1cf;
const DISPI = {
  id: 0,
  x: 1,
  y: 2,
  bits: 3,
  enable: 4,
  bank: 5,
  width: 6,
  height: 7,
  left: 8,
  top: 9,
  memory: 10,
} as const;
const ENABLED = 0x01;
const EIGHT_BITS = 0x20;
const LINEAR = 0x40;
const KEEP_MEMORY = 0x80;
const OLDEST_ID = 0xb0c0;
const NEWEST_ID = 0xb0c5;
const VGA_ID = 0x1111_1234;
const BANK_BYTES = 64 * KiB;
const PALETTE = { readIndex: 0x3c7, writeIndex: 0x3c8, data: 0x3c9 } as const;

const OK = 0x004f;
const FAILED = 0x014f;
const NOT_THERE = 0x0100;
const MODE_NUMBER = 0x01ff;
const FIRST_MODE = 0x100;
const WANTS_LINEAR = 0x4000;
const WANTS_MEMORY_KEPT = 0x8000;
/** The current mode's memory is shown from a window in the first megabyte; packed pixels, or colours directly. */
const GRAPHICS_WITH_LINEAR = 0x00bb;
const WINDOW_READ_WRITE = 0x07;
const WINDOW_SEGMENT = 0xa000;
const PACKED_PIXELS = 4;
const DIRECT_COLOUR = 6;
const DAC_SWITCHES = 0x01;
const GRAPHICS_BASE_MODE = 0x13;
/** What function 0Fh gives in a VESA mode. */
const NO_VGA_MODE = 0xff;
const EDID_BYTES = 128;
const DDC2_WITHIN_A_SECOND = 0x0102;

const ControllerInfo = struct("little", 34, {
  signature: bytes(4),
  version: u16,
  vendorOffset: u16,
  vendorSegment: u16,
  capabilities: u32,
  modesOffset: u16,
  modesSegment: u16,
  memoryBanks: u16,
  revision: u16,
  vendorName: u32,
  productName: u32,
  productRevision: u32,
});
/** How long the answers are: the first one's second half is for those who ask for VBE 2. */
const INFO_BYTES = 256;
const NAME = "moa\0";

const ModeInfo = struct("little", 66, {
  attributes: u16,
  windowA: u8,
  windowB: u8,
  granularityKiB: u16,
  windowKiB: u16,
  segmentA: u16,
  segmentB: u16,
  windowFunction: u32,
  lineBytes: u16,
  width: u16,
  height: u16,
  characterWidth: u8,
  characterHeight: u8,
  planes: u8,
  bits: u8,
  banks: u8,
  model: u8,
  bankKiB: u8,
  pages: u8,
  reserved: u8,
  colours: bytes(8),
  direct: u8,
  address: u32,
  offscreen: bytes(6),
  linearLineBytes: u16,
  windowPages: u8,
  linearPages: u8,
  linearColours: bytes(8),
  clock: u32,
});

/** The service. */
export class VesaService {
  readonly #site: FirmwareSite;
  readonly #video: VideoService;
  readonly #pci: PciService;

  constructor(site: FirmwareSite, video: VideoService, pci: PciService) {
    this.#site = site;
    this.#video = video;
    this.#pci = pci;
  }

  /** Int 10h with 4Fh in AH. */
  call(call: FirmwareCall): void {
    const id = this.#read(DISPI.id);
    call.ax = id < OLDEST_ID || id > NEWEST_ID ? NOT_THERE : this.#serve(call);
  }

  #serve(call: FirmwareCall): number {
    switch (call.al) {
      case 0x00:
        return this.#controller(call);
      case 0x01:
        return this.#modeInfo(call);
      case 0x02:
        return this.#setMode(call.bx);
      case 0x03:
        call.bx = this.#currentNumber();
        return OK;
      case 0x05:
        return this.#window(call);
      case 0x06:
        return this.#lineLength(call);
      case 0x07:
        return this.#displayStart(call);
      case 0x08:
        return this.#dacWidth(call);
      case 0x09:
        return this.#palette(call);
      case 0x15:
        return this.#identification(call);
      default:
        return NOT_THERE;
    }
  }

  /** What there is. The list of modes and the name stand in the answer itself. */
  #controller(call: FirmwareCall): number {
    const { memory } = this.#site;
    const at = linear(call.es, call.di);
    const modes = this.#modes();
    const listAt = ControllerInfo.sizeBytes;
    const nameAt = listAt + 2 * modes.length + 2;
    const info = new Uint8Array(INFO_BYTES);
    ControllerInfo.encode({
      signature: new TextEncoder().encode("VESA"),
      version: 0x0300,
      vendorOffset: (call.di + nameAt) & 0xffff,
      vendorSegment: call.es,
      capabilities: DAC_SWITCHES,
      modesOffset: (call.di + listAt) & 0xffff,
      modesSegment: call.es,
      memoryBanks: this.#read(DISPI.memory),
      revision: 0,
      vendorName: 0,
      productName: 0,
      productRevision: 0,
    }, info);
    const view = new DataView(info.buffer);
    for (const [index, { number }] of modes.entries()) view.setUint16(listAt + 2 * index, number, true);
    view.setUint16(nameAt - 2, 0xffff, true);
    new TextEncoder().encodeInto(NAME, info.subarray(nameAt));
    memory.write(at, info);
    return OK;
  }

  #modeInfo(call: FirmwareCall): number {
    const mode = this.#modes().find(({ number }) => number === (call.cx & MODE_NUMBER));
    if (mode === undefined) return FAILED;
    const lineBytes = mode.width * pixelBytes(mode);
    const pages = Math.min(255, Math.floor(this.#memoryBytes / (lineBytes * mode.height)) - 1);
    const colours = Uint8Array.from(colourFields(mode).flatMap(({ bits, shift }) => [bits, shift]));
    const info = new Uint8Array(INFO_BYTES);
    ModeInfo.encode({
      attributes: GRAPHICS_WITH_LINEAR,
      windowA: WINDOW_READ_WRITE,
      windowB: 0,
      granularityKiB: BANK_BYTES / KiB,
      windowKiB: BANK_BYTES / KiB,
      segmentA: WINDOW_SEGMENT,
      segmentB: 0,
      windowFunction: 0,
      lineBytes,
      width: mode.width,
      height: mode.height,
      characterWidth: 8,
      characterHeight: 16,
      planes: 1,
      bits: mode.bits,
      banks: 1,
      model: mode.bits === 8 ? PACKED_PIXELS : DIRECT_COLOUR,
      bankKiB: 0,
      pages,
      reserved: 1,
      colours,
      direct: mode.bits === 32 ? 2 : 0,
      address: this.#pci.memoryOf(VGA_ID, 0) ?? 0,
      offscreen: new Uint8Array(6),
      linearLineBytes: lineBytes,
      windowPages: pages,
      linearPages: pages,
      linearColours: colours,
      clock: 0,
    }, info);
    this.#site.memory.write(linear(call.es, call.di), info);
    return OK;
  }

  #setMode(wanted: number): number {
    const number = wanted & MODE_NUMBER;
    const keep = (wanted & WANTS_MEMORY_KEPT) !== 0;
    if (number < FIRST_MODE) return this.#video.setMode(number | (keep ? 0x80 : 0)) ? OK : FAILED;
    const mode = this.#modes().find((one) => one.number === number);
    if (mode === undefined) return FAILED;
    // The palette, and registers that packed pixels begin with.
    this.#video.setMode(GRAPHICS_BASE_MODE | 0x80);
    this.#site.memory.writeValue(BDA.videoMode, 1, NO_VGA_MODE);
    this.#write(DISPI.x, mode.width);
    this.#write(DISPI.y, mode.height);
    this.#write(DISPI.bits, mode.bits);
    const isLinear = (wanted & WANTS_LINEAR) !== 0;
    this.#write(DISPI.enable, ENABLED | (isLinear ? LINEAR : 0) | (keep ? KEEP_MEMORY : 0));
    return OK;
  }

  #currentNumber(): number {
    const mode = this.#current();
    if (mode === undefined) return this.#site.memory.readValue(BDA.videoMode, 1);
    return mode.number | ((this.#read(DISPI.enable) & LINEAR) !== 0 ? WANTS_LINEAR : 0);
  }

  #current(): VesaMode | undefined {
    if ((this.#read(DISPI.enable) & ENABLED) === 0) return undefined;
    const [width, height, bits] = [DISPI.x, DISPI.y, DISPI.bits].map((index) => this.#read(index));
    return VESA_MODES.find((mode) => mode.width === width && mode.height === height && mode.bits === bits);
  }

  #window(call: FirmwareCall): number {
    if (this.#current() === undefined || call.bl !== 0) return FAILED;
    if (call.bh === 0) {
      if (call.dx >= this.#read(DISPI.memory)) return FAILED;
      this.#write(DISPI.bank, call.dx);
    } else if (call.bh === 1) call.dx = this.#read(DISPI.bank);
    else return FAILED;
    return OK;
  }

  #lineLength(call: FirmwareCall): number {
    const mode = this.#current();
    if (mode === undefined) return FAILED;
    const unit = pixelBytes(mode);
    switch (call.bl) {
      case 0x00:
      case 0x02: {
        const pixels = call.bl === 0 ? call.cx : Math.ceil(call.cx / unit);
        if (pixels < mode.width || pixels * unit * mode.height > this.#memoryBytes) return FAILED;
        this.#write(DISPI.width, Math.min(0xffff, Math.ceil(pixels / 8) * 8));
        break;
      }
      case 0x01:
        break;
      case 0x03: {
        const most = Math.min(16000, Math.floor(this.#memoryBytes / mode.height / unit)) & ~7;
        call.bx = most * unit;
        call.cx = most;
        call.dx = mode.height;
        return OK;
      }
      default:
        return FAILED;
    }
    const pixels = this.#read(DISPI.width);
    call.bx = pixels * unit;
    call.cx = pixels;
    call.dx = this.#read(DISPI.height);
    return OK;
  }

  #displayStart(call: FirmwareCall): number {
    const mode = this.#current();
    if (mode === undefined) return FAILED;
    switch (call.bl) {
      case 0x00:
      case 0x80: {
        const fits = call.cx + mode.width <= this.#read(DISPI.width) &&
          call.dx + mode.height <= this.#read(DISPI.height);
        if (!fits) return FAILED;
        this.#write(DISPI.left, call.cx);
        this.#write(DISPI.top, call.dx);
        return OK;
      }
      case 0x01:
        call.bh = 0;
        call.cx = this.#read(DISPI.left);
        call.dx = this.#read(DISPI.top);
        return OK;
      default:
        return FAILED;
    }
  }

  #dacWidth(call: FirmwareCall): number {
    if (this.#current()?.bits !== 8) return FAILED;
    const enable = this.#read(DISPI.enable);
    if (call.bl === 0) {
      // Writing it shows the first bank in the window.
      const bank = this.#read(DISPI.bank);
      this.#write(DISPI.enable, call.bh >= 8 ? enable | EIGHT_BITS : enable & ~EIGHT_BITS);
      this.#write(DISPI.bank, bank);
    } else if (call.bl !== 1) return FAILED;
    call.bh = (this.#read(DISPI.enable) & EIGHT_BITS) !== 0 ? 8 : 6;
    return OK;
  }

  /** Entries are blue, green, red and a byte that counts for nothing. */
  #palette(call: FirmwareCall): number {
    const { memory, ports } = this.#site;
    const at = linear(call.es, call.di);
    const count = Math.min(call.cx, 256 - Math.min(256, call.dx));
    const isSet = call.bl === 0x00 || call.bl === 0x80;
    if (!isSet && call.bl !== 0x01) return FAILED;
    ports.writeValue(isSet ? PALETTE.writeIndex : PALETTE.readIndex, 1, call.dl);
    for (let entry = 0; entry < count; entry++) {
      for (const part of [2, 1, 0]) {
        const place = at + 4 * entry + part;
        if (isSet) ports.writeValue(PALETTE.data, 1, memory.readValue(place, 1));
        else memory.writeValue(place, 1, ports.readValue(PALETTE.data, 1));
      }
    }
    return OK;
  }

  /** What the display says of itself (EDID), from the card's second window. */
  #identification(call: FirmwareCall): number {
    const { memory } = this.#site;
    const address = this.#pci.memoryOf(VGA_ID, 2);
    if (address === undefined) return FAILED;
    if (call.bl === 0x00) {
      call.bx = DDC2_WITHIN_A_SECOND;
      return OK;
    }
    if (call.bl !== 0x01 || call.dx !== 0) return FAILED;
    const edid = new Uint8Array(EDID_BYTES);
    memory.read(address, edid);
    memory.write(linear(call.es, call.di), edid);
    return OK;
  }

  /** Those that the card's memory holds. */
  #modes(): VesaMode[] {
    const room = this.#memoryBytes;
    return VESA_MODES.filter((mode) => mode.width * mode.height * pixelBytes(mode) <= room);
  }

  get #memoryBytes(): number {
    return this.#read(DISPI.memory) * BANK_BYTES;
  }

  #read(index: number): number {
    this.#site.ports.writeValue(INDEX_PORT, 2, index);
    return this.#site.ports.readValue(DATA_PORT, 2);
  }

  #write(index: number, value: number): void {
    this.#site.ports.writeValue(INDEX_PORT, 2, index);
    this.#site.ports.writeValue(DATA_PORT, 2, value);
  }
}
