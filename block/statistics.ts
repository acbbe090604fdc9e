/**
 * What `info blockstats` and `query-blockstats` tell of a backend.
 *
 * Sources: qapi/block-core.json, BlockDeviceStats.
 *
 * @module
 */

import type { Clock } from "../base/clocks.ts";
import type { LatencyHistogram } from "./latency_histogram.ts";

/** Kinds of requests that are counted apart. */
export type AccountedKind = "read" | "write" | "flush" | "unmap";

/** Counters of one kind. */
export interface KindStatistics {
  bytes: number;
  operations: number;
  totalTimeNs: number;
  merged: number;
  failed: number;
  invalid: number;
}

/** Of requests that end at once, one in so many is timed; a power of two. */
const TIMED_ONE_IN = 8;

function zero(): KindStatistics {
  return { bytes: 0, operations: 0, totalTimeNs: 0, merged: 0, failed: 0, invalid: 0 };
}

/** Counters of one backend, from its start. */
export class BackendStatistics {
  readonly read: KindStatistics = zero();
  readonly write: KindStatistics = zero();
  readonly flush: KindStatistics = zero();
  readonly unmap: KindStatistics = zero();
  /** When the last request ended; `undefined` before the first. */
  lastAccessNs: number | undefined = undefined;
  /** Whether failed and invalid requests count in time and idle time (`account-failed`, `account-invalid`). */
  accountFailed = true;
  accountInvalid = true;
  /** Latencies in bins, of the kinds that somebody asked for; every request of these is timed. */
  readonly histograms: Partial<Record<AccountedKind, LatencyHistogram>> = {};
  /** How long the last request of each kind took that ended at once and was timed. */
  readonly #atOnceNs: Record<AccountedKind, number> = { read: 0, write: 0, flush: 0, unmap: 0 };

  /** A request has ended well. */
  done(kind: AccountedKind, bytes: number, startNs: number, nowNs: number): void {
    const row = this[kind];
    row.bytes += bytes;
    row.operations++;
    row.totalTimeNs += nowNs - startNs;
    this.lastAccessNs = nowNs;
    this.histograms[kind]?.count(nowNs - startNs);
  }

  /**
   * A request has ended within the call that began it. A second look at the clock would cost a twentieth of all that it
   * took, so only one in eight is timed, and those after it count as long as that one.
   */
  doneAtOnce(kind: AccountedKind, bytes: number, startNs: number, clock: Clock): void {
    if (this.histograms[kind] !== undefined) return this.done(kind, bytes, startNs, clock.nowNs());
    const row = this[kind];
    if ((row.operations & (TIMED_ONE_IN - 1)) === 0) this.#atOnceNs[kind] = clock.nowNs() - startNs;
    const durationNs = this.#atOnceNs[kind];
    row.bytes += bytes;
    row.operations++;
    row.totalTimeNs += durationNs;
    this.lastAccessNs = startNs + durationNs;
  }

  /** A request has failed. */
  failed(kind: AccountedKind, startNs: number, nowNs: number): void {
    const row = this[kind];
    row.failed++;
    if (!this.accountFailed) return;
    row.totalTimeNs += nowNs - startNs;
    this.lastAccessNs = nowNs;
    this.histograms[kind]?.count(nowNs - startNs);
  }

  /** The guest asked for something that cannot be. */
  invalid(kind: AccountedKind, nowNs: number): void {
    this[kind].invalid++;
    if (this.accountInvalid) this.lastAccessNs = nowNs;
  }

  /** How long there has been no request: `idle_time_ns`; `undefined` before the first. */
  idleNs(nowNs: number): number | undefined {
    return this.lastAccessNs === undefined ? undefined : nowNs - this.lastAccessNs;
  }

  /** Requests that were joined to others before they came here. */
  merged(kind: AccountedKind, count: number): void {
    this[kind].merged += count;
  }
}
