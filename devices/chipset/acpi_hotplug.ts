/**
 * Port blocks by which firmware's ACPI methods deal with general events and with devices that come and go.
 *
 * Left out: the newer CPU hotplug block, which takes the old one's place when software asks for it; slots of bridges, indices of devices (`acpi-index`).
 *
 * Source: [ACPI 6.5] 4.8.4.1 "General-Purpose Event Register Blocks"; QEMU's docs/specs/acpi_pci_hotplug.txt and
 * acpi_cpu_hotplug.txt.
 *
 * @module
 */
import { MemoryRegion } from "../bus/mod.ts";

/** Bits of GPE0. */
export const Gpe0Event = { PciHotplug: 0x0002, CpuHotplug: 0x0004 } as const;

/** GPE0: two status bytes, then two enable bytes. */
export class AcpiGpe0 {
  readonly region: MemoryRegion;
  readonly #update: () => void;
  #bytes = new Uint8Array(4);

  constructor(update: () => void) {
    this.#update = update;
    this.region = MemoryRegion.io("acpi-gpe0", 4, {
      read: (offset) => this.#bytes[offset]!,
      write: (offset, _size, value) => {
        this.#bytes[offset] = offset < 2 ? this.#bytes[offset]! & ~value : value;
        this.#update();
      },
      accessSizes: { min: 1, max: 1 },
    });
  }

  get asks(): boolean {
    const [status0, status1, enable0, enable1] = this.#bytes;
    return (status0! & enable0!) !== 0 || (status1! & enable1!) !== 0;
  }

  /** An event has happened. */
  raise(event: number): void {
    this.#bytes[0] = this.#bytes[0]! | event;
    this.#update();
  }

  reset(): void {
    this.#bytes.fill(0);
  }

  save(): Uint8Array {
    return this.#bytes.slice();
  }

  load(bytes: Uint8Array): void {
    this.#bytes.set(bytes);
  }
}

export interface PciHotplugState {
  up: number;
  down: number;
  select: number;
}

/** What the block needs to know of the bus. */
export interface HotplugSlots {
  /** A bit for each slot whose device may be taken out, or that is empty. */
  removable(): number;
  /** The guest has let go of what is in slot 0 to 31. */
  eject(slot: number): void;
}

const ROOT_BUS = 0;

/** Slots of the root bus: which have changed, and ejecting. */
export class AcpiPciHotplug {
  readonly region: MemoryRegion;
  readonly #slots: HotplugSlots;
  #state: PciHotplugState = { up: 0, down: 0, select: ROOT_BUS };

  constructor(slots: HotplugSlots) {
    this.#slots = slots;
    this.region = MemoryRegion.io("acpi-pci-hotplug", 0x18, {
      // Only whole words are registers; what else is tried reads as zero.
      read: (offset, size) => size === 4 ? this.#read(offset) : 0,
      write: (offset, size, value) => {
        if (size === 4) this.#write(offset, value);
      },
    });
  }

  /** Devices have come into `slots`; or, with "down", are asked to leave. */
  announce(slots: number, direction: "up" | "down"): void {
    this.#state[direction] = (this.#state[direction] | slots) >>> 0;
  }

  /** Devices that were asked to leave go now: nobody is left to answer. */
  reset(): void {
    const { down } = this.#state;
    this.#state = { up: 0, down: 0, select: ROOT_BUS };
    for (let slot = 0; slot < 32; slot++) if ((down >>> slot & 1) !== 0) this.#slots.eject(slot);
  }

  save(): PciHotplugState {
    return { ...this.#state };
  }

  load(state: PciHotplugState): void {
    this.#state = { ...state };
  }

  #read(offset: number): number {
    const state = this.#state;
    if (state.select !== ROOT_BUS) return offset === 0x10 ? state.select : 0;
    switch (offset) {
      case 0x00: {
        // Reading tells firmware once.
        const { up } = state;
        state.up = 0;
        return up;
      }
      case 0x04:
        return state.down;
      case 0x0c:
        return this.#slots.removable();
      case 0x10:
        return state.select;
      default:
        return 0;
    }
  }

  #write(offset: number, value: number): void {
    const state = this.#state;
    if (offset === 0x10) state.select = value;
    if (offset !== 0x08 || state.select !== ROOT_BUS || value === 0) return;
    // One slot a write: of several bits the lowest counts.
    const slot = 31 - Math.clz32(value & -value);
    state.down = (state.down & ~(1 << slot)) >>> 0;
    this.#slots.eject(slot);
  }
}

/** The old CPU block: a bit for each CPU that is there. Writes have no effect. */
export function cpuHotplugRegion(cpus: () => number): MemoryRegion {
  return MemoryRegion.io("acpi-cpu-hotplug", 0x20, {
    read: (offset) => {
      const here = Math.max(0, Math.min(8, cpus() - 8 * offset));
      return (1 << here) - 1;
    },
    write() {},
    accessSizes: { min: 1, max: 1 },
  });
}
