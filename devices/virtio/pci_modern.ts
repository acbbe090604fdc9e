/**
 * The interface of version 1: four structures in a memory BAR, and a fifth through configuration space.
 *
 * ```
 *   BAR 4   0000 common   1000 ISR   2000 device   3000 notify (4 bytes, or a page, for each queue)
 *   BAR 2   notify by port, where it was asked for
 * ```
 *
 * Source: [VIRTIO 1.2] 4.1.4 "Virtio Structure PCI Capabilities".
 *
 * @module
 */
import { MemoryRegion } from "../bus/mod.ts";
import { LEGACY_FEATURES, MAX_QUEUES } from "./features.ts";
import { grantedVector, type VirtioPciHost } from "./pci_host.ts";
import { CapabilityType, COMMON, registerAt } from "./transport_registers.ts";
import type { QueueAddresses } from "./virtqueue.ts";

const STRUCTURE_BYTES = 0x1000;
const Place = { Common: 0x0000, Isr: 0x1000, Device: 0x2000, Notify: 0x3000 } as const;

type CommonRegister = NonNullable<(typeof COMMON.byOffset)[number]>;

/** Where a structure is, as a capability tells it. */
export interface StructurePlace {
  readonly type: number;
  readonly bar: number;
  readonly offset: number;
  readonly lengthBytes: number;
  /** Of the notify structure: bytes from queue to queue. */
  readonly multiplier?: number;
}

/** What the interface itself remembers. */
export interface ModernState {
  readonly deviceFeatureSelect: number;
  readonly driverFeatureSelect: number;
  readonly driverFeatures: readonly [low: number, high: number];
}

/** The structures of one function. */
export class ModernInterface {
  /** What the memory BAR shows. */
  readonly region: MemoryRegion;
  /** What the I/O BAR shows, where there is one. */
  readonly ports: MemoryRegion | undefined;
  readonly #host: VirtioPciHost;
  readonly #multiplier: number;
  #deviceFeatureSelect = 0;
  #driverFeatureSelect = 0;
  #driverFeatures: [low: number, high: number] = [0, 0];

