/**
 * A packed ring: one ring of descriptors that the driver marks available and the device marks used, in place.
 *
 * A mark is two bits that are compared with a wrap counter of one bit, which turns round at each end of the ring. Two
 * areas of 4 bytes say which events each side wants.
 *
 * ```
 *   descriptors        address 8, length 4, id 2, flags 2     (each 16 bytes)
 *   event suppression  offset 15 bits and wrap 1 bit, flags 2
 * ```
 *
 * Source: [VIRTIO 1.2] 2.8 "Packed Virtqueues".
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

/** Flags of event suppression: [VIRTIO 1.2] 2.8.10. */
const Event = { Enable: 0, Disable: 1, Descriptor: 2 } as const;
const EVENT_BYTES = 4;
const WRAP = 0x8000;

/** One packed ring. */
export class PackedRing implements Ring {
  readonly #place: RingPlace;
  readonly #eventIndex: boolean;
  #memory: RingMemory | undefined;
  #ring!: DataView;
  #driver!: DataView;
  #device!: DataView;
  #lastAvailable = 0;
  #availableWrap = 1;
  #used = 0;
  #usedWrap = 1;
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
    const ring = memory.viewAt(descriptors, size * DESCRIPTOR_BYTES, true);
    if (ring === undefined) return "Cannot map desc";
    const deviceEvents = memory.viewAt(device, EVENT_BYTES, true);
    if (deviceEvents === undefined) return "Cannot map used";
    const driverEvents = memory.viewAt(driver, EVENT_BYTES, false);
    if (driverEvents === undefined) return "Cannot map avail";
    this.#memory = memory;
    this.#ring = ring;
    this.#device = deviceEvents;
    this.#driver = driverEvents;
    return undefined;
  }

  close(): void {
    if (this.#dirty) {
      this.#memory?.changed(this.#place.descriptors, this.#ring.byteLength);
      this.#memory?.changed(this.#place.device, EVENT_BYTES);
    }
    this.#dirty = false;
    this.#memory = undefined;
  }

  get isEmpty(): boolean {
    const flags = this.#ring.getUint16(this.#lastAvailable * DESCRIPTOR_BYTES + 14, true);
    const available = (flags & DescFlag.Avail) !== 0 ? 1 : 0;
    const used = (flags & DescFlag.Used) !== 0 ? 1 : 0;
    return available === used || available !== this.#availableWrap;
  }

  pop(chain: Chain): string | undefined {
    if (this.#inUse >= this.#place.size) return "Virtqueue size exceeded";
    chain.clear();
    const wrong = this.#read(chain);
    if (wrong !== undefined) return wrong;
    this.#inUse += chain.slots;
    this.#lastAvailable += chain.slots;
    if (this.#lastAvailable >= this.#place.size) {
      this.#lastAvailable -= this.#place.size;
      this.#availableWrap ^= 1;
    }
    return undefined;
  }

  #read(chain: Chain): string | undefined {
    const { size } = this.#place;
    let index = this.#lastAvailable;
    const at = index * DESCRIPTOR_BYTES;
    if ((this.#ring.getUint16(at + 14, true) & DescFlag.Indirect) !== 0) return this.#readIndirect(chain, at);
    for (;;) {
      const here = index * DESCRIPTOR_BYTES;
      const flags = this.#ring.getUint16(here + 14, true);
      const wrong = this.#add(chain, this.#ring, here, flags);
      if (wrong !== undefined) return wrong;
      if (++chain.slots > size) return "Looped descriptor";
      chain.id = this.#ring.getUint16(here + 12, true);
      if ((flags & DescFlag.Next) === 0) return undefined;
      if (++index === size) index = 0;
    }
  }

  /** A table elsewhere: its descriptors follow one another, whatever their flags say. */
  #readIndirect(chain: Chain, at: number): string | undefined {
    const lengthBytes = this.#ring.getUint32(at + 8, true);
    if (lengthBytes === 0 || lengthBytes % DESCRIPTOR_BYTES !== 0) return "Invalid size for indirect buffer table";
    const table = this.#memory!.viewAt(addressAt(this.#ring, at), lengthBytes, false);
    if (table === undefined) return "Cannot map indirect buffer";
    for (let here = 0; here < lengthBytes; here += DESCRIPTOR_BYTES) {
      const wrong = this.#add(chain, table, here, table.getUint16(here + 14, true));
      if (wrong !== undefined) return wrong;
    }
    chain.slots = 1;
    chain.id = this.#ring.getUint16(at + 12, true);
    return undefined;
  }

  #add(chain: Chain, table: DataView, at: number, flags: number): string | undefined {
    return chain.add(addressAt(table, at), table.getUint32(at + 8, true), (flags & DescFlag.Write) !== 0);
  }

  push(chain: Chain, writtenBytes: number): void {
    const at = this.#used * DESCRIPTOR_BYTES;
    const marks = this.#usedWrap === 1 ? DescFlag.Avail | DescFlag.Used : 0;
    this.#ring.setUint32(at + 8, writtenBytes, true);
    this.#ring.setUint16(at + 12, chain.id, true);
    this.#ring.setUint16(at + 14, marks | (writtenBytes > 0 ? DescFlag.Write : 0), true);
    this.#used += chain.slots;
    if (this.#used >= this.#place.size) {
      this.#used -= this.#place.size;
      this.#usedWrap ^= 1;
      // Offsets before the wrap are no longer of this round.
      this.#signalledValid = false;
    }
    this.#inUse -= chain.slots;
    this.#dirty = true;
  }

  wantsInterrupt(_onEmpty: boolean): boolean {
    const before = this.#signalled;
    const known = this.#signalledValid;
    this.#signalled = this.#used;
    this.#signalledValid = true;
    const flags = this.#driver.getUint16(2, true) & 3;
    if (flags === Event.Disable) return false;
    if (flags !== Event.Descriptor || !this.#eventIndex || !known) return true;
    const event = this.#driver.getUint16(0, true);
    const wrap = (event & WRAP) !== 0 ? 1 : 0;
    const offset = (event & ~WRAP) - (wrap === this.#usedWrap ? 0 : this.#place.size);
    return needsEvent(offset, this.#used, before);
  }

  wantKick(): void {
    if (this.#eventIndex) {
      this.#device.setUint16(0, this.#lastAvailable | (this.#availableWrap === 1 ? WRAP : 0), true);
      this.#device.setUint16(2, Event.Descriptor, true);
    } else this.#device.setUint16(2, Event.Enable, true);
    this.#dirty = true;
  }

  save(): RingState {
    return {
      lastAvailable: this.#lastAvailable,
      availableWrap: this.#availableWrap,
      used: this.#used,
      usedWrap: this.#usedWrap,
      signalled: this.#signalled,
      signalledValid: this.#signalledValid,
    };
  }

  load(state: RingState): void {
    const { size } = this.#place;
    this.#lastAvailable = (state.lastAvailable & 0xffff) % size;
    this.#availableWrap = state.availableWrap & 1;
    this.#used = (state.used & 0xffff) % size;
    this.#usedWrap = state.usedWrap & 1;
    this.#signalled = state.signalled & 0xffff;
    this.#signalledValid = state.signalledValid;
    const ahead = this.#lastAvailable - this.#used + (this.#availableWrap === this.#usedWrap ? 0 : size);
    this.#inUse = Math.min(Math.max(ahead, 0), size);
  }
}
