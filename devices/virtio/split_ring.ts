/**
 * A split ring: a table of descriptors, a ring in which the driver offers heads of chains, one in which the device
 * gives them back.
 *
 * ```
 *   descriptors   address 8, length 4, flags 2, next 2       (each 16 bytes)
 *   available     flags 2, idx 2, ring[size] 2 each, used_event 2
 *   used          flags 2, idx 2, ring[size] of id 4, length 4, avail_event 2
 * ```
 *
 * A chain may be as long as its table: a longer one is a loop.
 *
 * Source: [VIRTIO 1.2] 2.7 "Split Virtqueues".
 *
 * @module
 */
import {
  addressAt,
  type Chain,
  DescFlag,
  DESCRIPTOR_BYTES,
  FRESH_RING,
  needsEvent,
  type Ring,
  type RingPlace,
  type RingState,
} from "./ring.ts";
import type { RingMemory } from "./ring_memory.ts";

/** Bit 0 of the available ring's flags: the driver wants no interrupts. */
const NO_INTERRUPT = 1;
const RING_OFFSET = 4;
const AVAILABLE_BYTES = 2;
const USED_BYTES = 8;

/** One split ring. */
export class SplitRing implements Ring {
  readonly #place: RingPlace;
  readonly #eventIndex: boolean;
  #memory: RingMemory | undefined;
  #descriptors!: DataView;
  #available!: DataView;
  #usedRing!: DataView;
  #lastAvailable = 0;
  #used = 0;
  #signalled = 0;
  #signalledValid = false;
  #inUse = 0;
  #dirty = false;

  constructor(place: RingPlace, eventIndex: boolean) {
    this.#place = place;
    this.#eventIndex = eventIndex;
    this.load(FRESH_RING);
  }

  open(memory: RingMemory): string | undefined {
    const { size, descriptors, driver, device } = this.#place;
    const eventBytes = this.#eventIndex ? 2 : 0;
    const table = memory.viewAt(descriptors, size * DESCRIPTOR_BYTES, false);
    if (table === undefined) return "Cannot map desc";
    const used = memory.viewAt(device, RING_OFFSET + size * USED_BYTES + eventBytes, true);
    if (used === undefined) return "Cannot map used";
    const available = memory.viewAt(driver, RING_OFFSET + size * AVAILABLE_BYTES + eventBytes, false);
    if (available === undefined) return "Cannot map avail";
    this.#memory = memory;
    this.#descriptors = table;
    this.#usedRing = used;
    this.#available = available;
    return undefined;
  }

  close(): void {
    if (this.#dirty) this.#memory?.changed(this.#place.device, this.#usedRing.byteLength);
    this.#dirty = false;
    this.#memory = undefined;
  }

  get isEmpty(): boolean {
    return this.#available.getUint16(2, true) === this.#lastAvailable;
  }

  pop(chain: Chain): string | undefined {
    const { size } = this.#place;
    const waiting = (this.#available.getUint16(2, true) - this.#lastAvailable) & 0xffff;
    if (this.#inUse >= size) return "Virtqueue size exceeded";
    if (waiting > size) {
      return `Guest moved used index from ${this.#lastAvailable} to ${this.#available.getUint16(2, true)}`;
    }
    const head = this.#available.getUint16(RING_OFFSET + (this.#lastAvailable % size) * AVAILABLE_BYTES, true);
    if (head >= size) return `Guest says index ${head} is available`;
    this.#lastAvailable = (this.#lastAvailable + 1) & 0xffff;
    this.#inUse++;
    chain.clear();
    chain.id = head;
    return this.#read(chain, head);
  }

  #read(chain: Chain, head: number): string | undefined {
    let table = this.#descriptors;
    let at = head * DESCRIPTOR_BYTES;
    let limit = this.#place.size;
    if ((table.getUint16(at + 12, true) & DescFlag.Indirect) !== 0) {
      const lengthBytes = table.getUint32(at + 8, true);
      if (lengthBytes === 0 || lengthBytes % DESCRIPTOR_BYTES !== 0) return "Invalid size for indirect buffer table";
      const indirect = this.#memory!.viewAt(addressAt(table, at), lengthBytes, false);
      if (indirect === undefined) return "Cannot map indirect buffer";
      table = indirect;
      at = 0;
      limit = lengthBytes / DESCRIPTOR_BYTES;
    }
    for (let count = 1;; count++) {
      const flags = table.getUint16(at + 12, true);
      const wrong = chain.add(addressAt(table, at), table.getUint32(at + 8, true), (flags & DescFlag.Write) !== 0);
      if (wrong !== undefined) return wrong;
      if (count > limit) return "Looped descriptor";
      if ((flags & DescFlag.Next) === 0) return undefined;
      const next = table.getUint16(at + 14, true);
      if (next >= limit) return `Desc next is ${next}`;
      at = next * DESCRIPTOR_BYTES;
    }
  }

  push(chain: Chain, writtenBytes: number): void {
    const at = RING_OFFSET + (this.#used % this.#place.size) * USED_BYTES;
    this.#usedRing.setUint32(at, chain.id, true);
    this.#usedRing.setUint32(at + 4, writtenBytes, true);
    this.#used = (this.#used + 1) & 0xffff;
    this.#usedRing.setUint16(2, this.#used, true);
    this.#inUse--;
    this.#dirty = true;
  }

  wantsInterrupt(onEmpty: boolean): boolean {
    if (onEmpty && this.#inUse === 0 && this.isEmpty) return true;
    if (!this.#eventIndex) return (this.#available.getUint16(0, true) & NO_INTERRUPT) === 0;
    const before = this.#signalled;
    const known = this.#signalledValid;
    this.#signalled = this.#used;
    this.#signalledValid = true;
    const event = this.#available.getUint16(RING_OFFSET + this.#place.size * AVAILABLE_BYTES, true);
    return !known || needsEvent(event, this.#used, before);
  }

  wantKick(): void {
    if (!this.#eventIndex) return; // The flag against kicks is never set.
    this.#usedRing.setUint16(RING_OFFSET + this.#place.size * USED_BYTES, this.#lastAvailable, true);
    this.#dirty = true;
  }

  save(): RingState {
    return {
      ...FRESH_RING,
      lastAvailable: this.#lastAvailable,
      used: this.#used,
      signalled: this.#signalled,
      signalledValid: this.#signalledValid,
    };
  }

  load(state: RingState): void {
    this.#lastAvailable = state.lastAvailable & 0xffff;
    this.#used = state.used & 0xffff;
    this.#signalled = state.signalled & 0xffff;
    this.#signalledValid = state.signalledValid;
    this.#inUse = (this.#lastAvailable - this.#used) & 0xffff;
  }
}
