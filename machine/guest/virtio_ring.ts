/**
 * The driver's side of a virtqueue, split or packed: chains out, used buffers back.
 *
 * A ring has as many slots as requests that may be under way. A slot has its own descriptors, or its own table of
 * indirect ones, so that nothing is handed out or given back.
 *
 * Source: [VIRTIO 1.2] 2.7 "Split Virtqueues", 2.8 "Packed Virtqueues".
 *
 * @module
 */
import type { GuestBus } from "./bus.ts";

/** A piece of guest memory in a chain. */
export interface RingBuffer {
  readonly address: number;
  readonly lengthBytes: number;
  /** The device writes it. */
  readonly write: boolean;
}

/** What a slot is to hand to the device. Chains do not change: another one is another object. */
export interface SlotChain {
  readonly slot: number;
  readonly buffers: readonly RingBuffer[];
}

/** A chain that the device has given back. */
export interface UsedChain {
  readonly slot: number;
  readonly writtenBytes: number;
}

/** What a ring is made for. */
export interface RingPlan {
  readonly bus: GuestBus;
  /** Where it may lie: 4096-aligned guest memory of {@link ringBytes} bytes. */
  readonly address: number;
  /** Entries of the queue. */
  readonly size: number;
  /** Chains under way at most, each of {@link CHAIN_BUFFERS} buffers at most. */
  readonly slots: number;
  readonly indirect: boolean;
  readonly eventIndex: boolean;
  /** Whether the device is to interrupt. */
  readonly interrupts: boolean;
}

/** Buffers in one chain at most: header, data, status. */
export const CHAIN_BUFFERS = 3;

const DESCRIPTOR_BYTES = 16;
const PAGE_BYTES = 4096;
const Flag = { Next: 1, Write: 2, Indirect: 4, Avail: 0x80, Used: 0x8000 } as const;
const NO_INTERRUPT = 1;

/** Addresses as the device is told them. */
export interface RingAddresses {
  readonly descriptors: number;
  readonly driver: number;
  readonly device: number;
}

/** One ring, as the block driver uses it. */
export interface DriverRing {
  readonly addresses: RingAddresses;
  /** Clears the memory. */
  prepare(): Promise<void>;
  /** Offers chains. @returns whether the device wants a kick for them */
  submit(chains: readonly SlotChain[]): Promise<boolean>;
  /** What came back since the last call. */
  collect(): Promise<UsedChain[]>;
}

/** Guest memory that a ring takes: tables of indirect descriptors last. */
export function ringBytes(size: number, slots: number): number {
  return indirectOffset(size) + Math.ceil(slots * CHAIN_BUFFERS * DESCRIPTOR_BYTES / PAGE_BYTES) * PAGE_BYTES;
}

/** Where the used ring begins by the legacy layout, which both interfaces are content with. */
function usedOffset(size: number): number {
  return Math.ceil((size * DESCRIPTOR_BYTES + 6 + 2 * size) / PAGE_BYTES) * PAGE_BYTES;
}

function indirectOffset(size: number): number {
  return usedOffset(size) + Math.ceil((6 + 8 * size) / PAGE_BYTES) * PAGE_BYTES;
}

function putDescriptor(
  view: DataView,
  at: number,
  address: number,
  lengthBytes: number,
  third: number,
  fourth: number,
) {
  view.setUint32(at, address, true);
  view.setUint32(at + 4, Math.floor(address / 2 ** 32), true);
  view.setUint32(at + 8, lengthBytes, true);
  view.setUint16(at + 12, third, true);
  view.setUint16(at + 14, fourth, true);
}

/** The table of `slot`, as bytes. Split and packed ones differ in the order of their last two fields. */
function indirectTable(buffers: readonly RingBuffer[], packed: boolean): Uint8Array {
  const table = new Uint8Array(buffers.length * DESCRIPTOR_BYTES);
  const view = new DataView(table.buffer);
  for (const [i, { address, lengthBytes, write }] of buffers.entries()) {
    const flags = (write ? Flag.Write : 0) | (!packed && i < buffers.length - 1 ? Flag.Next : 0);
    putDescriptor(view, i * DESCRIPTOR_BYTES, address, lengthBytes, packed ? 0 : flags, packed ? flags : i + 1);
  }
  return table;
}

/** A split ring. */
export class SplitDriverRing implements DriverRing {
  readonly addresses: RingAddresses;
  readonly #plan: RingPlan;
  readonly #tables: Uint8Array;
  readonly #available: Uint8Array;
  readonly #known: (SlotChain | undefined)[] = [];
  #next = 0;
  #lastUsed = 0;
  #underWay = 0;