  constructor(host: VirtioPciHost, options: { readonly pagePerQueue: boolean; readonly notifyByPort: boolean }) {
    this.#host = host;
    this.#multiplier = options.pagePerQueue ? STRUCTURE_BYTES : 4;
    const name = host.device.virtioName;
    const notifyBytes = this.#multiplier * MAX_QUEUES;
    const sizeBytes = 2 ** Math.ceil(Math.log2(Place.Notify + notifyBytes));
    this.region = MemoryRegion.container("virtio-pci", sizeBytes);
    const common = {
      read: (offset: number) => this.#readPart(offset),
      write: (offset: number, _size: number, value: number) => this.#writeCommon(offset, value),
    };
    const isr = { read: () => this.#takeIsr(), write() {} };
    const device = {
      read: (offset: number, size: number) => host.device.readConfig(offset, size),
      write: (offset: number, size: number, value: number) => host.device.writeConfig(offset, size, value),
    };
    const notify = {
      read: () => 0,
      write: (offset: number) => host.device.kick(Math.floor(offset / this.#multiplier)),
    };
    this.region.add(MemoryRegion.io(`virtio-pci-common-${name}`, STRUCTURE_BYTES, common), Place.Common);
    this.region.add(MemoryRegion.io(`virtio-pci-isr-${name}`, STRUCTURE_BYTES, isr), Place.Isr);
    this.region.add(MemoryRegion.io(`virtio-pci-device-${name}`, STRUCTURE_BYTES, device), Place.Device);
    this.region.add(MemoryRegion.io(`virtio-pci-notify-${name}`, notifyBytes, notify), Place.Notify);
    if (!options.notifyByPort) return;
    this.ports = MemoryRegion.container("virtio-pci-io", 4);
    const byPort = {
      read: () => 0,
      write: (_offset: number, _size: number, value: number) => host.device.kick(value),
    };
    this.ports.add(MemoryRegion.io(`virtio-pci-notify-pio-${name}`, 4, byPort), 0);
  }

  /** The structures, for memory BAR `bar` and I/O BAR `portBar`, in the order of their capabilities. */
  structures(bar: number, portBar: number): StructurePlace[] {
    const notifyBytes = this.#multiplier * MAX_QUEUES;
    const plain = (type: number, offset: number) => ({ type, bar, offset, lengthBytes: STRUCTURE_BYTES });
    return [
      plain(CapabilityType.Common, Place.Common),
      plain(CapabilityType.Isr, Place.Isr),
      plain(CapabilityType.Device, Place.Device),
      { ...plain(CapabilityType.Notify, Place.Notify), lengthBytes: notifyBytes, multiplier: this.#multiplier },
      ...(this.ports === undefined
        ? []
        : [{ type: CapabilityType.Notify, bar: portBar, offset: 0, lengthBytes: 4, multiplier: 0 }]),
    ];
  }

  reset(): void {
    this.#deviceFeatureSelect = this.#driverFeatureSelect = 0;
    this.#driverFeatures = [0, 0];
  }

  save(): ModernState {
    return {
      deviceFeatureSelect: this.#deviceFeatureSelect,
      driverFeatureSelect: this.#driverFeatureSelect,
      driverFeatures: [...this.#driverFeatures],
    };
  }

  load(state: ModernState): void {
    this.#deviceFeatureSelect = state.deviceFeatureSelect >>> 0;
    this.#driverFeatureSelect = state.driverFeatureSelect >>> 0;
    const [low, high] = state.driverFeatures;
    this.#driverFeatures = [low >>> 0, high >>> 0];
  }

  #takeIsr(): number {
    const isr = this.#host.device.takeIsr();
    this.#host.lowerPin();
    return isr;
  }

  /** From within a register come its upper bytes: there are CPUs that read 16 bits as two times 8. */
  #readPart(offset: number): number {
    const name = COMMON.byOffset[offset];
    if (name === undefined) return 0;
    const within = offset - COMMON.rows.get(name)!.offset;
    return this.#readCommon(name) >>> (8 * within);
  }

  #readCommon(name: CommonRegister): number {
    const { device } = this.#host;
    const queue = device.selected;
    switch (name) {
      case "device-feature-select":
        return this.#deviceFeatureSelect;
      case "device-feature": {
        const offered = device.hostFeatures & ~LEGACY_FEATURES;
        return this.#deviceFeatureSelect > 1 ? 0 : word(offered, this.#deviceFeatureSelect);
      }
      case "driver-feature-select":
        return this.#driverFeatureSelect;
      case "driver-feature":
        return this.#driverFeatures[this.#driverFeatureSelect] ?? 0;
      case "config-vector":
        return device.configVector;
      case "queue-count":
        return device.queues.length;
      case "device-status":
        return device.status;
      case "config-generation":
        return device.generation;
      case "queue-select":
        return device.queueSelect;
      case "queue-size":
        return queue?.size ?? 0;
      case "queue-vector":
        return queue?.vector ?? 0xffff;
      case "queue-enable":
        return queue?.enabled ? 1 : 0;
      case "queue-notify-offset":
        return device.queueSelect;
      case "queue-reset":
        return queue !== undefined && device.hasStragglers(queue) ? 1 : 0;
      default: {
        const half = ADDRESS_HALVES[name];
        return half === undefined ? 0 : queue?.addresses[half.area][half.index] ?? 0;
      }
    }
  }

  #writeCommon(offset: number, value: number): void {
    const host = this.#host;
    const { device } = host;
    const queue = device.selected;
    const name = registerAt(COMMON, offset);
    switch (name) {
      case "device-feature-select":
        this.#deviceFeatureSelect = value >>> 0;
        return;
      case "driver-feature-select":
        this.#driverFeatureSelect = value >>> 0;
        return;
      case "driver-feature":
        if (this.#driverFeatureSelect > 1) return;
        this.#driverFeatures[this.#driverFeatureSelect] = value >>> 0;
        device.setFeatures(BigInt(this.#driverFeatures[1]) << 32n | BigInt(this.#driverFeatures[0]));
        return;
      case "config-vector":
        device.configVector = grantedVector(host, value & 0xffff);
        return;
      case "device-status":
        device.setStatus(value & 0xff);
        if (device.status === 0) host.forget();
        return;
      case "queue-select":
        if ((value & 0xffff) < MAX_QUEUES) device.queueSelect = value & 0xffff;
        return;
      case "queue-size":
        queue?.resize(value & 0xffff);
        return;
      case "queue-vector":
        if (queue !== undefined) queue.vector = grantedVector(host, value & 0xffff);
        return;
      case "queue-enable":
        if ((value & 0xffff) === 1) queue?.enable();
        else device.fail(`wrong value for queue_enable ${(value & 0xffff).toString(16)}`);
        return;
      case "queue-reset":
        if ((value & 0xffff) === 1 && queue !== undefined) device.resetQueue(queue);
        return;
      default: {
        const half = name === undefined ? undefined : ADDRESS_HALVES[name];
        if (half === undefined || queue === undefined || queue.enabled) return;
        const pair: [number, number] = [...queue.addresses[half.area]];
        pair[half.index] = value >>> 0;
        queue.addresses = { ...queue.addresses, [half.area]: pair };
      }
    }
  }
}

type Half = { readonly area: keyof QueueAddresses; readonly index: 0 | 1 };

const ADDRESS_HALVES: Readonly<Record<string, Half>> = {
  "queue-descriptors-low": { area: "descriptors", index: 0 },
  "queue-descriptors-high": { area: "descriptors", index: 1 },
  "queue-driver-low": { area: "driver", index: 0 },
  "queue-driver-high": { area: "driver", index: 1 },
  "queue-device-low": { area: "device", index: 0 },
  "queue-device-high": { area: "device", index: 1 },
};

/** Word 0 or 1 of a set of features. */
function word(features: bigint, index: number): number {
  return Number(features >> BigInt(32 * index) & 0xffff_ffffn);
}
