/**
 * The driver's side of virtio over PCI: capabilities, negotiation, queues, kicks, interrupts; legacy or version 1.
 *
 * Source: [VIRTIO 1.2] 3.1.1 "Driver Requirements: Device Initialization", 4.1 "Virtio Over PCI Bus".
 *
 * @module
 */
import type { GuestBus } from "./bus.ts";
import type { PciFunction } from "./pci.ts";
import type { RingAddresses } from "./virtio_ring.ts";

export const VIRTIO_VENDOR = 0x1af4;
export const VirtioStatus = { Acknowledge: 1, Driver: 2, DriverOk: 4, FeaturesOk: 8, NeedsReset: 0x40 } as const;
export const VirtioFeature = {
  IndirectDescriptors: 28,
  EventIndex: 29,
  Version1: 32,
  RingPacked: 34,
} as const;

const NO_VECTOR = 0xffff;
const VENDOR_CAPABILITY = 0x09;
const Structure = { Common: 1, Notify: 2, Isr: 3, Device: 4 } as const;

/** How a driver talks to the function; `read` and `write` reach the device's own configuration. */
export interface VirtioTransport {
  readonly kind: "legacy" | "modern";
  /** What the device offers. */
  offered(): Promise<bigint>;
  accept(features: bigint): Promise<void>;
  status(): Promise<number>;
  setStatus(value: number): Promise<void>;
  /** Selects queue `index`; its entries, 0 for none. */
  queueSize(index: number): Promise<number>;
  /** Sets queue `index` up; `vector` is its message. */
  setQueue(index: number, addresses: RingAddresses, vector: number | undefined): Promise<void>;
  setConfigVector(vector: number): Promise<void>;
  kick(index: number): Promise<void>;
  /** Reads, and so clears, the interrupt status. */
  isr(): Promise<number>;
  read(offset: number, lengthBytes: number): Promise<Uint8Array>;
  write(offset: number, bytes: Uint8Array): Promise<void>;
}

/** The interface of version 1: structures in a memory BAR. */
class ModernTransport implements VirtioTransport {
  readonly kind = "modern";
  readonly #bus: GuestBus;
  readonly #places: ReadonlyMap<number, number>;
  readonly #multiplier: number;
  readonly #bells: number[] = [];

  constructor(bus: GuestBus, places: ReadonlyMap<number, number>, multiplier: number) {
    this.#bus = bus;
    this.#places = places;
    this.#multiplier = multiplier;
  }

  async #get(offset: number, size: 1 | 2 | 4): Promise<number> {
    return numberOf(await this.#bus.readMemory(this.#places.get(Structure.Common)! + offset, size));
  }

