/**
 * A PCI function: configuration space, base address registers, interrupt pin, bus mastering.
 *
 * A BAR is a memory region that is seen where the register says, while the command register lets it. Bus mastering is
 * a view on memory that the command register opens and closes: what a closed one reads is zero, what it writes is lost.
 *
 * Left out: 64-bit BARs, expansion ROMs, capabilities, MSI, PCI Express.
 *
 * Source: [PCI 3.0] 6.2.5 "Base Addresses", 6.2.2 "Device Control".
 *
 * @module
 */
import { assert } from "../../../base/assert.ts";
import { AddressSpace } from "../address_space.ts";
import type { DeviceContext } from "../context.ts";
import { Device, DeviceStateError } from "../device.ts";
import type { DeviceOptions, DeviceType } from "../device_types.ts";
import type { IrqLine } from "../irq.ts";
import { ALL_ADDRESSES, MemoryRegion } from "../memory_region.ts";
import { prop, type PropertyTable, type PropertyValues } from "../properties.ts";
import type { GuestRam } from "../ram.ts";
import { CONFIG_BYTES, ConfigSpace } from "./config_space.ts";
import { Command, headerRegisters, type PciIdentity, Status } from "./header.ts";
import { PciBus } from "./pci_bus.ts";

/** Properties that every PCI device has; a type lists them after its own. */
export const PCI_PROPERTIES = {
  "addr": prop.pciDevfn(),
  "romfile": prop.str(),
  "romsize": prop.uint32(0xffff_ffff),
  "rombar": prop.uint32(1),
  "multifunction": prop.bool(false, { description: "on/off" }),
  "x-pcie-lnksta-dllla": prop.bool(true, { description: "on/off" }),
  "x-pcie-extcap-init": prop.bool(true, { description: "on/off" }),
  "failover_pair_id": prop.str(),
  "acpi-index": prop.uint32(0),
} satisfies PropertyTable;

/** A base address register. */
export interface Bar {
  readonly index: number;
  readonly kind: "io" | "memory";
  readonly prefetchable: boolean;
  readonly region: MemoryRegion;
  readonly sizeBytes: number;
  /** Where it is seen; `undefined` while it is not. */
  address: number | undefined;
}

interface PciBase {
  readonly config: Uint8Array;
  readonly interrupt: 0 | 1;
}

/** The base of all PCI functions. `Table` includes {@link PCI_PROPERTIES}. */
export abstract class PciDevice<
  Table extends typeof PCI_PROPERTIES & PropertyTable = typeof PCI_PROPERTIES,
  State extends object = object,
