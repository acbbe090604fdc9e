/**
 * virtio over PCI: a function that carries a virtio device, by the legacy interface, that of version 1, or both
 * ("transitional").
 *
 * ```
 *   BAR 0  I/O: legacy registers         BAR 1  MSI-X        BAR 2  I/O: notify by port
 *   BAR 4  memory, 64 bits: structures of version 1
 * ```
 *
 * Source: [VIRTIO 1.2] 4.1 "Virtio Over PCI Bus".
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import {
  Command,
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  MAX_MSIX_VECTORS,
  PciDevice,
  type PciIdentity,
  PropertyError,
  type PropertyTable,
  type PropertyValues,
} from "../bus/mod.ts";
import { NO_VECTOR } from "./features.ts";
import type { VirtioPciHost } from "./pci_host.ts";
import { LegacyInterface } from "./pci_legacy.ts";
import { ModernInterface, type ModernState, type StructurePlace } from "./pci_modern.ts";
import { checkPciProperties, type VIRTIO_PCI_PROPERTIES } from "./pci_properties.ts";
import { RingMemory } from "./ring_memory.ts";
import { CapabilityType, LEGACY_CONFIG } from "./transport_registers.ts";
import { VirtioBus } from "./virtio_bus.ts";
import type { VirtioDevice } from "./virtio_device.ts";

const RED_HAT = 0x1af4;
const LEGACY_DEVICE = 0x1000;
const MODERN_DEVICE = 0x1040;
const BAR = { legacy: 0, msix: 1, ports: 2, modern: 4 } as const;

const VENDOR_CAPABILITY = 0x09;
const CAPABILITY_BYTES = 16;
/** One more register: the notify multiplier, or the window. */
const LONG_CAPABILITY_BYTES = 20;
/** Where the window's own registers are in its capability: [VIRTIO 1.2] 4.1.4.9. */
const Window = { Bar: 4, Offset: 8, Length: 12, Data: 16 } as const;

/** What a transport can speak. */
export interface Interfaces {
  readonly legacy: boolean;
  readonly modern: boolean;
}

/** Who a function is. */
export interface VirtioIdentity {
  readonly virtioId: number;
  /** The legacy device id, from 0x1000. */
  readonly legacyDevice: number;
  readonly classCode: number;
}

interface State {
  readonly modern: ModernState | undefined;
}

/** The identity of a function by what it speaks: [VIRTIO 1.2] 4.1.2. */
function identityOf(who: VirtioIdentity, { legacy }: Interfaces): PciIdentity {
  const common = { vendor: RED_HAT, classCode: who.classCode, interruptPin: 1 } as const;
  return legacy
    ? { ...common, device: LEGACY_DEVICE + who.legacyDevice, subsystemVendor: RED_HAT, subsystem: who.virtioId }
    : { ...common, device: MODERN_DEVICE + who.virtioId, revision: 1 };
}