  constructor(plan: RingPlan) {
    this.#plan = plan;
    const { address, size, slots } = plan;
    this.addresses = {
      descriptors: address,
      driver: address + size * DESCRIPTOR_BYTES,
      device: address + usedOffset(size),
    };
    this.#tables = new Uint8Array(slots * CHAIN_BUFFERS * DESCRIPTOR_BYTES);
    this.#available = new Uint8Array(6 + 2 * size);
  }

  async prepare(): Promise<void> {
    const { bus, address, size, slots, interrupts } = this.#plan;
    await bus.writeMemory(address, new Uint8Array(ringBytes(size, slots)));
    new DataView(this.#available.buffer).setUint16(0, interrupts ? 0 : NO_INTERRUPT, true);
  }

  async submit(chains: readonly SlotChain[]): Promise<boolean> {
    const { bus, size, eventIndex } = this.#plan;
    await this.#describe(chains);
    const view = new DataView(this.#available.buffer);
    const before = this.#next;
    for (const { slot } of chains) {
      view.setUint16(4 + (this.#next % size) * 2, this.#headOf(slot), true);
      this.#next = (this.#next + 1) & 0xffff;
    }
    this.#underWay += chains.length;
    view.setUint16(2, this.#next, true);
    // One interrupt, when all of them are back.
    if (eventIndex) view.setUint16(4 + 2 * size, (this.#lastUsed + this.#underWay - 1) & 0xffff, true);
    await bus.writeMemory(this.addresses.driver, this.#available);
    if (!eventIndex) return (await this.#word(this.addresses.device) & 1) === 0;
    const event = await this.#word(this.addresses.device + 4 + 8 * size);
    return ((this.#next - event - 1) & 0xffff) < ((this.#next - before) & 0xffff);
  }

  async collect(): Promise<UsedChain[]> {
    const { bus, size } = this.#plan;
    const bytes = await bus.readMemory(this.addresses.device, 4 + 8 * size);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const used: UsedChain[] = [];
    for (const end = view.getUint16(2, true); this.#lastUsed !== end; this.#lastUsed = (this.#lastUsed + 1) & 0xffff) {
      const at = 4 + (this.#lastUsed % size) * 8;
      used.push({ slot: this.#slotOf(view.getUint32(at, true)), writtenBytes: view.getUint32(at + 4, true) });
    }
    this.#underWay -= used.length;
    return used;
  }

  #headOf(slot: number): number {
    return this.#plan.indirect ? slot : slot * CHAIN_BUFFERS;
  }

  #slotOf(head: number): number {
    return this.#plan.indirect ? head : head / CHAIN_BUFFERS;
  }

  async #word(address: number): Promise<number> {
    const bytes = await this.#plan.bus.readMemory(address, 2);
    return bytes[0]! | bytes[1]! << 8;
  }

  /** Writes descriptors; a chain that a slot has already is left alone. */
  async #describe(chains: readonly SlotChain[]): Promise<void> {
    const view = new DataView(this.#tables.buffer);
    let changed = false;
    for (const chain of chains) {
      const { slot, buffers } = chain;
      if (this.#known[slot] === chain) continue;
      this.#known[slot] = chain;
      changed = true;
      if (this.#plan.indirect) await this.#describeIndirect(slot, buffers);
      else {
        for (const [i, { address, lengthBytes, write }] of buffers.entries()) {
          const index = slot * CHAIN_BUFFERS + i;
          const flags = (write ? Flag.Write : 0) | (i < buffers.length - 1 ? Flag.Next : 0);
          putDescriptor(view, index * DESCRIPTOR_BYTES, address, lengthBytes, flags, index + 1);
        }
      }
    }
    if (changed) await this.#plan.bus.writeMemory(this.addresses.descriptors, this.#tables);
  }

  async #describeIndirect(slot: number, buffers: readonly RingBuffer[]): Promise<void> {
    const { bus, address, size } = this.#plan;
    const at = address + indirectOffset(size) + slot * CHAIN_BUFFERS * DESCRIPTOR_BYTES;
    const table = indirectTable(buffers, false);
    await bus.writeMemory(at, table);
    putDescriptor(new DataView(this.#tables.buffer), slot * DESCRIPTOR_BYTES, at, table.length, Flag.Indirect, 0);
  }
}

/** A packed ring. */
export class PackedDriverRing implements DriverRing {
  readonly addresses: RingAddresses;
  readonly #plan: RingPlan;
  readonly #ring: Uint8Array;
  /** Descriptors that a slot's chain takes up. */
  readonly #lengths: number[] = [];
  #next = 0;
  #nextWrap = 1;
  #used = 0;
  #usedWrap = 1;

  constructor(plan: RingPlan) {
    this.#plan = plan;
    const { address, size } = plan;
    this.addresses = {
      descriptors: address,
      driver: address + size * DESCRIPTOR_BYTES,
      device: address + usedOffset(size),
    };
    this.#ring = new Uint8Array(size * DESCRIPTOR_BYTES);
  }

  async prepare(): Promise<void> {
    const { bus, address, size, slots, interrupts } = this.#plan;
    await bus.writeMemory(address, new Uint8Array(ringBytes(size, slots)));
    const events = new Uint8Array([0, 0, interrupts ? 0 : NO_INTERRUPT, 0]);
    await bus.writeMemory(this.addresses.driver, events);
  }

  async submit(chains: readonly SlotChain[]): Promise<boolean> {
    const { bus, size, eventIndex } = this.#plan;
    const begin = this.#next;
    const beginWrap = this.#nextWrap;
    for (const { slot, buffers } of chains) {
      if (this.#plan.indirect) await this.#offerIndirect(slot, buffers);
      else this.#offer(slot, buffers);
    }
    const wrapped = this.#nextWrap !== beginWrap;
    const base = this.addresses.descriptors;
    if (wrapped) await bus.writeMemory(base, this.#ring.subarray(0, this.#next * DESCRIPTOR_BYTES));
    const last = wrapped ? size : this.#next;
    await bus.writeMemory(
      base + begin * DESCRIPTOR_BYTES,
      this.#ring.subarray(begin * DESCRIPTOR_BYTES, last * DESCRIPTOR_BYTES),
    );
    const events = await bus.readMemory(this.addresses.device, 4);
    const wish = events[2]! & 3;
    if (wish !== 2 || !eventIndex) return wish !== 1;
    const event = events[0]! | events[1]! << 8;
    const offset = (event & 0x7fff) - ((event >> 15) === this.#nextWrap ? 0 : size);
    const before = wrapped ? begin - size : begin;
    return ((this.#next - offset - 1) & 0xffff) < ((this.#next - before) & 0xffff);
  }

  async collect(): Promise<UsedChain[]> {
    const { bus, size } = this.#plan;
    const bytes = await bus.readMemory(this.addresses.descriptors, size * DESCRIPTOR_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const used: UsedChain[] = [];
    for (;;) {
      const at = this.#used * DESCRIPTOR_BYTES;
      const flags = view.getUint16(at + 14, true);
      const avail = (flags & Flag.Avail) !== 0 ? 1 : 0;
      if (avail !== ((flags & Flag.Used) !== 0 ? 1 : 0) || avail !== this.#usedWrap) return used;
      const slot = view.getUint16(at + 12, true);
      used.push({ slot, writtenBytes: view.getUint32(at + 8, true) });
      this.#used += this.#lengths[slot] ?? 1;
      if (this.#used >= size) {
        this.#used -= size;
        this.#usedWrap ^= 1;
      }
    }
  }

  #offer(slot: number, buffers: readonly RingBuffer[]): void {
    this.#lengths[slot] = buffers.length;
    for (const [i, { address, lengthBytes, write }] of buffers.entries()) {
      const flags = (write ? Flag.Write : 0) | (i < buffers.length - 1 ? Flag.Next : 0);
      this.#put(slot, address, lengthBytes, flags);
    }
  }

  async #offerIndirect(slot: number, buffers: readonly RingBuffer[]): Promise<void> {
    const { bus, address, size } = this.#plan;
    const at = address + indirectOffset(size) + slot * CHAIN_BUFFERS * DESCRIPTOR_BYTES;
    const table = indirectTable(buffers, true);
    await bus.writeMemory(at, table);
    this.#lengths[slot] = 1;
    this.#put(slot, at, table.length, Flag.Indirect);
  }

  #put(slot: number, address: number, lengthBytes: number, flags: number): void {
    const marks = this.#nextWrap === 1 ? Flag.Avail : Flag.Used;
    const view = new DataView(this.#ring.buffer);
    putDescriptor(view, this.#next * DESCRIPTOR_BYTES, address, lengthBytes, slot, flags | marks);
    if (++this.#next < this.#plan.size) return;
    this.#next = 0;
    this.#nextWrap ^= 1;
  }
}