> extends Device<Table, State> {
  readonly identity: PciIdentity;
  readonly config = new ConfigSpace();
  readonly #bars: Bar[] = [];
  readonly #busMaster = MemoryRegion.container("bus master container", ALL_ADDRESSES);
  #busMasterWindow: MemoryRegion | undefined;
  #dma: AddressSpace | undefined;
  #devfn = -1;
  #interrupt: 0 | 1 = 0;

  constructor(
    type: DeviceType<Table>,
    context: DeviceContext,
    identity: PciIdentity,
    values: Partial<PropertyValues<Table>> = {},
    options: DeviceOptions = {},
  ) {
    super(type, context, values, options);
    this.identity = identity;
    const multifunction = this.#common["multifunction"];
    this.config.define(headerRegisters(identity, multifunction));
  }

  /** Slot * 8 + function; -1 while it is on no bus. */
  get devfn(): number {
    return this.#devfn;
  }

  get slot(): number {
    return this.#devfn >> 3;
  }

  get function(): number {
    return this.#devfn & 7;
  }

  /** The bus it is plugged into. */
  get pci(): PciBus {
    assert(this.bus instanceof PciBus, `${this.type.name} is on no PCI bus`);
    return this.bus;
  }

  get bars(): readonly Bar[] {
    return this.#bars;
  }

  /** Memory as this bus master reaches it. */
  get dma(): GuestRam {
    return this.dmaSpace;
  }

  /** The address space of its bus mastering, which `info mtree` lists. */
  get dmaSpace(): AddressSpace {
    assert(this.#dma !== undefined, `${this.type.name} is on no PCI bus yet`);
    return this.#dma;
  }

  /** The level that it drives on its interrupt pin. */
  get interruptLevel(): 0 | 1 {
    return this.#interrupt;
  }

  /** Its interrupt pin, through interrupt disable and the bus's routing. */
  readonly interrupt: IrqLine = {
    set: (level) => {
      if (this.#interrupt === level) return;
      this.#interrupt = level;
      this.#driveInterrupt();
    },
  };

  /** Reads of the configuration space, as software does them. */
  readConfig(offset: number, size: number): number {
    return this.config.read(offset, size);
  }

  /** A write by software, with all its effects. */
  writeConfig(offset: number, size: number, value: number): void {
    const before = this.config.get("command");
    this.config.write(offset, size, value);
    this.#follow(before);
    this.onConfigWrite(offset, size);
  }

  protected override onPlug(): void {
    const bus = this.pci;
    this.#devfn = bus.devfnOf(this);
    this.#setCommonAddress(this.#devfn);
    const window = MemoryRegion.alias("bus master", bus.memoryOfBusMasters, 0, bus.memoryOfBusMasters.sizeBytes);
    window.enabled = false;
    this.#busMasterWindow = window;
    this.#busMaster.add(window, 0);
    this.#dma = new AddressSpace(this.type.name, this.#busMaster);
  }

  /** Declares a BAR; `region` is seen where software puts it. */
  protected addBar(index: number, kind: "io" | "memory", region: MemoryRegion, prefetchable = false): void {
    const sizeBytes = Number(region.sizeBytes);
    assert(Number.isInteger(Math.log2(sizeBytes)), `BAR ${index} of ${this.type.name} is no power of two`);
    const flags = kind === "io" ? 1 : prefetchable ? 8 : 0;
    const mask = (0x1_0000_0000 - sizeBytes) >>> 0;
    this.config.define([{ name: `bar${index}`, offset: 0x10 + 4 * index, size: 4, reset: flags, writable: mask }]);
    this.#bars.push({ index, kind, prefetchable, region, sizeBytes, address: undefined });
  }

  /** Told after software wrote `size` bytes at `offset`. */
  protected onConfigWrite(_offset: number, _size: number): void {}

  /** Told after the configuration space came from a snapshot: whatever follows from it is set up again. */
  protected onConfigLoaded(): void {}

  override async reset(): Promise<void> {
    await this.onReset();
    this.interrupt.set(0);
    const before = this.config.get("command");
    this.config.reset();
    this.#follow(before);
    this.onConfigWrite(0, CONFIG_BYTES);
  }

  override async unrealize(): Promise<void> {
    await super.unrealize();
    this.interrupt.set(0);
    for (const bar of this.#bars) this.#show(bar, undefined);
    this.#dma?.[Symbol.dispose]();
  }

  protected override saveBase(): PciBase {
    return { config: this.config.save(), interrupt: this.#interrupt };
  }

  protected override loadBase(base: object): void {
    const { config, interrupt } = base as PciBase;
    for (const name of ["vendor", "device", "class"]) {
      const { offset, size } = this.config.registers.find((register) => register.name === name)!;
      for (let at = offset; at < offset + size; at++) {
        if (config[at] !== this.config.read(at, 1)) {
          throw new DeviceStateError(`${this.type.name}: the state is that of another PCI device`);
        }
      }
    }
    const before = this.config.get("command");
    this.config.load(config);
    this.#follow(before);
    this.onConfigLoaded();
    this.interrupt.set(interrupt === 1 ? 1 : 0);
  }

  get #common(): PropertyValues<typeof PCI_PROPERTIES> {
    return this.properties;
  }

  #setCommonAddress(devfn: number): void {
    (this.properties as { addr: number }).addr = devfn;
  }

  /** Whatever follows from command register and BARs. */
  #follow(commandBefore: number): void {
    const command = this.config.get("command");
    if (this.#busMasterWindow !== undefined) {
      this.#busMasterWindow.enabled = (command & Command.BusMaster) !== 0;
    }
    if (((command ^ commandBefore) & Command.InterruptDisable) !== 0) this.#driveInterrupt();
    for (const bar of this.#bars) this.#show(bar, this.#barAddress(bar, command));
  }

  #barAddress(bar: Bar, command: number): number | undefined {
    const wanted = bar.kind === "io" ? Command.IoSpace : Command.MemorySpace;
    if ((command & wanted) === 0) return undefined;
    const value = this.config.get(`bar${bar.index}`);
    const address = value - value % bar.sizeBytes;
    const last = address + bar.sizeBytes - 1;
    return address === 0 || last >= 0xffff_ffff ? undefined : address;
  }

  #show(bar: Bar, address: number | undefined): void {
    if (bar.address === address) return;
    const space = bar.kind === "io" ? this.pci.ports : this.pci.memory;
    if (bar.address !== undefined) space.remove(bar.region);
    bar.address = address;
    if (address !== undefined) space.add(bar.region, address, 1);
  }

  #driveInterrupt(): void {
    const status = this.config.get("status");
    this.config.set("status", this.#interrupt === 1 ? status | Status.Interrupt : status & ~Status.Interrupt);
    const pin = this.config.get("interrupt-pin");
    if (pin === 0 || this.#devfn < 0 || this.bus === undefined) return;
    const disabled = (this.config.get("command") & Command.InterruptDisable) !== 0;
    this.pci.setInterrupt(this, pin - 1, disabled ? 0 : this.#interrupt);
  }
}
