/**
 * Requests that a stopped machine holds, as a snapshot keeps them: guest addresses and lengths, those to read first.
 *
 * @module
 */
import { BlkRequest } from "./blk_request.ts";
import { Chain } from "./ring.ts";
import type { Virtqueue } from "./virtqueue.ts";

/** One of them. */
export interface HeldChain {
  readonly queue: number;
  readonly id: number;
  readonly slots: number;
  readonly readable: number;
  readonly addresses: readonly number[];
  readonly lengths: readonly number[];
}

/** What members one has. */
export const EXAMPLE_HELD: HeldChain = { queue: 0, id: 0, slots: 0, readable: 0, addresses: [0], lengths: [0] };

export function saveHeld({ queue, chain }: BlkRequest): HeldChain {
  const pieces = chain.readable + chain.writable;
  return {
    queue: queue.index,
    id: chain.id,
    slots: chain.slots,
    readable: chain.readable,
    addresses: chain.addresses.slice(0, pieces),
    lengths: chain.lengths.slice(0, pieces),
  };
}

/** The request again; `undefined` for one that cannot have been. */
export function loadHeld(saved: HeldChain, queues: readonly Virtqueue[]): BlkRequest | undefined {
  const queue = queues[saved.queue];
  if (queue === undefined || saved.addresses.length !== saved.lengths.length) return undefined;
  const chain = new Chain();
  chain.id = saved.id & 0xffff;
  chain.slots = Math.min(saved.slots >>> 0, queue.size);
  for (const [index, address] of saved.addresses.entries()) {
    const lengthBytes = saved.lengths[index]!;
    if (!Number.isSafeInteger(address) || address < 0 || lengthBytes !== lengthBytes >>> 0) return undefined;
    if (chain.add(address, lengthBytes, index >= saved.readable) !== undefined) return undefined;
  }
  const request = new BlkRequest();
  request.queue = queue;
  request.chain = chain;
  request.epoch = queue.epoch;
  return request;
}