  async #set(offset: number, size: 1 | 2 | 4, value: number): Promise<void> {
    await this.#bus.writeMemory(this.#places.get(Structure.Common)! + offset, bytesOf(value, size));
  }

  async offered(): Promise<bigint> {
    await this.#set(0, 4, 0);
    const low = await this.#get(4, 4);
    await this.#set(0, 4, 1);
    return BigInt(low) | BigInt(await this.#get(4, 4)) << 32n;
  }

  async accept(features: bigint): Promise<void> {
    for (const half of [0, 1]) {
      await this.#set(8, 4, half);
      await this.#set(12, 4, Number(features >> BigInt(32 * half) & 0xffff_ffffn));
    }
  }

  status(): Promise<number> {
    return this.#get(20, 1);
  }

  setStatus(value: number): Promise<void> {
    return this.#set(20, 1, value);
  }

  async queueSize(index: number): Promise<number> {
    await this.#set(22, 2, index);
    return await this.#get(24, 2);
  }

  async setQueue(index: number, addresses: RingAddresses, vector: number | undefined): Promise<void> {
    await this.#set(22, 2, index);
    const parts = [addresses.descriptors, addresses.driver, addresses.device];
    for (const [i, address] of parts.entries()) {
      await this.#set(32 + 8 * i, 4, address % 2 ** 32);
      await this.#set(36 + 8 * i, 4, Math.floor(address / 2 ** 32));
    }
    await this.#set(26, 2, vector ?? NO_VECTOR);
    this.#bells[index] = this.#places.get(Structure.Notify)! + await this.#get(30, 2) * this.#multiplier;
    await this.#set(28, 2, 1);
  }

  setConfigVector(vector: number): Promise<void> {
    return this.#set(16, 2, vector);
  }

  async kick(index: number): Promise<void> {
    await this.#bus.writeMemory(this.#bells[index]!, bytesOf(index, 2));
  }

  async isr(): Promise<number> {
    return numberOf(await this.#bus.readMemory(this.#places.get(Structure.Isr)!, 1));
  }

  async read(offset: number, lengthBytes: number): Promise<Uint8Array> {
    return await this.#bus.readMemory(this.#places.get(Structure.Device)! + offset, lengthBytes);
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#bus.writeMemory(this.#places.get(Structure.Device)! + offset, bytes);
  }
}

/** The legacy interface: registers in I/O space. */
class LegacyTransport implements VirtioTransport {
  readonly kind = "legacy";
  readonly #bus: GuestBus;
  readonly #base: number;
  readonly #config: number;
  readonly #messages: boolean;

  constructor(bus: GuestBus, base: number, messages: boolean) {
    this.#bus = bus;
    this.#base = base;
    this.#messages = messages;
    this.#config = base + (messages ? 24 : 20);
  }

  async offered(): Promise<bigint> {
    return BigInt(await this.#bus.in32(this.#base));
  }

  async accept(features: bigint): Promise<void> {
    await this.#bus.out32(this.#base + 4, Number(features & 0xffff_ffffn));
  }

  async status(): Promise<number> {
    return await this.#bus.in8(this.#base + 18);
  }

  async setStatus(value: number): Promise<void> {
    await this.#bus.out8(this.#base + 18, value);
  }

  async queueSize(index: number): Promise<number> {
    await this.#bus.out16(this.#base + 14, index);
    return await this.#bus.in16(this.#base + 12);
  }

  async setQueue(index: number, addresses: RingAddresses, vector: number | undefined): Promise<void> {
    await this.#bus.out16(this.#base + 14, index);
    await this.#bus.out32(this.#base + 8, addresses.descriptors / 4096);
    if (this.#messages) await this.#bus.out16(this.#base + 22, vector ?? NO_VECTOR);
  }

  async setConfigVector(vector: number): Promise<void> {
    await this.#bus.out16(this.#base + 20, vector);
  }

  async kick(index: number): Promise<void> {
    await this.#bus.out16(this.#base + 16, index);
  }

  async isr(): Promise<number> {
    return await this.#bus.in8(this.#base + 19);
  }

  async read(offset: number, lengthBytes: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(lengthBytes);
    for (let i = 0; i < lengthBytes; i++) bytes[i] = await this.#bus.in8(this.#config + offset + i);
    return bytes;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    for (const [i, byte] of bytes.entries()) await this.#bus.out8(this.#config + offset + i, byte);
  }
}

/**
 * The transport of `fn`, whose base addresses are assigned.
 *
 * @throws {RangeError} where the function does not speak `kind`
 */
export async function virtioTransport(
  fn: PciFunction,
  kind: "legacy" | "modern" | undefined,
  messages: boolean,
): Promise<VirtioTransport> {
  const bars = new Map((await fn.bars()).map((bar) => [bar.index, bar]));
  const places = new Map<number, number>();
  let multiplier = 0;
  for (const { id, offset } of await fn.capabilities()) {
    if (id !== VENDOR_CAPABILITY) continue;
    const type = await fn.read(offset) >>> 24;
    const bar = bars.get(await fn.read(offset + 4) & 0xff);
    if (bar?.kind !== "memory" || places.has(type)) continue;
    places.set(type, bar.address + await fn.read(offset + 8));
    if (type === Structure.Notify) multiplier = await fn.read(offset + 16);
  }
  const modern = Object.values(Structure).every((type) => places.has(type));
  if (modern && kind !== "legacy") return new ModernTransport(fn.bus, places, multiplier);
  const io = bars.get(0);
  if (io?.kind !== "io" || kind === "modern") {
    throw new RangeError(`this function has no ${kind ?? "virtio"} interface`);
  }
  return new LegacyTransport(fn.bus, io.address, messages);
}

function numberOf(bytes: Uint8Array): number {
  return bytes.reduceRight((value, byte) => value * 256 + byte, 0);
}

function bytesOf(value: number, size: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, i) => Math.floor(value / 2 ** (8 * i)) % 256);
}
