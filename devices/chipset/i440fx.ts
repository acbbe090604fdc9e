/**
 * The host bridge's PCI function: what of the first megabyte is RAM, ROM or PCI (PAM), and the SMM's memory (SMRAM).
 *
 * PAM: thirteen segments from C0000 to FFFFF. Two bits each say where reads go and where writes go: to PCI or to RAM.
 * As in QEMU, there is no "reads from PCI, writes to RAM": that mode shows RAM, under the name of PCI. SMRAM shows A0000
 * to BFFFF as RAM when it is open; only an SMM could see it closed.
 *
 * A reset of the machine leaves all of them as they are, as it does in QEMU: firmware sets them anew.
 *
 * Left out: DRAM row timing and the other registers, which are plain storage.
 *
 * Source: Intel 82441FX (PMC) datasheet, 3.2.18 "PAM", 3.2.21 "SMRAM".
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceType,
  MemoryRegion,
  PCI_PROPERTIES,
  PciDevice,
  type PropertyValues,
} from "../bus/mod.ts";

/** What the bridge stands between. */
export interface I440fxMemory {
  /** All that the CPU sees. */
  readonly system: MemoryRegion;
  /** The PCI bus's memory. */
  readonly pci: MemoryRegion;
  readonly ram: MemoryRegion;
  readonly ramBytes: number;
  /** The CPU sees RAM from C0000 to FFFFF whatever the registers say: nobody else is shown PCI there either. */
  readonly alwaysRam?: boolean;
}

const SMRAM_START = 0xa0000;
const SMRAM_BYTES = 0x20000;
const SMRAM_SPACE_BYTES = 0x1_0000_0000;

const Register = { Pam: 0x59, RamSize: 0x57, Smram: 0x72 } as const;
const Smram = { Open: 0x40, Closed: 0x20, Locked: 0x10, Enabled: 0x08, BaseSegment: 0x02 } as const;
const RAM_UNIT_BYTES = 8 << 20;

/** Start and length of each segment, with the register and the bit that its two mode bits begin at. */
const SEGMENTS = [
  { start: 0xf0000, length: 0x10000, register: Register.Pam, shift: 4 },
  ...Array.from({ length: 12 }, (_, index) => ({
    start: 0xc0000 + index * 0x4000,
    length: 0x4000,
    register: Register.Pam + 1 + (index >> 1),
    shift: (index & 1) * 4,
  })),
];

const Mode = { Pci: 0, ReadRam: 1, WriteRam: 2, Ram: 3 } as const;

type Values = Partial<PropertyValues<typeof PCI_PROPERTIES>>;

/** The type; a board makes its instance by {@link I440fx}. */
export const i440fx: DeviceType<typeof PCI_PROPERTIES> = {
  name: "i440FX",
  busType: "PCI",
  category: "Controller/Bridge/Hub",
  description: "Host bridge",
  userCreatable: false,
  properties: PCI_PROPERTIES,
  create(context, values) {
    const nothing = MemoryRegion.container("none", 0);
    return new I440fx(context, { system: nothing, pci: nothing, ram: nothing, ramBytes: 0 }, values);
  },
};

/** 8086:1237, function 00.0. */
export class I440fx extends PciDevice {
  /** The RAM that an SMM sees besides what all see. */
  readonly smram = MemoryRegion.container("smram", SMRAM_SPACE_BYTES);
  readonly #memory: I440fxMemory;
  readonly #smramRegion: MemoryRegion;
  /** By segment, the region to show in each mode. */
  readonly #segments: MemoryRegion[][];

  constructor(context: DeviceContext, memory: I440fxMemory, values: Values = {}) {
    super(i440fx, context, { vendor: 0x8086, device: 0x1237, revision: 2, classCode: 0x0600 }, values);
    this.#memory = memory;
    const ramUnits = Math.min(Math.floor(memory.ramBytes / RAM_UNIT_BYTES), 255);
    this.config.define([
      { name: "dram-size", offset: Register.RamSize, size: 1, reset: ramUnits, writable: 0xff, keepsOnReset: true },
      ...Array.from({ length: 7 }, (_, index) => ({
        name: `pam${index}`,
        offset: Register.Pam + index,
        size: 1 as const,
        // That F0000 is RAM tells the firmware not to look for itself elsewhere.
        reset: index === 0 && memory.alwaysRam ? Mode.ReadRam << 4 : 0,
        writable: 0xff,
        keepsOnReset: true,
      })),
      {
        name: "smram",
        offset: Register.Smram,
        size: 1,
        reset: Smram.BaseSegment,
        writable: 0xff,
        keepsOnReset: true,
      },
    ]);
    this.#smramRegion = MemoryRegion.alias("smram-region", memory.pci, SMRAM_START, SMRAM_BYTES);
    this.#segments = SEGMENTS.map(({ start, length }) => {
      const modes = [
        MemoryRegion.alias("pam-pci", memory.pci, start, length),
        MemoryRegion.alias("pam-rom", memory.ram, start, length),
        MemoryRegion.alias("pam-pci", memory.ram, start, length),
        MemoryRegion.alias("pam-ram", memory.ram, start, length),
      ];
      modes[Mode.ReadRam]!.readonly = true;
      return modes;
    });
  }

  protected override onRealize(): void {
    const { system, ram } = this.#memory;
    system.add(this.#smramRegion, SMRAM_START, 1);
    this.smram.add(MemoryRegion.alias("smram-low", ram, SMRAM_START, SMRAM_BYTES), SMRAM_START);
    this.#segments.forEach((modes, index) => {
      for (const region of modes) {
        region.enabled = false;
        system.add(region, SEGMENTS[index]!.start, 1);
      }
    });
    this.#show();
  }

  protected override onConfigWrite(): void {
    this.#show();
  }

  protected override onConfigLoaded(): void {
    this.#show();
  }

  #show(): void {
    this.#segments.forEach((modes, index) => {
      const { register, shift } = SEGMENTS[index]!;
      const wanted = (this.config.read(register, 1) >> shift) & 3;
      const mode = wanted === Mode.Pci && this.#memory.alwaysRam ? Mode.Ram : wanted;
      modes.forEach((region, number) => region.enabled = number === mode);
    });
    const smram = this.config.get("smram");
    this.#smramRegion.enabled = (smram & Smram.Open) === 0;
    this.smram.enabled = (smram & Smram.Enabled) !== 0;
  }
}
