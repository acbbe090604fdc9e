/**
 * The quick path: reads that the page cache can answer and small writes that it can take, as plain synchronous system
 * calls, which are several times faster than any asynchronous way.
 *
 * The danger is a call that waits for a disk, since everything else in the process waits with it. So:
 *
 * - a read asks with RWF_NOWAIT, which answers EAGAIN instead of waiting. That flag costs a fifth more than a plain
 *   pread; after a long row of hits most reads go without it, and one in sixteen still asks. A miss ends that, and the
 *   row must be twice as long the next time: a file that is partly cached is soon always asked.
 * - a write goes this way up to 64 KiB. After one that is seen to take more than 5 ms (the kernel throttles who dirties
 *   too much, or another process had the processor) writes go the other way for 20 ms, and each time that comes again
 *   for twice as long, up to a second.
 * - on network file systems, where any call can wait for ever, reads always ask and writes never go this way.
 * - after a stretch of such calls without a turn of the event loop, one is taken: timers, sockets and signals get theirs.
 *
 * @module
 */
import type { Clock } from "../../../base/clocks.ts";
import { RWF_NOWAIT } from "../../../base/host/constants.ts";
import type { HostLibrary, HostSymbols } from "../../../base/host/libc.ts";
import { addressOf, fillIovecs, IOVEC_BYTES, putWord } from "../../../base/host/pointers.ts";
import { KiB, NS_PER_MS, NS_PER_S } from "../../../base/units.ts";

/** The call would wait, or is none for the quick path. */
export const NOT_QUICK = -0x1000_0000;

/** Plain reads after one that asked and hit. */
const TRUSTED_READS = 15;
const FIRST_STREAK = 64;
const LONGEST_STREAK = 4096;
const LARGEST_WRITE = 64 * KiB;
const LARGEST_READ = 4096 * KiB;
const LARGEST_PLAIN_READ = 64 * KiB;
const SLOW_WRITE_NS = 5 * NS_PER_MS;
const FIRST_PENALTY_NS = 20 * NS_PER_MS;
const LONGEST_PENALTY_NS = NS_PER_S;
/** After so many writes a slow one is the first again. */
const FORGIVING_WRITES = 4096;
const CAREFUL_WRITES = 8;
/** Work done since the last turn, in units of 4 KiB requests: some 3 ms. */
const WORK_PER_TURN = 2048;
const VECTORS = 128;

/** Quick reads and writes of one file. */
export class QuickPath {
  readonly #host: HostLibrary;
  readonly #symbols: HostSymbols;
  readonly #clock: Clock;
  /** Every read may be a plain one: the file lies in memory. */
  readonly #inMemory: boolean;
  readonly #writes: boolean;
  readonly #trusts: boolean;
  readonly #table = new DataView(new ArrayBuffer(VECTORS * IOVEC_BYTES));
  readonly #tableBytes: Uint8Array<ArrayBuffer>;
  #reads: boolean;
  #trust = 0;
  #streak = 0;
  #streakNeeded = FIRST_STREAK;
  #writeAgainNs = 0;
  #lastLookNs = 0;
  #penaltyNs = FIRST_PENALTY_NS;
  /** Writes since the last slow one. */
  #quickWrites = 0;
  /** Writes that are timed from their start. */
  #carefulWrites = CAREFUL_WRITES;
  #work = 0;
  /** Reads that were answered at once, and those that were not. */
  readonly counts = { hits: 0, misses: 0, slowWrites: 0 };

