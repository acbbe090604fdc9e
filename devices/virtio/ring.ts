/**
 * What split and packed rings have in common: chains of descriptors out of guest memory, and memory to read them from.
 *
 * A ring works on views of guest RAM that are taken for one batch and dropped after it, since the accelerator may move
 * RAM. What a guest got wrong is told as a text; the device is broken then, until its driver resets it.
 *
 * Source: [VIRTIO 1.2] 2.6 "Virtqueues".
 *
 * @module
 */
import type { RingMemory } from "./ring_memory.ts";

/** Buffers in one chain at most, as QEMU has it. */
export const MAX_PIECES = 1024;

/** Flags of a descriptor: [VIRTIO 1.2] 2.7.5, 2.8.8. */
export const DescFlag = { Next: 0x0001, Write: 0x0002, Indirect: 0x0004, Avail: 0x0080, Used: 0x8000 } as const;

export const DESCRIPTOR_BYTES = 16;

/**
 * A chain: pieces of guest memory that the device reads, then pieces that it writes. Objects are used again.
 */
export class Chain {
  /** What the used ring names it by: the head's index (split), the buffer id (packed). */
  id = 0;
  /** How many descriptors of a packed ring it takes up. */
  slots = 0;
  /** Pieces to read; those to write follow them in the lists. */
  readable = 0;
  writable = 0;
  readableBytes = 0;
  writableBytes = 0;
  readonly addresses: number[] = [];
  readonly lengths: number[] = [];

  clear(): void {
    this.slots =
      this.readable =
      this.writable =
      this.readableBytes =
      this.writableBytes =
        0;
  }

  /** Takes a piece in. @returns what is wrong with it */
  add(address: number, lengthBytes: number, write: boolean): string | undefined {
    const index = this.readable + this.writable;
    if (lengthBytes === 0) return "virtio: zero sized buffers are not allowed";
    if (index >= MAX_PIECES) return "virtio: too many write descriptors in indirect table";
    if (write) {
      this.writable++;
      this.writableBytes += lengthBytes;
    } else {
      if (this.writable > 0) return "Incorrect order for descriptors";
      this.readable++;
      this.readableBytes += lengthBytes;
    }
    this.addresses[index] = address;
    this.lengths[index] = lengthBytes;
    return undefined;
  }
}

/** Where a queue's three areas are: guest addresses. */
export interface RingPlace {
  /** Entries. */
  readonly size: number;
  readonly descriptors: number;
  /** The available ring, or the driver's event suppression. */
  readonly driver: number;
  /** The used ring, or the device's event suppression. */
  readonly device: number;
}

/** How far a ring has come. Numbers of 16 bits; counters of a packed ring are kept with their wrap bits. */
export interface RingState {
  readonly lastAvailable: number;
  readonly availableWrap: number;
  readonly used: number;
  readonly usedWrap: number;
  readonly signalled: number;
  readonly signalledValid: boolean;
}

/** The state of a ring that has just been set up. */
export const FRESH_RING: RingState = {
  lastAvailable: 0,
  availableWrap: 1,
  used: 0,
  usedWrap: 1,
  signalled: 0,
  signalledValid: false,
};

/** One ring. Between {@link open} and {@link close} nothing else runs. */
export interface Ring {
  /** Takes views of the areas. @returns what is wrong */
  open(memory: RingMemory): string | undefined;
  /** Drops the views, and says what was written. */
  close(): void;
  /** Whether nothing waits. */
  readonly isEmpty: boolean;
  /** Takes the next chain; there is one. @returns what is wrong */
  pop(chain: Chain): string | undefined;
  /** Gives `chain` back, `writtenBytes` of it written. */
  push(chain: Chain, writtenBytes: number): void;
  /** Whether the driver wants to be told of what was pushed since it was asked last. */
  wantsInterrupt(onEmpty: boolean): boolean;
  /** Tells the driver that the next chain wants a kick. */
  wantKick(): void;
  save(): RingState;
  load(state: RingState): void;
}

/** A descriptor's address: what no number counts exactly lies in no RAM either. */
export function addressAt(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}

/** Whether `event` lies among the entries that came after `before`, up to `now`: [VIRTIO 1.2] 2.7.10.1. */
export function needsEvent(event: number, now: number, before: number): boolean {
  return ((now - event - 1) & 0xffff) < ((now - before) & 0xffff);
}
