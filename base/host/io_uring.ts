/**
 * An io_uring: requests to the kernel that do not wait, and their results, over two rings in shared memory.
 *
 * Requests of one turn of the event loop are submitted together. Results are looked for right after that (what the page
 * cache has is done by then), then at each turn of the event loop (a fast disk answers one request sooner than anybody
 * wakes up), then at turns that each wait at most 60 us in the kernel, then by one call on Deno's pool of threads that
 * waits for the next result. So the event loop is kept alive while requests are in flight, and only then. The first few
 * requests are waited for by that call at once: what turns the event loop takes several milliseconds to load, longer than
 * all requests of a short command.
 *
 * Left out: fixed files and buffers, polling for completions in the driver (IOPOLL), linked requests, cancellation.
 *
 * Source: io_uring(7), io_uring_setup(2), io_uring_enter(2).
 *
 * @module
 */
import { assert } from "../assert.ts";
import { nextTurn } from "../turn.ts";
import { SYS_IO_URING_ENTER, SYS_IO_URING_SETUP } from "./constants.ts";
import { HostError } from "./errors.ts";
import { errnoFromNumber } from "../errno.ts";
import type { HostLibrary } from "./libc.ts";
import { addressOf, fillIovecs, IOVEC_BYTES, putWord } from "./pointers.ts";

const OFFSET_SQ_RING = 0n;
const OFFSET_CQ_RING = 0x800_0000n;
const OFFSET_SQES = 0x1000_0000n;
const FEAT_SINGLE_MMAP = 1;
const FEAT_EXT_ARG = 0x100;
const ENTER_GETEVENTS = 1;
const ENTER_EXT_ARG = 8;
const PROT_READ_WRITE = 3;
const MAP_SHARED_POPULATE = 0x8001;
const SQE_BYTES = 64;
const SQE_ASYNC = 1 << 4;
const CQE_BYTES = 16;
const EINTR = 4;
const EAGAIN = 11;
const EBUSY = 16;

/** Turns of the event loop in which results are only looked for, where few are awaited: some 50 us. */
const EAGER_TURNS = 24;
const FEW = 2;
/** Turns after those that each wait a little for a result, before a thread waits for it. */
const PATIENT_TURNS = 16;
const WAIT_NS = 60_000;
/** Waits of a new ring that are left to a thread. */
const FIRST_WAITS = 8;

/** Operations by their numbers in the kernel's interface. */
export const RingOperation = { readv: 1, writev: 2, fsync: 3, fallocate: 17, read: 22, write: 23 } as const;

/** Flag of fsync: data and what is needed to find it, as fdatasync. */
export const RING_FSYNC_DATASYNC = 1;

/** One request. What its meaning is depends on the operation. */
export interface RingRequest {
  readonly operation: number;
  readonly descriptor: number;
  /** Where in the file. */
  readonly offset?: number;
  /** Read, readv, write, writev: the bytes, which stay alive and in place until the result is there. */
  readonly slices?: readonly Uint8Array[];
  /** fallocate: how many bytes. */
  readonly rangeBytes?: number;
  /** fallocate: the mode. */
  readonly mode?: number;
  /** RWF_ flags of reads and writes, IORING_FSYNC_ flags. */
  readonly flags?: number;
  /** A kernel thread does it from the start: what the page cache has is not copied while the request is handed in. */
  readonly elsewhere?: boolean;
}

interface Waiting {
  readonly request: RingRequest;
  readonly resolve: (result: number) => void;
}

interface Mapping {
  readonly pointer: NonNullable<Deno.PointerValue>;
  readonly length: number;
  readonly buffer: ArrayBuffer;
}

