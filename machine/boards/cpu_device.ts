/**
 * The CPU as the object tree and `info mtree` show it: a node, a local APIC, and its views of memory.
 *
 * What it executes is the accelerator's affair. The local APIC here is its address window: writes to it are messages,
 * which go to the accelerator.
 *
 * Source: [Intel SDM 3A] 10.4.1 "The Local APIC Block Diagram", 10.11.1 "Message Address Register Format".
 *
 * @module
 */
import { AssertionFailure } from "../../base/assert.ts";
import {
  AddressSpace,
  ALL_ADDRESSES,
  Device,
  type DeviceContext,
  type DeviceType,
  MemoryRegion,
} from "../../devices/bus/mod.ts";
import type { Accelerator } from "../cpu/mod.ts";

const APIC_ADDRESS = 0xfee0_0000;
const APIC_BYTES = 0x10_0000;
/** Above everything that a board could place there. */
const APIC_PRIORITY = 0x1000;
const SMRAM_SPACE_BYTES = 0x1_0000_0000;

const CPU: DeviceType = {
  name: "qemu64-x86_64-cpu",
  busType: undefined,
  category: "CPU",
  userCreatable: false,
  properties: {},
  create(): Device {
    throw new AssertionFailure("a board makes its CPUs itself");
  },
};

const APIC: DeviceType = {
  name: "apic",
  busType: undefined,
  category: "Uncategorized",
  userCreatable: false,
  properties: {},
  create: (context) => new Apic(context),
};

/** `/machine/unattached/device[0]/lapic`. */
class Apic extends Device {
  constructor(context: DeviceContext) {
    super(APIC, context);
  }
}

/** What the CPU is given by the board. */
export interface CpuWiring {
  readonly systemMemory: MemoryRegion;
  readonly accelerator: Accelerator;
  readonly addAddressSpace: (space: AddressSpace) => void;
}

/** `/machine/unattached/device[0]`. */
export class CpuDevice extends Device {
  /** What it sees in SMM, above all else, once the board adds the alias. */
  readonly smmMemory = MemoryRegion.container("memory", ALL_ADDRESSES);
  readonly apic: Device;
  readonly #wiring: CpuWiring;

  constructor(context: DeviceContext, wiring: CpuWiring) {
    super(CPU, context);
    this.#wiring = wiring;
    this.apic = new Apic(context);
  }

  /** Shows SMRAM in SMM; called when the host bridge is there. */
  showSmram(smram: MemoryRegion): void {
    this.smmMemory.add(MemoryRegion.alias("smram", smram, 0, SMRAM_SPACE_BYTES), 0, 1);
  }

  protected override async onRealize(): Promise<void> {
    const { systemMemory, accelerator, addAddressSpace } = this.#wiring;
    addAddressSpace(new AddressSpace("cpu-memory-0", systemMemory));
    this.smmMemory.add(MemoryRegion.alias("memory", systemMemory, 0, ALL_ADDRESSES), 0);
    addAddressSpace(new AddressSpace("cpu-smm-0", this.smmMemory));
    const window = MemoryRegion.io("apic-msi", APIC_BYTES, {
      read: () => 0,
      write: (offset, _size, value) => accelerator.signalMessage(BigInt(APIC_ADDRESS + offset), value),
    });
    systemMemory.add(window, APIC_ADDRESS, APIC_PRIORITY);
    this.apic.place(this.node, "lapic");
    await this.apic.realize();
  }
}
