/**
 * A PCI function: configuration space, base address registers, interrupt pin, bus mastering.
 *
 * A BAR is a memory region that is seen where the register says, while the command register lets it. Bus mastering is
 * a view on memory that the command register opens and closes: what a closed one reads is zero, what it writes is lost.
 * Messages (MSI-X) go the same way, as writes to memory.
 *
 * Left out: MSI without the X, PCI Express.
 *
 * Source: [PCI 3.0] 6.2.5 "Base Addresses", 6.2.2 "Device Control", 6.7 "Capabilities List".
 *
 * @module
 */
import { assert } from "../../../base/assert.ts";
import { AddressSpace } from "../address_space.ts";
import type { DeviceContext } from "../context.ts";
import { Device, type SavedDevice } from "../device.ts";
import type { DeviceOptions, DeviceType } from "../device_types.ts";
import type { IrqLine } from "../irq.ts";
import { ALL_ADDRESSES, MemoryRegion } from "../memory_region.ts";
import { prop, type PropertyTable, type PropertyValues } from "../properties.ts";
import type { GuestRam } from "../ram.ts";
import { CONFIG_BYTES, ConfigSpace } from "./config_space.ts";
import { Command, headerRegisters, type PciIdentity, Status } from "./header.ts";
import { Msix, MSIX_CAPABILITY, MSIX_CAPABILITY_BYTES, type MsixState } from "./msix.ts";
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

/** How a base address register looks. */
export interface BarOptions {
  readonly prefetchable?: boolean;
  /** It takes the next register too, for the upper half of its address. */
  readonly is64Bit?: boolean;
}

/** A base address register. Number 6 is the expansion ROM's. */
export interface Bar {
  readonly index: number;
  readonly kind: "io" | "memory";
  readonly prefetchable: boolean;
  readonly is64Bit: boolean;
  readonly region: MemoryRegion;
  readonly sizeBytes: number;
  /** Where it is seen; `undefined` while it is not. */
  address: number | undefined;
}

/** The index of the expansion ROM's register, where BARs are counted. */
export const ROM_BAR = 6;
const ROM_OFFSET = 0x30;
const ROM_ENABLE = 1;
const CAPABILITY_ALIGNMENT = 4;
const MAX_MESSAGE_ADDRESS = BigInt(Number.MAX_SAFE_INTEGER - 4);

interface PciBase {
  readonly config: Uint8Array;
  readonly interrupt: 0 | 1;
  readonly msix: MsixState | undefined;
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
  #msix: Msix | undefined;
  #signalling = false;
  #nextCapability = 0x40;

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

  /** Its message-signalled interrupts, where it has any. */
  get msix(): Msix | undefined {
    return this.#msix;
  }

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

  /** Declares a BAR; `region`, whose size is a power of two, is seen where software puts it. */
  protected addBar(index: number, kind: "io" | "memory", region: MemoryRegion, options: BarOptions = {}): void {
    const { prefetchable = false, is64Bit = false } = options;
    const flags = kind === "io" ? 0x1 : (prefetchable ? 0x8 : 0) | (is64Bit ? 0x4 : 0);
    this.#declareBar({ index, kind, prefetchable, is64Bit, region }, 0x10 + 4 * index, flags, 0);
    if (!is64Bit) return;
    this.config.define([{ name: `bar${index}-high`, offset: 0x14 + 4 * index, size: 4, writable: 0xffff_ffff }]);
  }

  /** Declares the expansion ROM, whose size is a power of two from 2 KiB up. */
  protected addRom(region: MemoryRegion): void {
    const bar = { index: ROM_BAR, kind: "memory", prefetchable: false, is64Bit: false, region } as const;
    this.#declareBar(bar, ROM_OFFSET, 0, ROM_ENABLE);
  }

