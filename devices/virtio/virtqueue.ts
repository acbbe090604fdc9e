/**
 * A virtqueue: its size, place and vector as the transport sets them, and the ring once it works.
 *
 * Work on the ring comes in batches: {@link Virtqueue.begin} takes views of guest memory, {@link Virtqueue.end} drops them
 * and tells the driver at most once. Chains are kept and used again.
 *
 * Source: [VIRTIO 1.2] 2.6 "Virtqueues".
 *
 * @module
 */
import { bit, Feature, MAX_QUEUE_ENTRIES, NO_VECTOR } from "./features.ts";
import { PackedRing } from "./packed_ring.ts";
import { Chain, type Ring, type RingState } from "./ring.ts";
import type { RingMemory } from "./ring_memory.ts";
import { SplitRing } from "./split_ring.ts";

/** Guest addresses in halves of 32 bits, as the driver writes them: low, then high. */
export interface QueueAddresses {
  readonly descriptors: readonly [low: number, high: number];
  readonly driver: readonly [low: number, high: number];
  readonly device: readonly [low: number, high: number];
}

const NOWHERE: QueueAddresses = { descriptors: [0, 0], driver: [0, 0], device: [0, 0] };

/** A queue's volatile state. */
export interface QueueState {
  readonly size: number;
  readonly addresses: QueueAddresses;
  readonly vector: number;
  readonly enabled: boolean;
  readonly ring: RingState | undefined;
}

/** What a queue needs of its device. */
export interface QueueOwner {
  readonly memory: RingMemory;
  /** What driver and device agreed on. */
  readonly features: bigint;
  /** The driver broke the rules. */
  fail(text: string): void;
  /** Interrupts the driver for `queue`. */
  interrupt(queue: Virtqueue): void;
}

/** One queue of a device. */
export class Virtqueue {
  readonly index: number;
  /** Entries that it has after a reset; 0 for one that is not there. */
  readonly maxSize: number;
  readonly #owner: QueueOwner;
  #size: number;
  addresses: QueueAddresses = NOWHERE;
  vector = NO_VECTOR;
  #enabled = false;
  #ring: Ring | undefined;
  #depth = 0;
  #pushed = false;
  readonly #free: Chain[] = [];
  /** Raised by each reset: what was taken before belongs to nobody any more. */
  epoch = 0;

  constructor(owner: QueueOwner, index: number, maxSize: number) {
    this.#owner = owner;
    this.index = index;
    this.maxSize = this.#size = maxSize;
  }

  get size(): number {
    return this.#size;
  }

  /** Whether the driver has set it up. */
  get enabled(): boolean {
    return this.#enabled;
  }

  /** How far the ring has come; `undefined` while there is none. */
  get progress(): RingState | undefined {
    return this.#ring?.save();
  }

  /** The driver wants fewer entries. Existence does not change, nor does a queue that works. */
  resize(entries: number): void {
    if (this.#enabled || this.maxSize === 0 || entries < 1 || entries > MAX_QUEUE_ENTRIES) return;
    this.#size = entries;
  }

  /** The driver has written everything: chains may come. */
  enable(): void {
    if (this.maxSize === 0 || this.#enabled) return;
    this.#enabled = true;
    this.#ring = this.#makeRing();
  }

  /** As after a reset of the device, or of this queue alone. */
  reset(): void {
    this.epoch++;
    this.#size = this.maxSize;
    this.addresses = NOWHERE;
    this.vector = NO_VECTOR;
    this.#enabled = false;
    this.#ring = undefined;
    this.#depth = 0;
    this.#pushed = false;
  }

  #makeRing(): Ring {
    const { descriptors, driver, device } = this.addresses;
    const at = ([low, high]: readonly [number, number]) => low + high * 2 ** 32;
    const place = { size: this.#size, descriptors: at(descriptors), driver: at(driver), device: at(device) };
    const { features } = this.#owner;
    const eventIndex = (features & bit(Feature.EventIndex)) !== 0n;
    return (features & bit(Feature.RingPacked)) !== 0n
      ? new PackedRing(place, eventIndex)
      : new SplitRing(place, eventIndex);
  }

  /** Begins a batch. @returns whether there is a ring to work on; then {@link end} follows */
  begin(): boolean {
    if (this.#ring === undefined) return false;
    if (this.#depth === 0) {
      const wrong = this.#ring.open(this.#owner.memory);
      if (wrong !== undefined) {
        this.#owner.memory.drop();
        this.#owner.fail(wrong);
        return false;
      }
    }
    this.#depth++;
    return true;
  }

  /** Ends a batch; the driver is told of what was pushed, if it wants to be. */
  end(): void {
    const ring = this.#ring;
    // The queue was reset meanwhile.
    if (ring === undefined || this.#depth === 0) return this.#owner.memory.drop();
    if (--this.#depth > 0) return;
    const onEmpty = (this.#owner.features & bit(Feature.NotifyOnEmpty)) !== 0n;
    const tell = this.#pushed && ring.wantsInterrupt(onEmpty);
    this.#pushed = false;
    ring.close();
    this.#owner.memory.drop();
    if (tell) this.#owner.interrupt(this);
  }

  /** Whether nothing waits. Within a batch. */
  get isEmpty(): boolean {
    return this.#ring?.isEmpty ?? true;
  }

  /** The next chain, or none. Within a batch. What the driver got wrong is told to the owner. */
  pop(): Chain | undefined {
    const ring = this.#ring;
    if (ring === undefined || ring.isEmpty) return undefined;
    const chain = this.#free.pop() ?? new Chain();
    const wrong = ring.pop(chain);
    if (wrong === undefined) return chain;
    this.#free.push(chain);
    this.#owner.fail(wrong);
    return undefined;
  }

  /** Gives `chain` back to the driver. Within a batch. */
  push(chain: Chain, writtenBytes: number): void {
    this.#ring?.push(chain, writtenBytes);
    this.#pushed = true;
    this.release(chain);
  }

  /** `chain` is of no further use. */
  release(chain: Chain): void {
    if (this.#free.length < this.maxSize) this.#free.push(chain);
  }

  /** Asks for a kick for the next chain. Within a batch. */
  wantKick(): void {
    this.#ring?.wantKick();
  }

  save(): QueueState {
    const { addresses, vector } = this;
    return { size: this.#size, addresses, vector, enabled: this.#enabled, ring: this.#ring?.save() };
  }

  /** Takes up a state; the features that it was made with are known already. */
  load(state: QueueState): void {
    this.reset();
    this.resize(state.size);
    const half = ([low, high]: readonly [number, number]): [number, number] => [low >>> 0, high >>> 0];
    const { descriptors, driver, device } = state.addresses;
    this.addresses = { descriptors: half(descriptors), driver: half(driver), device: half(device) };
    this.vector = state.vector & 0xffff;
    if (!state.enabled) return;
    this.enable();
    if (state.ring !== undefined) this.#ring?.load(state.ring);
  }
}
