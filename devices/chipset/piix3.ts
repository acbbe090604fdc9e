/**
 * PIIX3's ISA bridge: the ISA bus, the routing of PCI interrupts to it, and the reset port CF9.
 *
 * Interrupts: the four PCI wires are routed by PIRQRC registers to ISA lines; bit 7 of a register disconnects its wire.
 * A PCI device's pin is on wire (slot - 1 + pin) modulo 4. Wires that share a line, also with an ISA device, are OR-ed.
 *
 * Left out: the bridge's other registers, which are plain storage; the USB function.
 *
 * Source: Intel 82371SB (PIIX3) datasheet, 2.2.5 "PIRQRC", 2.5.5.1 "Reset Control Register".
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceType,
  IsaBus,
  MemoryRegion,
  PCI_PROPERTIES,
  PciDevice,
  type PropertyValues,
} from "../bus/mod.ts";

interface State {
  /** What the reset port reads as. */
  readonly resetControl: number;
}

const PIRQ_FIRST = 0x60;
const WIRES = 4;
const PIRQ_DISABLED = 0x80;
const RESET_PORT = 0xcf9;
const Reset = { System: 0x02, Cpu: 0x04 } as const;

/** Values after a reset, beyond the header: [register, value]. A reset leaves all others as they are. */
const RESET_VALUES: readonly (readonly [number, number])[] = [
  [0x4c, 0x4d],
  [0x4e, 0x03],
  [0x4f, 0x00],
  [0x60, 0x80],
  [0x61, 0x80],
  [0x62, 0x80],
  [0x63, 0x80],
  [0x69, 0x02],
  [0x70, 0x80],
  [0x76, 0x0c],
  [0x77, 0x0c],
  [0x78, 0x02],
  [0x79, 0x00],
  [0x80, 0x00],
  [0x82, 0x00],
  [0xa0, 0x08],
  [0xa2, 0x00],
  [0xa3, 0x00],
  [0xa4, 0x00],
  [0xa5, 0x00],
  [0xa6, 0x00],
  [0xa7, 0x00],
  [0xa8, 0x0f],
  [0xaa, 0x00],
  [0xab, 0x00],
  [0xac, 0x00],
  [0xae, 0x00],
];

/** The type; a board makes its instance by {@link Piix3}. */
export const piix3: DeviceType<typeof PCI_PROPERTIES> = {
  name: "PIIX3",
  busType: "PCI",
  category: "Controller/Bridge/Hub",
  description: "ISA bridge",
  userCreatable: false,
  properties: PCI_PROPERTIES,
  create: (context, values) => new Piix3(context, MemoryRegion.container("none", 0), values),
};

type Values = Partial<PropertyValues<typeof PCI_PROPERTIES>>;

/** 8086:7000 with `isa.0`. */
export class Piix3 extends PciDevice<typeof PCI_PROPERTIES, State> {
  readonly #systemMemory: MemoryRegion;
  #isa: IsaBus | undefined;
  #resetControl = 0;
  /** For each ISA line, whether PCI drives it high. */
  readonly #driven = new Array<0 | 1>(16).fill(0);

  constructor(context: DeviceContext, systemMemory: MemoryRegion, values: Values = {}) {
    super(piix3, context, { vendor: 0x8086, device: 0x7000, classCode: 0x0601 }, { multifunction: true, ...values });
    this.#systemMemory = systemMemory;
    this.config.define([
      { name: "status", offset: 0x06, size: 2, reset: 0x0200, writeOneToClear: 0xf900 },
      ...RESET_VALUES.map(([offset, reset]) => ({
        name: offset >= PIRQ_FIRST && offset < PIRQ_FIRST + WIRES
          ? `pirq${offset - PIRQ_FIRST}`
          : `register-${offset.toString(16)}`,
        offset,
        size: 1 as const,
        reset,
        writable: 0xff,
      })),
    ]);
  }

  /** The ISA bus, once realized. */
  get isaBus(): IsaBus {
    return this.#isa!;
  }

  protected override onRealize(): void {
    this.#isa = new IsaBus(this.context, this, this.pci.ports, this.#systemMemory);
    const control = MemoryRegion.io("piix3-reset-control", 1, {
      read: () => this.#resetControl,
      write: (_offset, _size, value) => this.#writeResetControl(value),
      accessSizes: { min: 1, max: 1 },
    });
    this.pci.ports.add(control, RESET_PORT, 1);
    this.pci.route({
      wireOf: (slot, pin) => (slot - 1 + pin) & 3,
      set: () => this.#driveLines(),
    });
  }

  protected override onReset(): void {
    this.#resetControl = 0;
  }

  protected override onConfigWrite(): void {
    this.#driveLines();
  }

  protected override onConfigLoaded(): void {
    this.#driveLines();
  }

  protected override saveState(): State {
    return { resetControl: this.#resetControl };
  }

  protected override loadState(state: State): void {
    this.#resetControl = state.resetControl & 0xff;
  }

  #writeResetControl(value: number): void {
    if ((value & Reset.Cpu) !== 0) this.context.requestReset?.();
    else this.#resetControl = value & Reset.System;
  }

  /** Each ISA line that wires are routed to is high while one of them is. */
  #driveLines(): void {
    if (this.#isa === undefined) return;
    const levels = new Array<0 | 1>(16).fill(0);
    for (let wire = 0; wire < WIRES; wire++) {
      const route = this.config.get(`pirq${wire}`);
      if ((route & PIRQ_DISABLED) === 0 && route < 16 && this.pci.wireLevel(wire) === 1) levels[route] = 1;
    }
    levels.forEach((level, line) => {
      if (this.#driven[line] === level) return;
      this.#driven[line] = level;
      this.#isa!.irq(line).set(level);
    });
  }
}
