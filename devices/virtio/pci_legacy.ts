/**
 * The legacy interface: registers in I/O space, a queue at one page number, features of 32 bits.
 *
 * Source: [VIRTIO 1.2] 4.1.4.10 "Legacy Interfaces", 2.7.2 "Legacy Interfaces: A Note on Virtqueue Layout".
 *
 * @module
 */
import { alignUp } from "../../base/bits.ts";
import { MemoryRegion } from "../bus/mod.ts";
import { bit, DeviceStatus, Feature, MAX_QUEUES } from "./features.ts";
import { grantedVector, type VirtioPciHost } from "./pci_host.ts";
import { LEGACY, LEGACY_CONFIG, registerAt } from "./transport_registers.ts";
import type { Virtqueue } from "./virtqueue.ts";

const PAGE_BYTES = 4096;
const OUT_OF_RANGE = 0xffff_ffff;

/** The registers of one function. */
export class LegacyInterface {
  readonly region: MemoryRegion;
  readonly #host: VirtioPciHost;

  /** A block of `sizeBytes`, a power of two with room for the device's configuration. */
  constructor(host: VirtioPciHost, sizeBytes: number) {
    this.#host = host;
    this.region = MemoryRegion.io("virtio-pci", sizeBytes, {
      read: (offset, size) => this.#read(offset, size),
      write: (offset, size, value) => this.#write(offset, size, value),
    });
  }

  get #configOffset(): number {
    return this.#host.messagesEnabled ? LEGACY_CONFIG.withVectors : LEGACY_CONFIG.withoutVectors;
  }

  #read(offset: number, size: number): number {
    const { device } = this.#host;
    const config = this.#configOffset;
    if (offset >= config) return device.readConfig(offset - config, size);
    switch (registerAt(LEGACY, offset)) {
      case "device-features":
        return Number(device.hostFeatures & 0xffff_ffffn);
      case "driver-features":
        return Number(device.features & 0xffff_ffffn);
      case "queue-page":
        return device.selected === undefined ? 0 : pageOf(device.selected);
      case "queue-size":
        return device.selected?.size ?? 0;
      case "queue-select":
        return device.queueSelect;
      case "device-status":
        return device.status;
      case "isr": {
        const isr = device.takeIsr();
        this.#host.lowerPin();
        return isr;
      }
      case "config-vector":
        return device.configVector;
      case "queue-vector":
        return device.selected?.vector ?? 0xffff;
      default:
        return OUT_OF_RANGE;
    }
  }

  #write(offset: number, size: number, value: number): void {
    const host = this.#host;
    const { device } = host;
    const config = this.#configOffset;
    if (offset >= config) return device.writeConfig(offset - config, size, value);
    switch (registerAt(LEGACY, offset)) {
      case "driver-features": {
        const wanted = BigInt(value >>> 0);
        // Who takes what is not to be taken has not looked.
        device.setFeatures((wanted & bit(Feature.Bad)) === 0n ? wanted : 0n);
        return;
      }
      case "queue-page":
        return this.#setPage(value >>> 0);
      case "queue-select":
        if (value < MAX_QUEUES) device.queueSelect = value;
        return;
      case "queue-notify":
        return device.kick(value);
      case "device-status":
        device.setStatus(value & 0xff);
        if (device.status === 0) host.forget();
        // Old drivers of Linux never set the bus master bit and rely on getting it.
        if (value === (DeviceStatus.Acknowledge | DeviceStatus.Driver)) host.masterBus();
        return;
      case "config-vector":
        device.configVector = grantedVector(host, value);
        return;
      case "queue-vector":
        if (device.selected !== undefined) device.selected.vector = grantedVector(host, value);
        return;
      default:
    }
  }

  /** A page number of 0 resets the device. */
  #setPage(page: number): void {
    const { device } = this.#host;
    if (page === 0) {
      device.driverReset();
      this.#host.forget();
      return;
    }
    const queue = device.selected;
    if (queue === undefined || queue.enabled) return;
    const descriptors = page * PAGE_BYTES;
    const driver = descriptors + 16 * queue.size;
    const used = alignUp(driver + 4 + 2 * queue.size + 2, PAGE_BYTES);
    const halves = (address: number): [number, number] => [address >>> 0, Math.floor(address / 2 ** 32)];
    queue.addresses = { descriptors: halves(descriptors), driver: halves(driver), device: halves(used) };
    queue.enable();
  }
}

function pageOf({ addresses }: Virtqueue): number {
  const [low, high] = addresses.descriptors;
  return Math.floor((low + high * 2 ** 32) / PAGE_BYTES) >>> 0;
}
