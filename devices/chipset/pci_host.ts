/**
 * The host bridge as the CPU sees it: configuration access by address port CF8 and data port CFC (mechanism #1).
 *
 * Source: [PCI 3.0] 3.2.2.3.2 "Software Generation of Configuration Transactions".
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceType,
  MemoryRegion,
  PciBus,
  type PciBusWiring,
  prop,
  type PropertyTable,
  type PropertyValues,
  SystemBusDevice,
} from "../bus/mod.ts";

const PROPERTIES = {
  "pci-hole64-size": prop.size(2n << 30n),
  "short_root_bus": prop.uint32(0),
  "x-pci-hole64-fix": prop.bool(true),
  "x-config-reg-migration-enabled": prop.bool(true),
  "bypass-iommu": prop.bool(false),
} satisfies PropertyTable;

type Table = typeof PROPERTIES;

interface State {
  readonly address: number;
}

const ADDRESS_PORT = 0xcf8;
const DATA_PORT = 0xcfc;
const ENABLE = 0x8000_0000;

/** The type; a board makes its instance by {@link I440fxHost}. */
export const i440fxHost: DeviceType<Table> = {
  name: "i440FX-pcihost",
  busType: "System",
  category: "Controller/Bridge/Hub",
  userCreatable: false,
  properties: PROPERTIES,
  create(context, values) {
    const nothing = MemoryRegion.container("none", 0);
    return new I440fxHost(context, { ports: nothing, memory: nothing, memoryOfBusMasters: nothing }, values);
  },
};

/** i440FX-pcihost with `pci.0`. */
export class I440fxHost extends SystemBusDevice<Table, State> {
  readonly pci: PciBus;
  #address = 0;

  constructor(context: DeviceContext, wiring: PciBusWiring, values: Partial<PropertyValues<Table>> = {}) {
    super(i440fxHost, context, values);
    this.pci = new PciBus(context, this, wiring);
  }

  protected override onRealize(): void {
    const anySize = { min: 1, max: 4 } as const;
    const index = MemoryRegion.io("pci-conf-idx", 4, {
      read: () => this.#address,
      write: (offset, size, value) => {
        if (offset === 0 && size === 4) this.#address = value;
      },
      accessSizes: anySize,
    });
    const data = MemoryRegion.io("pci-conf-data", 4, {
      read: (offset, size) => this.#read(offset, size),
      write: (offset, size, value) => this.#target?.writeConfig(this.#offset(offset), size, value),
      accessSizes: anySize,
    });
    this.pci.ports.add(index, ADDRESS_PORT);
    this.pci.ports.add(data, DATA_PORT);
  }

  protected override onReset(): void {
    this.#address = 0;
  }

  protected override saveState(): State {
    return { address: this.#address };
  }

  protected override loadState(state: State): void {
    this.#address = state.address >>> 0;
  }

  #read(offset: number, size: number): number {
    return this.#target?.readConfig(this.#offset(offset), size) ?? 2 ** (size * 8) - 1;
  }

  #offset(port: number): number {
    return (this.#address & 0xfc) | port;
  }

  /** The function that the address register names; none while the register is not enabled. */
  get #target() {
    if ((this.#address & ENABLE) === 0 || ((this.#address >>> 16) & 0xff) !== this.pci.number) return undefined;
    return this.pci.at((this.#address >>> 8) & 0xff);
  }
}
