/**
 * The system bus: devices that sit beside the CPU, with registers in memory and interrupt lines of their own.
 *
 * @module
 */
import { Bus } from "./bus.ts";
import type { DeviceContext } from "./context.ts";
import { Device } from "./device.ts";
import type { OutputPin } from "./irq.ts";
import type { MemoryRegion } from "./memory_region.ts";
import type { PropertyTable } from "./properties.ts";

/** The root of all buses, `main-system-bus`. */
export class SystemBus extends Bus {
  constructor(context: DeviceContext) {
    super(context, "System", undefined, "main-system-bus");
  }
}

/** A device on the system bus. */
export abstract class SystemBusDevice<Table extends PropertyTable = PropertyTable, State extends object = object>
  extends Device<Table, State> {
  /** Register windows, in order; the board maps them. */
  readonly mmio: MemoryRegion[] = [];

  /** Shows window `index` at `address` of `memory`. */
  map(index: number, memory: MemoryRegion, address: number, priority = 0): void {
    const region = this.mmio[index];
    if (region !== undefined) memory.add(region, address, priority);
  }

  /** Adds interrupt outputs under the name that `info qtree` shows. */
  protected addSystemIrqs(count: number): OutputPin[] {
    return this.addOutputs("sysbus-irq", count);
  }
}