/** The base of virtio functions. */
export abstract class VirtioPci<Table extends typeof VIRTIO_PCI_PROPERTIES & PropertyTable>
  extends PciDevice<Table, State>
  implements VirtioPciHost {
  readonly #interfaces: Interfaces;
  readonly #virtioBus: VirtioBus;
  #carried: VirtioDevice | undefined;
  #modern: ModernInterface | undefined;
  #window = 0;

  constructor(
    type: DeviceType<Table>,
    context: DeviceContext,
    who: VirtioIdentity,
    interfaces: Interfaces,
    values: Partial<PropertyValues<Table>> = {},
    options: DeviceOptions = {},
  ) {
    super(type, context, identityOf(who, interfaces), values, options);
    this.#interfaces = interfaces;
    this.#virtioBus = new VirtioBus(context, this, {
      memory: new RingMemory(() => this.dmaSpace),
      interrupt: (vector, isr) => this.#interrupt(vector, isr),
    });
  }

  /** Makes the device that it carries. */
  protected abstract makeDevice(interfaces: Interfaces): VirtioDevice;
  /** How many messages it can send, where the user leaves it open. */
  protected abstract defaultVectors(device: VirtioDevice): number;

  get device(): VirtioDevice {
    assert(this.#carried !== undefined, `${this.type.name} is not realized`);
    return this.#carried;
  }

  get vectors(): number {
    return this.msix?.vectors ?? 0;
  }

  get messagesEnabled(): boolean {
    return this.msix?.enabled ?? false;
  }

  lowerPin(): void {
    this.interrupt.set(0);
  }

  masterBus(): void {
    const command = this.config.get("command");
    if ((command & Command.BusMaster) === 0) this.writeConfig(0x04, 2, command | Command.BusMaster);
  }

  forget(): void {
    this.#modern?.reset();
    this.interrupt.set(0);
  }

  protected override async onRealize(): Promise<void> {
    const values: PropertyValues<typeof VIRTIO_PCI_PROPERTIES> = this.properties;
    const { legacy, modern } = this.#interfaces;
    checkPciProperties(values);
    if (!legacy && !modern) {
      throw new PropertyError(
        "device cannot work as neither modern nor legacy mode is enabled\n" +
          "Set either disable-modern or disable-legacy to off",
      );
    }
    const device = this.makeDevice(this.#interfaces);
    this.#carried = device;
    device.place(this.node, "virtio-backend");
    await device.realize(this.#virtioBus);
    if (modern) this.#addModern();
    if (values.vectors === UNSET_VECTORS) values.vectors = this.defaultVectors(device);
    if (values.vectors > MAX_MSIX_VECTORS) {
      this.context.warn(`warning: unable to init msix vectors to ${values.vectors}`);
      values.vectors = 0;
    } else if (values.vectors > 0) this.addMsix(BAR.msix, values.vectors, `${this.type.name}-msix`);
    if (!legacy) return;
    const head = this.msix === undefined ? LEGACY_CONFIG.withoutVectors : LEGACY_CONFIG.withVectors;
    const sizeBytes = 2 ** Math.ceil(Math.log2(head + device.configBytes().length));
    this.addBar(BAR.legacy, "io", new LegacyInterface(this, sizeBytes).region);
  }

  #addModern(): void {
    const values: PropertyValues<typeof VIRTIO_PCI_PROPERTIES> = this.properties;
    const modern = new ModernInterface(this, {
      pagePerQueue: values["page-per-vq"],
      notifyByPort: values["modern-pio-notify"],
    });
    this.#modern = modern;
    for (const place of modern.structures(BAR.modern, BAR.ports)) this.#addStructure(place);
    this.#addWindow();
    if (modern.ports !== undefined) this.addBar(BAR.ports, "io", modern.ports);
    this.addBar(BAR.modern, "memory", modern.region, { prefetchable: true, is64Bit: true });
  }

  #addStructure({ type, bar, offset, lengthBytes, multiplier }: StructurePlace): void {
    const bytes = multiplier === undefined ? CAPABILITY_BYTES : LONG_CAPABILITY_BYTES;
    const at = this.addCapability(VENDOR_CAPABILITY, bytes);
    this.config.define([
      { name: `virtio-${at}-length`, offset: at + 2, size: 1, reset: bytes },
      { name: `virtio-${at}-type`, offset: at + 3, size: 1, reset: type },
      { name: `virtio-${at}-bar`, offset: at + 4, size: 1, reset: bar },
      { name: `virtio-${at}-offset`, offset: at + 8, size: 4, reset: offset },
      { name: `virtio-${at}-bytes`, offset: at + 12, size: 4, reset: lengthBytes },
    ]);
    if (multiplier === undefined) return;
    this.config.define([{ name: `virtio-${at}-multiplier`, offset: at + 16, size: 4, reset: multiplier }]);
  }

  /** A window by which firmware without memory BARs gets at the structures. */
  #addWindow(): void {
    const at = this.addCapability(VENDOR_CAPABILITY, LONG_CAPABILITY_BYTES);
    this.#window = at;
    const open = { writable: 0xffff_ffff, keepsOnReset: true } as const;
    this.config.define([
      { name: "window-length-of-capability", offset: at + 2, size: 1, reset: LONG_CAPABILITY_BYTES },
      { name: "window-type", offset: at + 3, size: 1, reset: CapabilityType.Pci },
      { name: "window-bar", offset: at + Window.Bar, size: 1, writable: 0xff, keepsOnReset: true },
      { name: "window-offset", offset: at + Window.Offset, size: 4, ...open },
      { name: "window-length", offset: at + Window.Length, size: 4, ...open },
      { name: "window-data", offset: at + Window.Data, size: 4, ...open },
    ]);
  }

  override readConfig(offset: number, size: number): number {
    const access = this.#windowAccess(offset, size);
    if (access !== undefined) {
      this.config.set("window-data", 0);
      this.config.set("window-data", access.read());
    }
    return super.readConfig(offset, size);
  }

  protected override onConfigWrite(offset: number, size: number): void {
    if (offset === 0 && size > 4) return; // A reset, not software.
    if (offset < 6 && offset + size > 4) this.#followBusMaster();
    this.#windowAccess(offset, size)?.write(this.config.get("window-data"));
  }

  /** Without the bus a device does nothing, and its driver starts it anew once it has it again. */
  #followBusMaster(): void {
    const { device } = this;
    const may = (this.config.get("command") & Command.BusMaster) !== 0;
    if (!may) device.stopDriver();
    device.setDisabled(!may && this.followsBusMaster);
  }

  protected abstract readonly followsBusMaster: boolean;

  /** The access to a structure that `size` bytes at `offset` of configuration space stand for. */
  #windowAccess(offset: number, size: number) {
    const data = this.#window + Window.Data;
    const region = this.#modern?.region;
    if (this.#window === 0 || region === undefined || offset >= data + 4 || offset + size <= data) return undefined;
    const length = this.config.get("window-length");
    if (length !== 1 && length !== 2 && length !== 4) return undefined;
    const at = this.config.get("window-offset");
    const aligned = at - at % length;
    const child = region.children.find(({ address, sizeBytes }) =>
      BigInt(aligned) >= address && BigInt(aligned) < address + sizeBytes
    );
    if (child?.content.kind !== "io") return undefined;
    const { handlers } = child.content;
    const within = aligned - Number(child.address);
    return {
      read: () => handlers.read(within, length),
      write: (value: number) => handlers.write(within, length, value % 2 ** (8 * length)),
    };
  }

  #interrupt(vector: number, isr: number): void {
    const { msix } = this;
    if (!msix?.enabled) this.interrupt.set((isr & 1) as 0 | 1);
    else if (vector !== NO_VECTOR) msix.notify(vector);
  }

  protected override onReset(): void {
    this.#modern?.reset();
  }

  protected override saveState(): State {
    return { modern: this.#modern?.save() };
  }

  protected override loadState({ modern }: State): void {
    if (modern !== undefined) this.#modern?.load(modern);
  }
}

/** `vectors` as long as nobody has chosen. */
export const UNSET_VECTORS = 0xffff_ffff;
