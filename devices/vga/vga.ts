/**
 * The standard VGA of QEMU's pc (`-vga std`), PCI function 1234:1111: VGA registers at their usual ports, the window at
 * A0000, the Bochs display interface, and all of its memory as BAR 0.
 *
 * BAR 2 holds EDID and the same registers again; the expansion ROM is the VGA BIOS where one was found. The picture is
 * made by `picture.ts` when somebody wants to see it; nothing is done meanwhile.
 *
 * Left out: interrupts (the card has none), hardware cursor, `global-vmstate`, `refresh_rate` other than in EDID.
 *
 * Source: QEMU's docs/specs/standard-vga.rst; [IBM VGA]; [Bochs VBE].
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  MemoryRegion,
  PCI_PROPERTIES,
  PciDevice,
  PlainRam,
  prop,
  type PropertyValues,
} from "../bus/mod.ts";
import { Dispi, type DispiMode, type DispiState } from "./dispi.ts";
import { edid } from "./edid.ts";
import { VgaMemory } from "./vga_memory.ts";
import { VgaRegisters, type VgaRegisterState } from "./vga_registers.ts";

const PROPERTIES = {
  "vgamem_mb": prop.uint32(16),
  "mmio": prop.bool(true, { description: "on/off" }),
  "qemu-extended-regs": prop.bool(true, { description: "on/off" }),
  "edid": prop.bool(true, { description: "on/off" }),
  "xres": prop.uint32(0),
  "yres": prop.uint32(0),
  "xmax": prop.uint32(0),
  "ymax": prop.uint32(0),
  "refresh_rate": prop.uint32(0),
  "global-vmstate": prop.bool(false),
  ...PCI_PROPERTIES,
};

const MIB = 2 ** 20;
const MIN_MEMORY_MIB = 1;
const MAX_MEMORY_MIB = 512;
const WINDOW_BYTES = 0x20000;
const WINDOW_START = 0xa0000;
/** Port ranges, as `info mtree` lists them. */
const PORTS: readonly (readonly [first: number, count: number])[] = [
  [0x3b4, 2],
  [0x3ba, 1],
  [0x3c0, 16],
  [0x3d4, 2],
  [0x3da, 1],
];
/** Room for a block and two extensions. */
const EDID_BYTES = 384;
const MIN_ROM_BYTES = 2048;
const PAGE_BYTES = 4096;

export interface VgaState {
  registers: VgaRegisterState;
  dispi: DispiState;
  latch: number;
  /** Pieces of memory that are not all zeroes. */
  pages: { at: number; bytes: Uint8Array }[];
}

/** The card. */
export class Vga extends PciDevice<typeof PROPERTIES, VgaState> {
  readonly registers: VgaRegisters;
  readonly dispi: Dispi;
  readonly memory: Uint8Array;
  readonly #window: VgaMemory;
  readonly #ram: PlainRam;
  readonly #placed: MemoryRegion[] = [];