/** A ring with room for a number of requests in flight; more are queued here. */
export class Ring {
  readonly #host: HostLibrary;
  readonly #descriptor: number;
  readonly #mappings: Mapping[];
  readonly #entries: number;
  readonly #sqes: DataView;
  readonly #sq: Int32Array;
  readonly #cq: Int32Array;
  /** Indices into `#sq` and `#cq`, in words of 32 bits. */
  readonly #sqTail: number;
  readonly #sqMask: number;
  readonly #sqArray: number;
  readonly #cqHead: number;
  readonly #cqTail: number;
  readonly #cqMask: number;
  readonly #cqes: number;
  /** By slot, which is also the entry's `user_data`: who waits, until the result is there. */
  readonly #slots: (Waiting | undefined)[];
  /** By slot: memory for vectors. */
  readonly #vectors: (DataView | undefined)[];
  readonly #freeSlots: number[] = [];
  /** For the call that waits briefly: its argument, with the time limit in the same memory; null in old kernels. */
  readonly #timeout: Deno.PointerValue;
  readonly #timeoutMemory = new BigUint64Array(5);
  #queue: Waiting[] = [];
  #prepared = 0;
  #inFlight = 0;
  #submitSoon = false;
  #watching = false;
  #firstWaits = FIRST_WAITS;
  /** A thread waits for results. */
  #parked = false;
  #closed = false;