  constructor(host: HostLibrary, clock: Clock, where: "memory" | "local" | "network" | "never") {
    this.#host = host;
    this.#symbols = host.symbols;
    this.#clock = clock;
    this.#inMemory = where === "memory";
    this.#trusts = where === "local";
    this.#writes = where === "local" || where === "memory";
    this.#reads = where !== "never";
    this.#tableBytes = new Uint8Array(this.#table.buffer);
    if (this.#inMemory) this.#trust = Infinity;
  }

  /** Reads `bytes` at `at`: how many, a negative error number, or NOT_QUICK. */
  read(descriptor: number, at: number, bytes: Uint8Array<ArrayBuffer>): number {
    const { length } = bytes;
    if (this.#trust > 0 && length <= LARGEST_PLAIN_READ) {
      this.#trust--;
      const got = this.#symbols.pread(descriptor, bytes, BigInt(length), BigInt(at));
      return got === -1 ? -this.#host.errno() : got;
    }
    if (!this.#reads || length > LARGEST_READ) return NOT_QUICK;
    if (length === 0) return 0;
    const table = this.#table;
    putWord(table, 0, addressOf(bytes));
    putWord(table, 8, length);
    return this.#ask(descriptor, at, 1, length);
  }

  /** The same for a vector. */
  readVector(descriptor: number, at: number, slices: readonly Uint8Array[], length: number): number {
    if (!this.#reads || slices.length > VECTORS || length > LARGEST_READ) return NOT_QUICK;
    return this.#ask(descriptor, at, fillIovecs(this.#table, slices), length);
  }

  #ask(descriptor: number, at: number, slices: number, length: number): number {
    const flags = this.#inMemory ? 0 : RWF_NOWAIT;
    const got = this.#symbols.preadv2(descriptor, this.#tableBytes, slices, BigInt(at), flags);
    if (got === length) {
      this.counts.hits++;
      if (this.#trusts && ++this.#streak >= this.#streakNeeded) this.#trust = TRUSTED_READS;
      return got;
    }
    if (got >= 0 && this.#inMemory) return got;
    this.#missed(got === -1 ? this.#host.errno() : 0);
    return NOT_QUICK;
  }

  #missed(errno: number): void {
    const EOPNOTSUPP = 95, EINVAL = 22;
    if (errno === EOPNOTSUPP || errno === EINVAL) this.#reads = false;
    this.counts.misses++;
    if (this.#streak >= this.#streakNeeded) {
      this.#streakNeeded = Math.min(this.#streakNeeded * 2, LONGEST_STREAK);
    }
    this.#streak = 0;
    this.#trust = 0;
  }

  /** Writes `bytes` at `at`: how many, a negative error number, or NOT_QUICK. */
  write(descriptor: number, at: number, bytes: Uint8Array<ArrayBuffer>): number {
    const { length } = bytes;
    if (length > LARGEST_WRITE || !this.#writes) return NOT_QUICK;
    const startNs = this.#carefulWrites > 0 ? this.#clock.nowNs() : 0;
    if (startNs < this.#writeAgainNs) return NOT_QUICK;
    const put = this.#symbols.pwrite(descriptor, bytes, BigInt(length), BigInt(at));
    const result = put === -1 ? -this.#host.errno() : put;
    this.#timed(startNs);
    return result;
  }

  /** The same for a vector. */
  writeVector(descriptor: number, at: number, slices: readonly Uint8Array[], length: number): number {
    if (length > LARGEST_WRITE || slices.length > VECTORS || !this.#writes) return NOT_QUICK;
    const startNs = this.#carefulWrites > 0 ? this.#clock.nowNs() : 0;
    if (startNs < this.#writeAgainNs) return NOT_QUICK;
    const count = fillIovecs(this.#table, slices);
    const put = this.#symbols.pwritev(descriptor, this.#tableBytes, count, BigInt(at));
    const result = put === -1 ? -this.#host.errno() : put;
    this.#timed(startNs);
    return result;
  }

  /**
   * Looks at the time after every fourth write only, since looking costs a tenth of a write. More than 5 ms since it
   * last looked may be idle time or a slow write: then the next few are timed from their start.
   */
  #timed(startNs: number): void {
    if (++this.#quickWrites === FORGIVING_WRITES) this.#penaltyNs = FIRST_PENALTY_NS;
    if (this.#carefulWrites === 0 && (this.#quickWrites & 3) !== 0) return;
    const nowNs = this.#clock.nowNs();
    if (this.#carefulWrites === 0) {
      if (nowNs - this.#lastLookNs > SLOW_WRITE_NS) this.#carefulWrites = CAREFUL_WRITES;
    } else if (nowNs - startNs > SLOW_WRITE_NS) this.#wasSlow(nowNs);
    else if (--this.#carefulWrites === 0) this.#writeAgainNs = 0;
    this.#lastLookNs = nowNs;
  }

  #wasSlow(nowNs: number): void {
    this.counts.slowWrites++;
    this.#writeAgainNs = nowNs + this.#penaltyNs;
    this.#penaltyNs = Math.min(this.#penaltyNs * 2, LONGEST_PENALTY_NS);
    this.#quickWrites = 0;
    this.#carefulWrites = CAREFUL_WRITES;
  }

  /** Counts a request of `length` bytes; true when it is time for a turn of the event loop. */
  worked(length: number): boolean {
    this.#work += 1 + (length >>> 14);
    if (this.#work < WORK_PER_TURN) return false;
    this.#work = 0;
    return true;
  }
}