  constructor(
    context: DeviceContext,
    values: Partial<PropertyValues<typeof PROPERTIES>> = {},
    options: DeviceOptions = {},
    rom?: Uint8Array,
  ) {
    super(vga, context, { vendor: 0x1234, device: 0x1111, classCode: 0x0300, revision: 2 }, values, options);
    const settled = this.properties as { vgamem_mb: number; xres: number; yres: number };
    settled.vgamem_mb = roundUp(Math.min(Math.max(settled.vgamem_mb, MIN_MEMORY_MIB), MAX_MEMORY_MIB));
    if (settled.xres === 0) settled.xres = 1280;
    if (settled.yres === 0) settled.yres = 800;
    this.#ram = new PlainRam(settled.vgamem_mb * MIB);
    this.memory = this.#ram.slice(0, this.#ram.sizeBytes);
    this.registers = new VgaRegisters(() => this.#window.settle());
    this.#window = new VgaMemory(this.registers, this.memory);
    this.dispi = new Dispi(this.memory.length, {
      bank: (offset) => this.#window.bankOffset = offset,
      changed: (mode, clear) => this.#follow(mode, clear),
    });
    this.addBar(0, "memory", MemoryRegion.ram("vga.vram", this.#ram), { prefetchable: true });
    if (this.properties.mmio) this.addBar(2, "memory", this.#mmio());
    if (rom !== undefined) this.#addExpansionRom(rom);
  }

  protected override onRealize(): void {
    const { ports, memory } = this.pci;
    const place = (parent: MemoryRegion, region: MemoryRegion, address: number, priority: number) => {
      parent.add(region, address, priority);
      this.#placed.push(region);
    };
    const bytes = { min: 1, max: 1 };
    const window = MemoryRegion.io("vga-lowmem", WINDOW_BYTES, {
      read: (offset) => this.#window.read(offset),
      write: (offset, _size, value) => this.#window.write(offset, value),
      accessSizes: bytes,
    });
    place(memory, window, WINDOW_START, 1);
    for (const [first, count] of PORTS) {
      const region = MemoryRegion.io("vga", count, {
        read: (offset) => this.registers.read(first + offset),
        write: (offset, _size, value) => this.registers.write(first + offset, value & 0xff),
        accessSizes: bytes,
      });
      place(ports, region, first, 0);
    }
    place(ports, MemoryRegion.io("vbe", 4, this.#dispiPorts()), 0x1ce, 0);
  }

  protected override onUnrealize(): void {
    for (const region of this.#placed.splice(0)) region.container?.remove(region);
  }

  protected override onReset(): void {
    this.registers.reset();
    this.dispi.reset();
    this.#window.latch = 0; // Memory keeps what it holds, as QEMU's does.
  }

  protected override readonly occasionalState = { pages: [{ at: 0, bytes: new Uint8Array(PAGE_BYTES) }] };

  protected override saveState(): VgaState {
    const pages: VgaState["pages"] = [];
    for (let at = 0; at < this.memory.length; at += PAGE_BYTES) {
      const bytes = this.memory.subarray(at, at + PAGE_BYTES);
      if (!isZero(bytes)) pages.push({ at, bytes: bytes.slice() });
    }
    return { registers: this.registers.save(), dispi: this.dispi.save(), latch: this.#window.latch, pages };
  }

  protected override loadState(state: VgaState): void {
    this.registers.load(state.registers);
    this.dispi.load(state.dispi);
    const { mode } = this.dispi;
    this.#window.beyondVga = wayOf(mode);
    this.#window.settle();
    this.#window.latch = state.latch;
    this.memory.fill(0);
    for (const { at, bytes } of state.pages) {
      if (at >= 0 && at + bytes.length <= this.memory.length) this.memory.set(bytes, at);
    }
  }

  /** 1CE is the index and 1CF and 1D0 are the data, sixteen bits each; a byte alone has no meaning. */
  #dispiPorts() {
    const { dispi } = this;
    return {
      read: (offset: number) => offset === 0 ? dispi.index : dispi.read(dispi.index),
      write: (offset: number, _size: number, value: number) => {
        if (offset === 0) dispi.index = value;
        else dispi.write(dispi.index, value);
      },
      accessSizes: { min: 2, max: 2, unaligned: true },
      validSizes: { min: 2, max: 2, unaligned: true },
    };
  }

  /** BAR 2: EDID at 0, ports 3C0 to 3DF at 400, the display interface at 500, byte order at 600. */
  #mmio(): MemoryRegion {
    const all = MemoryRegion.container("vga.mmio", 0x1000);
    const { xres, yres, xmax, ymax } = this.properties;
    if (this.properties.edid) {
      const block = edid({ width: xres, height: yres, maxWidth: xmax || xres, maxHeight: ymax || yres });
      all.add(
        MemoryRegion.io("edid", EDID_BYTES, {
          read: (offset) => block[offset] ?? 0,
          write() {},
          accessSizes: { min: 1, max: 1 },
        }),
        0,
      );
    }
    const ports = MemoryRegion.io("vga ioports remapped", 0x20, {
      read: (offset) => this.registers.read(0x3c0 + offset),
      write: (offset, _size, value) => this.registers.write(0x3c0 + offset, value & 0xff),
      accessSizes: { min: 1, max: 1 },
    });
    all.add(ports, 0x400);
    // Registers have sixteen bits; halves can be read, since there are CPUs that fetch a word byte by byte.
    const dispi = MemoryRegion.io("bochs dispi interface", 0x16, {
      read: (offset) => this.dispi.read(offset >> 1) >> 8 * (offset & 1),
      write: (offset, _size, value) => this.dispi.write(offset >> 1, value & 0xffff),
      accessSizes: { min: 1, max: 2 },
    });
    all.add(dispi, 0x500);
    if (this.properties["qemu-extended-regs"]) {
      // The size of the block, then the byte order, which stays little-endian.
      const extended = MemoryRegion.io("qemu extended regs", 8, {
        read: (offset) => offset === 0 ? 8 : 0x1e1e1e1e,
        write() {},
        accessSizes: { min: 4, max: 4 },
      });
      all.add(extended, 0x600);
    }
    return all;
  }

  #addExpansionRom(rom: Uint8Array): void {
    const sizeBytes = Math.max(MIN_ROM_BYTES, roundUp(rom.length));
    const padded = new PlainRam(sizeBytes);
    padded.write(0, rom);
    const settled = this.properties as { romfile: string | undefined; romsize: number };
    settled.romfile ??= "vgabios-stdvga.bin";
    settled.romsize = sizeBytes;
    this.addRom(MemoryRegion.rom("vga.rom", padded));
  }

  /** In a mode beyond VGA the window becomes plain, and VGA's own registers say what they can of it. */
  #follow(mode: DispiMode | undefined, clear: boolean): void {
    this.#window.beyondVga = wayOf(mode);
    if (mode !== undefined) this.#describe(mode, clear);
    this.#window.settle();
  }

  #describe(mode: DispiMode, clear: boolean): void {
    const { width, height, bits, lineBytes } = mode;
    if (clear) {
      this.memory.fill(0, 0, Math.min(this.memory.length, height * lineBytes * (bits === 4 ? 4 : 1)));
    }
    const { graphics, crtc } = this.registers.state;
    graphics[6] = (graphics[6]! & ~0x0c) | 0x05;
    crtc[0x17]! |= 3;
    crtc[0x13] = lineBytes >> 3;
    crtc[0x01] = (width >> 3) - 1;
    crtc[0x12] = height - 1;
    crtc[0x07] = (crtc[0x07]! & ~0x42) | (((height - 1) >> 7) & 0x02) | (((height - 1) >> 3) & 0x40);
    crtc[0x18] = 0xff;
    crtc[0x07]! |= 0x10;
    crtc[0x09] = (crtc[0x09]! & ~0x9f) | 0x40;
    graphics[5] = (graphics[5]! & ~0x60) | (bits === 4 ? 0 : 0x40);
  }
}

function wayOf(mode: DispiMode | undefined): "linear" | "planar" | undefined {
  if (mode === undefined) return undefined;
  return mode.bits === 4 ? "planar" : "linear";
}

function isZero(bytes: Uint8Array): boolean {
  return new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length >> 3).every((word) => word === 0n);
}

/** The next power of two. */
function roundUp(value: number): number {
  return 2 ** Math.ceil(Math.log2(value));
}

/** `VGA`. */
export const vga = {
  name: "VGA",
  busType: "PCI",
  category: "Display",
  userCreatable: true,
  properties: PROPERTIES,
  helpOnly: { "big-endian-framebuffer": "bool" },
  create: (context, values = {}, options = {}) => new Vga(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
