/**
 * A PCI bus: 32 slots of 8 functions, and four interrupt wires that go to its bridge.
 *
 * Left out: bridges and buses behind them; there is bus 0 only.
 *
 * @module
 */
import { Bus } from "../bus.ts";
import type { DeviceContext } from "../context.ts";
import type { Device } from "../device.ts";
import type { MemoryRegion } from "../memory_region.ts";
import { PropertyError } from "../properties.ts";
import { PciDevice } from "./pci_device.ts";

/** Where the bus ends: what its host bridge gives it. */
export interface PciBusWiring {
  /** Where I/O BARs are seen. */
  readonly ports: MemoryRegion;
  /** Where memory BARs are seen. */
  readonly memory: MemoryRegion;
  /** What bus masters reach. */
  readonly memoryOfBusMasters: MemoryRegion;
}

/** How interrupts leave the bus. */
export interface PciInterruptRouter {
  /** The wire, 0 to 3, that pin 0 to 3 (INTA# to INTD#) of a slot is on. */
  wireOf(slot: number, pin: number): number;
  set(wire: number, level: 0 | 1): void;
}

const FUNCTIONS = 8;
const DEVFNS = 256;

/** Bus 0. */
export class PciBus extends Bus {
  readonly number = 0;
  readonly ports: MemoryRegion;
  readonly memory: MemoryRegion;
  readonly memoryOfBusMasters: MemoryRegion;
  readonly #functions: (PciDevice | undefined)[] = new Array(DEVFNS).fill(undefined);
  readonly #levels = new Map<PciDevice, number>();
  readonly #high = [0, 0, 0, 0];
  #router: PciInterruptRouter | undefined;

  constructor(context: DeviceContext, parent: Device, wiring: PciBusWiring, name = "pci.0") {
    super(context, "PCI", parent, name);
    this.ports = wiring.ports;
    this.memory = wiring.memory;
    this.memoryOfBusMasters = wiring.memoryOfBusMasters;
  }

  /** Connects the four wires; PIIX3 does. */
  route(router: PciInterruptRouter): void {
    this.#router = router;
  }

  /** The function at slot * 8 + function. */
  at(devfn: number): PciDevice | undefined {
    return this.#functions[devfn];
  }

  /** All functions, by slot and function. */
  get functions(): readonly PciDevice[] {
    return this.#functions.filter((device) => device !== undefined);
  }

  /** The level of wire 0 to 3: high while any function drives it so. */
  wireLevel(wire: number): 0 | 1 {
    return (this.#high[wire] ?? 0) > 0 ? 1 : 0;
  }

  override attach(device: Device): void {
    if (!(device instanceof PciDevice)) {
      throw new PropertyError(`Device '${device.type.name}' can't go on PCI bus`);
    }
    if (device.properties.failover_pair_id !== undefined) {
      throw new PropertyError("failover primary device must be on PCIExpress bus");
    }
    const devfn = this.#place(device);
    super.attach(device);
    this.#functions[devfn] = device;
  }

  /** Where the function that was just attached is. */
  devfnOf(device: PciDevice): number {
    return this.#functions.indexOf(device);
  }

  override detach(device: Device): void {
    super.detach(device);
    const devfn = this.#functions.findIndex((other) => other === device);
    if (devfn < 0) return;
    const levels = this.#levels.get(this.#functions[devfn]!) ?? 0;
    for (let pin = 0; pin < 4; pin++) {
      if ((levels & (1 << pin)) !== 0) this.setInterrupt(this.#functions[devfn]!, pin, 0);
    }
    this.#levels.delete(this.#functions[devfn]!);
    this.#functions[devfn] = undefined;
  }

  /** A function drives pin 0 to 3. */
  setInterrupt(device: PciDevice, pin: number, level: 0 | 1): void {
    const before = this.#levels.get(device) ?? 0;
    const after = level === 1 ? before | (1 << pin) : before & ~(1 << pin);
    if (before === after || this.#router === undefined) return;
    this.#levels.set(device, after);
    const wire = this.#router.wireOf(device.slot, pin);
    this.#high[wire] = (this.#high[wire] ?? 0) + (level === 1 ? 1 : -1);
    this.#router.set(wire, this.wireLevel(wire));
  }

  /** Finds `device` its place, or says why there is none. */
  #place(device: PciDevice): number {
    const wanted = device.properties.addr;
    if (wanted < 0) {
      for (let devfn = 0; devfn < DEVFNS; devfn += FUNCTIONS) if (this.#functions[devfn] === undefined) return devfn;
      throw new PropertyError(`PCI: no slot/function available for ${device.type.name}, all in use or reserved`);
    }
    const slot = wanted >> 3;
    const holder = this.#functions[wanted];
    if (holder !== undefined) {
      throw new PropertyError(
        `PCI: slot ${slot} function ${wanted & 7} not available for ${device.type.name}, ` +
          `in use by ${holder.type.name},id=${holder.id ?? "(null)"}`,
      );
    }
    this.#checkMultifunction(device, wanted);
    return wanted;
  }

  #checkMultifunction(device: PciDevice, devfn: number): void {
    const slot = devfn >> 3;
    const first = this.#functions[slot * FUNCTIONS];
    if ((devfn & 7) !== 0) {
      if (first !== undefined && !first.properties.multifunction) {
        throw new PropertyError(
          `PCI: single function device can't be populated in function ${slot.toString(16)}.${(devfn & 7).toString(16)}`,
        );
      }
      return;
    }
    if (device.properties.multifunction) return;
    for (let fn = 1; fn < FUNCTIONS; fn++) {
      if (this.#functions[slot * FUNCTIONS + fn] !== undefined) {
        const place = slot.toString(16);
        throw new PropertyError(
          `PCI: ${place}.0 indicates single function, but ${place}.${fn} is already populated.`,
        );
      }
    }
  }
}