  private constructor(host: HostLibrary, descriptor: number, params: DataView, mappings: Mapping[]) {
    const word = (at: number) => params.getUint32(at, true);
    this.#host = host;
    this.#descriptor = descriptor;
    this.#mappings = mappings;
    this.#entries = word(0);
    const [sq, cq, sqes] = mappings;
    assert(sq !== undefined && cq !== undefined && sqes !== undefined, "three mappings");
    this.#sq = new Int32Array(sq.buffer, 0, sq.buffer.byteLength >> 2);
    this.#cq = new Int32Array(cq.buffer, 0, cq.buffer.byteLength >> 2);
    this.#sqes = new DataView(sqes.buffer);
    this.#sqTail = word(44) >> 2;
    this.#sqMask = this.#sq[word(48) >> 2]!;
    this.#sqArray = word(64) >> 2;
    this.#cqHead = word(80) >> 2;
    this.#cqTail = word(84) >> 2;
    this.#cqMask = this.#cq[word(88) >> 2]!;
    this.#cqes = word(100) >> 2;
    // struct io_uring_getevents_arg: no signal mask, then where the struct timespec is, which follows
    this.#timeoutMemory.set([0n, 0n, 0n, 0n, BigInt(WAIT_NS)]);
    const bytes = new Uint8Array(this.#timeoutMemory.buffer);
    this.#timeoutMemory[2] = BigInt(addressOf(bytes) + 24);
    this.#timeout = (word(20) & FEAT_EXT_ARG) === 0 ? null : Deno.UnsafePointer.of(bytes);
    this.#slots = new Array(this.#entries).fill(undefined);
    this.#vectors = new Array(this.#entries).fill(undefined);
    for (let slot = this.#entries - 1; slot >= 0; slot--) this.#freeSlots.push(slot);
  }

  /**
   * Makes a ring for `entries` requests in flight (a power of two).
   *
   * @throws HostError where the kernel has none, or forbids it
   */
  static open(host: HostLibrary, entries = 128): Ring {
    const params = new DataView(new ArrayBuffer(120));
    const bytes = new Uint8Array(params.buffer);
    const descriptor = host.symbols.io_uring_setup(BigInt(SYS_IO_URING_SETUP), entries, bytes);
    if (descriptor < 0) throw new HostError("io_uring_setup", errnoFromNumber(host.errno()));
    const word = (at: number) => params.getUint32(at, true);
    const sqBytes = word(64) + word(0) * 4;
    const cqBytes = word(100) + word(4) * CQE_BYTES;
    const single = (word(20) & FEAT_SINGLE_MMAP) !== 0;
    const mappings: Mapping[] = [];
    try {
      const map = (offset: bigint, length: number): Mapping => {
        const pointer = host.symbols.mmap(
          null,
          BigInt(length),
          PROT_READ_WRITE,
          MAP_SHARED_POPULATE,
          descriptor,
          offset,
        );
        if (pointer === null || Deno.UnsafePointer.value(pointer) === 0xffff_ffff_ffff_ffffn) {
          throw new HostError("mmap", errnoFromNumber(host.errno()));
        }
        const mapping = { pointer, length, buffer: Deno.UnsafePointerView.getArrayBuffer(pointer, length) };
        mappings.push(mapping);
        return mapping;
      };
      const first = map(OFFSET_SQ_RING, single ? Math.max(sqBytes, cqBytes) : sqBytes);
      const second = single ? first : map(OFFSET_CQ_RING, cqBytes);
      const third = map(OFFSET_SQES, word(0) * SQE_BYTES);
      return new Ring(host, descriptor, params, [first, second, third]);
    } catch (error) {
      unmapAll(host, mappings);
      host.symbols.close(descriptor);
      throw error;
    }
  }

  /** Requests that have no result yet. */
  get inFlight(): number {
    return this.#inFlight + this.#prepared + this.#queue.length;
  }

  /** Hands a request in: its result is what the system call would return, or a negative error number. */
  request(request: RingRequest): Promise<number> {
    assert(!this.#closed, "a request to a ring that is closed");
    return new Promise((resolve) => {
      const waiting = { request, resolve };
      const slot = this.#freeSlots.pop();
      if (slot === undefined) this.#queue.push(waiting);
      else this.#prepare(slot, waiting);
      if (!this.#submitSoon) {
        this.#submitSoon = true;
        queueMicrotask(() => {
          this.#submitSoon = false;
          this.#submit();
          if (this.#inFlight + this.#prepared > 0 && !this.#watching) this.#watch();
        });
      }
    });
  }

  /** Unmaps the rings. Nothing may be in flight. */
  close(): void {
    if (this.#closed) return;
    assert(this.inFlight === 0, "a ring is closed with requests in flight");
    this.#closed = true;
    unmapAll(this.#host, [...new Set(this.#mappings)]);
    this.#host.symbols.close(this.#descriptor);
  }

  /** Fills the submission entry of `slot`. */
  #prepare(slot: number, waiting: Waiting): void {
    const { request } = waiting;
    const sqes = this.#sqes;
    const at = slot * SQE_BYTES;
    let address = 0;
    let length = 0;
    let flags = request.flags ?? 0;
    if (request.slices !== undefined) {
      const single = request.slices.length === 1 ? request.slices[0] : undefined;
      if (single !== undefined) {
        address = addressOf(single);
        length = single.length;
      } else {
        const table = this.#vectorTable(slot, request.slices.length);
        length = fillIovecs(table, request.slices);
        address = addressOf(new Uint8Array(table.buffer));
      }
    } else if (request.operation === RingOperation.fallocate) {
      address = request.rangeBytes ?? 0;
      length = request.mode ?? 0;
      flags = 0;
    }
    for (let word = 0; word < SQE_BYTES; word += 4) sqes.setUint32(at + word, 0, true);
    sqes.setUint8(at, request.operation);
    if (request.elsewhere === true) sqes.setUint8(at + 1, SQE_ASYNC);
    sqes.setInt32(at + 4, request.descriptor, true);
    putWord(sqes, at + 8, request.offset ?? 0);
    putWord(sqes, at + 16, address);
    sqes.setUint32(at + 24, length, true);
    sqes.setUint32(at + 28, flags, true);
    sqes.setUint32(at + 32, slot, true);
    this.#slots[slot] = waiting;
    const tail = this.#sq[this.#sqTail]!;
    this.#sq[this.#sqArray + (tail & this.#sqMask)] = slot;
    // the kernel reads the entry once it sees the tail: an atomic store keeps that order
    Atomics.store(this.#sq, this.#sqTail, (tail + 1) | 0);
    this.#prepared++;
  }

  #vectorTable(slot: number, slices: number): DataView {
    const table = this.#vectors[slot];
    if (table !== undefined && table.byteLength >= slices * IOVEC_BYTES) return table;
    return this.#vectors[slot] = new DataView(new ArrayBuffer(Math.max(slices, 16) * IOVEC_BYTES));
  }

  /** Tells the kernel of all entries that are prepared, and takes what is done already. */
  #submit(): void {
    while (this.#prepared > 0) {
      const taken = this.#enter(this.#prepared, 0);
      if (taken >= 0) {
        this.#prepared -= taken;
        this.#inFlight += taken;
        if (taken === 0) break;
      } else if (taken !== -EINTR) {
        // out of memory or of completion entries for the moment: those in flight make room, then it goes on
        if (taken !== -EAGAIN && taken !== -EBUSY) assert(false, `io_uring_enter: error ${-taken}`);
        break;
      }
    }
    if (!this.#parked) this.#reap();
  }

  #enter(submit: number, complete: number): number {
    const result = this.#host.symbols.io_uring_enter(
      BigInt(SYS_IO_URING_ENTER),
      this.#descriptor,
      submit,
      complete,
      complete > 0 ? ENTER_GETEVENTS : 0,
      null,
      0n,
    );
    return result < 0 ? -this.#host.errno() : result;
  }

  /** Takes all results that are there, and hands in what waited for a slot. */
  #reap(): void {
    const cq = this.#cq;
    let head = cq[this.#cqHead]!;
    while (head !== Atomics.load(cq, this.#cqTail)) {
      const entry = this.#cqes + (head & this.#cqMask) * (CQE_BYTES >> 2);
      const slot = cq[entry]!;
      const result = cq[entry + 2]!;
      head = (head + 1) | 0;
      Atomics.store(cq, this.#cqHead, head);
      const waiting = this.#slots[slot];
      assert(waiting !== undefined, `a result for slot ${slot}, where nobody waits`);
      this.#slots[slot] = undefined;
      this.#inFlight--;
      const next = this.#queue.shift();
      if (next === undefined) this.#freeSlots.push(slot);
      else this.#prepare(slot, next);
      waiting.resolve(result);
    }
  }

  /** Looks for results until nothing is in flight. */
  async #watch(): Promise<void> {
    this.#watching = true;
    try {
      let turns = 0;
      while (this.#inFlight + this.#prepared > 0) {
        const before = this.#inFlight + this.#prepared;
        if (before > FEW) turns = Math.max(turns, EAGER_TURNS);
        const eager = turns < EAGER_TURNS;
        const patient = this.#firstWaits === 0 && turns++ < EAGER_TURNS + PATIENT_TURNS;
        if (this.#firstWaits > 0) this.#firstWaits--;
        if (patient) await nextTurn();
        else await this.#waitOnPool();
        if (this.#closed) return;
        this.#submit();
        if (patient && !eager && this.#inFlight > 0 && this.#inFlight + this.#prepared === before) this.#waitBriefly();
        if (this.#inFlight + this.#prepared !== before) turns = 0;
      }
    } finally {
      this.#watching = false;
    }
  }

  /** Waits for a result in the kernel, for no longer than nobody notices. */
  #waitBriefly(): void {
    if (this.#timeout === null) return;
    this.#host.symbols.io_uring_enter(
      BigInt(SYS_IO_URING_ENTER),
      this.#descriptor,
      0,
      1,
      ENTER_GETEVENTS | ENTER_EXT_ARG,
      this.#timeout,
      24n,
    );
    this.#reap();
  }

  /**
   * Waits on a thread for one more result than has been taken. Nothing is taken while it waits: else the thread, which
   * may come to its call late, would wait for a result that has been taken already, for ever.
   */
  async #waitOnPool(): Promise<void> {
    if (this.#inFlight === 0) return await nextTurn();
    this.#parked = true;
    try {
      // errno stays in the thread; whatever came, the rings tell what is done
      await this.#host.symbols.io_uring_enter_pool(
        BigInt(SYS_IO_URING_ENTER),
        this.#descriptor,
        0,
        1,
        ENTER_GETEVENTS,
        null,
        0n,
      );
    } finally {
      this.#parked = false;
    }
  }
}

function unmapAll(host: HostLibrary, mappings: readonly Mapping[]): void {
  for (const { pointer, length } of mappings) host.symbols.munmap(pointer, BigInt(length));
}
