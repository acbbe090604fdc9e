/**
 * What one tells the virtio-blk driver, and what it tells.
 *
 * Source: [VIRTIO 1.2] 5.2.4 "Device configuration layout", 5.2.6 "Device Operation".
 *
 * @module
 */
import type { DmaArea } from "./ide_channel.ts";

/** How the driver works. */
export interface VirtioBlkOptions {
  /** Guest memory for rings and data; 2 MiB at 10 MiB where absent. The address is a multiple of 4096. */
  readonly area?: DmaArea;
  /** That of version 1 where it is offered, by default. */
  readonly interface?: "legacy" | "modern";
  /** Packed rings, where they are offered. */
  readonly packed?: boolean;
  /** Indirect descriptors, where they are offered. */
  readonly indirect?: boolean;
  /** The event index, where it is offered: fewer interrupts and kicks. */
  readonly eventIndex?: boolean;
  /** How it learns of the end of requests: by looking, by default. */
  readonly wait?: "poll" | "pin" | "messages";
  /** The interrupt line that the pin is led to, 9 to 15; 11 by default. */
  readonly line?: number;
  /** Requests under way at most, in each queue: 1 to a third of the queue's entries; 16 by default. */
  readonly depth?: number;
  /** Features not to take although they are offered, by number. */
  readonly without?: readonly number[];
}

/** What each call takes besides. */
export interface VirtioBlkCall {
  readonly signal?: AbortSignal;
  /** The queue it goes through. */
  readonly queue?: number;
}

/** What the configuration says. */
export interface VirtioBlkConfig {
  /** Sectors of 512 bytes. */
  readonly sectors: number;
  readonly segMax: number;
  readonly blockBytes: number;
  readonly writeback: boolean;
  readonly queues: number;
  /** All bytes. */
  readonly bytes: Uint8Array;
}

/** A request as {@link VirtioBlkGuest.transfer} takes it. */
export interface VirtioBlkTransfer {
  readonly kind: "read" | "write";
  readonly sector: number;
  /** At most {@link VirtioBlkGuest.maxBytes}. */
  readonly lengthBytes: number;
}

/** The device has failed or refused a request. */
export class VirtioBlkError extends Error {
  override readonly name = "VirtioBlkError";
  /** 1: it failed; 2: it is not supported. */
  readonly status: number;

  constructor(what: string, status: number) {
    super(`${what} failed: status ${status}`);
    this.status = status;
  }
}

/** Kinds of request. */
export const VirtioBlkType = { In: 0, Out: 1, Flush: 4, GetId: 8, Discard: 11, WriteZeroes: 13 } as const;
