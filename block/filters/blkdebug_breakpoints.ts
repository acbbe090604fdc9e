/**
 * blkdebug's breakpoints. A driver says that it has come to a point without waiting for an answer, and its request comes
 * through the filter right after that; so it is that request which is held.
 *
 * Source: behaviour of QEMU 7.2: a breakpoint works once; of several for one event all suspend the request; what was set
 * or suspended last comes first; a breakpoint that has worked cannot be removed any more, though that resumes its request.
 *
 * @module
 */
import type { Breakpoints } from "../breakpoints.ts";

interface Breakpoint {
  readonly event: string;
  readonly tag: string;
  readonly say: (text: string) => void;
}

/** A breakpoint that has worked; `over` resolves when its request may go on. */
interface Stop {
  readonly point: Breakpoint;
  readonly over: Promise<void>;
  readonly resume: () => void;
}

/** The breakpoints of one node. */
export class BlkdebugBreakpoints implements Breakpoints {
  readonly #isEvent: (name: string) => boolean;
  /** The newest first, here and in `#stops`. */
  #points: readonly Breakpoint[] = [];
  #stops: readonly Stop[] = [];
  /** Stops whose request has yet to come through. */
  #waitingForRequest: readonly Stop[] = [];
  #next = Promise.withResolvers<void>();

  constructor(isEvent: (name: string) => boolean) {
    this.#isEvent = isEvent;
  }

  set(event: string, tag: string, say: (text: string) => void): boolean {
    if (!this.#isEvent(event)) return false;
    this.#points = [{ event, tag, say }, ...this.#points];
    return true;
  }

  remove(tag: string): boolean {
    const kept = this.#points.filter((point) => point.tag !== tag);
    const removed = kept.length < this.#points.length;
    this.#points = kept;
    while (this.resume(tag));
    return removed;
  }

  resume(tag: string): boolean {
    const stop = this.#stops.find(({ point }) => point.tag === tag);
    if (stop === undefined) return false;
    this.#stops = this.#stops.filter((other) => other !== stop);
    stop.point.say(`blkdebug: Resuming request '${tag}'\n`);
    stop.resume();
    return true;
  }

  get suspendedCount(): number {
    return this.#stops.length;
  }

  isSuspended(tag: string): boolean {
    return this.#stops.some(({ point }) => point.tag === tag);
  }

  nextStop(): Promise<void> {
    return this.#next.promise;
  }

  clear(): void {
    this.#points = [];
    for (const { point } of this.#stops) this.resume(point.tag);
  }

  /** A driver has come to `event`. */
  reached(event: string): void {
    if (this.#points.length === 0) return;
    for (const point of this.#points.filter((one) => one.event === event)) {
      this.#points = this.#points.filter((other) => other !== point);
      const { promise, resolve } = Promise.withResolvers<void>();
      const stop = { point, over: promise, resume: resolve };
      this.#stops = [stop, ...this.#stops];
      this.#waitingForRequest = [...this.#waitingForRequest, stop];
      point.say(`blkdebug: Suspended request '${point.tag}'\n`);
      this.#next.resolve();
      this.#next = Promise.withResolvers<void>();
    }
  }

  /** A request comes through: what it has to wait for, if anything. */
  hold(): Promise<unknown> | undefined {
    if (this.#waitingForRequest.length === 0) return undefined;
    const stops = this.#waitingForRequest;
    this.#waitingForRequest = [];
    return Promise.all(stops.map(({ over }) => over));
  }
}