  #declareBar(bar: Omit<Bar, "sizeBytes" | "address">, offset: number, flags: number, alsoWritable: number): void {
    const sizeBytes = Number(bar.region.sizeBytes);
    assert(Number.isInteger(Math.log2(sizeBytes)), `BAR ${bar.index} of ${this.type.name} is no power of two`);
    const writable = ((0x1_0000_0000 - sizeBytes) | alsoWritable) >>> 0;
    this.config.define([{ name: `bar${bar.index}`, offset, size: 4, reset: flags, writable }]);
    this.#bars.push({ ...bar, sizeBytes, address: undefined });
    this.#bars.sort((a, b) => a.index - b.index);
  }

  /**
   * Puts a capability at the head of the list and returns its offset; behind the others, unless `offset` says where.
   * Its bytes are read-only zeroes but for id and link, until the caller declares its registers.
   */
  protected addCapability(id: number, sizeBytes: number, offset: number = this.#nextCapability): number {
    assert(offset % CAPABILITY_ALIGNMENT === 0 && offset + sizeBytes <= CONFIG_BYTES, `no room for capability ${id}`);
    const end = offset + sizeBytes;
    this.#nextCapability = Math.max(this.#nextCapability, Math.ceil(end / CAPABILITY_ALIGNMENT) * CAPABILITY_ALIGNMENT);
    const next = this.config.get("capabilities");
    const status = this.config.get("status") | Status.CapabilityList;
    this.config.define([
      { name: "status", offset: 0x06, size: 2, reset: status, writeOneToClear: 0xf900 },
      { name: "capabilities", offset: 0x34, size: 1, reset: offset },
      ...Array.from({ length: sizeBytes }, (_, i) => ({
        name: `capability-${hex(offset)}+${i}`,
        offset: offset + i,
        size: 1 as const,
        reset: i === 0 ? id : i === 1 ? next : 0,
      })),
    ]);
    return offset;
  }

  /** Gives it MSI-X with `vectors` messages, whose table and pending bits fill memory BAR `index`. */
  protected addMsix(index: number, vectors: number, regionName: string): Msix {
    assert(this.#msix === undefined, `${this.type.name} has MSI-X already`);
    const msix = new Msix(vectors, regionName, (address, data) => this.#signal(address, data));
    const offset = this.addCapability(MSIX_CAPABILITY, MSIX_CAPABILITY_BYTES);
    this.config.define(msix.registers(offset, index));
    this.addBar(index, "memory", msix.region);
    return this.#msix = msix;
  }

  /**
   * A message is a write of a bus master: software that has not let it master the bus loses it. So it does where the
   * message lands on registers that make this function send another: those of its own, for one.
   */
  #signal(address: bigint, data: number): void {
    if (this.#signalling || address > MAX_MESSAGE_ADDRESS) return;
    this.#signalling = true;
    this.dmaSpace.writeValue(Number(address), 4, data);
    this.#signalling = false;
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
    this.#msix?.reset();
    this.#follow(before);
    this.onConfigWrite(0, CONFIG_BYTES);
  }

  override async unrealize(): Promise<void> {
    if (this.realized) {
      await this.stop();
      this.interrupt.set(0);
      for (const bar of this.#bars) this.#show(bar, undefined);
    }
    await super.unrealize();
    this.#dma?.[Symbol.dispose]();
  }

  protected override saveBase(): PciBase {
    return { config: this.config.save(), interrupt: this.#interrupt, msix: this.#msix?.save() };
  }

  override refusal(saved: SavedDevice): string | undefined {
    const refusal = super.refusal(saved);
    if (refusal !== undefined) return refusal;
    const { config } = saved.base as PciBase;
    const isMine = ["vendor", "device", "class"].every((name) => {
      const { offset, size } = this.config.registers.find((register) => register.name === name)!;
      for (let at = offset; at < offset + size; at++) if (config[at] !== this.config.read(at, 1)) return false;
      return true;
    });
    return isMine ? undefined : `${this.type.name}: the state is that of another PCI device`;
  }

  protected override loadBase(base: object): void {
    const { config, interrupt, msix } = base as PciBase;
    const before = this.config.get("command");
    this.config.load(config);
    if (msix !== undefined) this.#msix?.load(msix);
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
    this.#msix?.control(this.config.get("msix-control"));
    // A function that sends messages does not use its pin.
    if (this.#msix?.enabled) this.interrupt.set(0);
  }

  #barAddress(bar: Bar, command: number): number | undefined {
    const wanted = bar.kind === "io" ? Command.IoSpace : Command.MemorySpace;
    if ((command & wanted) === 0) return undefined;
    const low = this.config.get(`bar${bar.index}`);
    if (bar.index === ROM_BAR && (low & ROM_ENABLE) === 0) return undefined;
    const high = bar.is64Bit ? this.config.get(`bar${bar.index}-high`) : 0;
    const address = low - low % bar.sizeBytes + high * 2 ** 32;
    const last = address + bar.sizeBytes - 1;
    // Beyond what a number counts no access gets.
    return address === 0 || last >= (bar.is64Bit ? Number.MAX_SAFE_INTEGER : 0xffff_ffff) ? undefined : address;
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

function hex(offset: number): string {
  return offset.toString(16);
}
