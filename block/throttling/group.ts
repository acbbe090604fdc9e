/**
 * Drives that share limits, each in its turn.
 *
 * Reads and writes wait apart. In each direction the members that have requests waiting go round, one request each, so
 * that who has many requests gets no more than others.
 *
 * @module
 */
import type { Clock, Timer } from "../../base/clocks.ts";
import { LeakyBucket } from "./bucket.ts";
import { NO_LIMITS, type RateName, RATES, type ThrottleLimits } from "./limits.ts";

export type Direction = "read" | "write";

/** The rates that a request of each direction counts in. */
const RATES_OF: Readonly<Record<Direction, readonly RateName[]>> = {
  read: ["bps-total", "bps-read", "iops-total", "iops-read"],
  write: ["bps-total", "bps-write", "iops-total", "iops-write"],
};

interface Waiting {
  readonly lengthBytes: number;
  readonly go: () => void;
}

/** Members and their buckets. */
export class ThrottleGroup {
  readonly name: string;
  readonly #clock: Clock;
  readonly #members: ThrottleMember[] = [];
  readonly #buckets: ReadonlyMap<RateName, LeakyBucket>;
  readonly #timers: Record<Direction, Timer | undefined> = { read: undefined, write: undefined };
  /** Whose turn it is next. */
  readonly #turns: Record<Direction, number> = { read: 0, write: 0 };
  #limits: ThrottleLimits = NO_LIMITS;
  #leakedNs: number;

  /** `clock` is the one that waits are counted on. */
  constructor(name: string, clock: Clock) {
    this.name = name;
    this.#clock = clock;
    this.#leakedNs = clock.nowNs();
    this.#buckets = new Map(RATES.map((rate) => [rate, new LeakyBucket(NO_LIMITS[rate])]));
  }

  get limits(): ThrottleLimits {
    return this.#limits;
  }

  /** Takes other limits; all buckets are empty then, and whoever waits is looked at anew. */
  setLimits(limits: ThrottleLimits): void {
    this.#limits = limits;
    for (const rate of RATES) this.#buckets.get(rate)!.setLimit(limits[rate]);
    this.#leakedNs = this.#clock.nowNs();
    for (const direction of ["read", "write"] as const) this.#restart(direction);
  }

  get isEmpty(): boolean {
    return this.#members.length === 0;
  }

  /** A new member. */
  join(): ThrottleMember {
    const member = new ThrottleMember(this);
    this.#members.push(member);
    return member;
  }

  /** Ends a membership; nothing of it waits. */
  leave(member: ThrottleMember): void {
    const index = this.#members.indexOf(member);
    if (index < 0) return;
    member.letGo();
    this.#members.splice(index, 1);
  }

  /** @internal Whether a request may pass now; it is counted then. */
  admit(direction: Direction, lengthBytes: number): boolean {
    if (this.#members.some((member) => member.waiting(direction) > 0) || this.#waitNs(direction) > 0) return false;
    this.#count(direction, lengthBytes);
    return true;
  }

  /** @internal Somebody waits now. */
  wake(direction: Direction): void {
    if (this.#timers[direction] === undefined) this.#arm(direction);
  }

  /** @internal Counts a request that does not wait. */
  count(direction: Direction, lengthBytes: number): void {
    this.#waitNs(direction);
    this.#count(direction, lengthBytes);
  }

  #waitNs(direction: Direction): number {
    const nowNs = this.#clock.nowNs();
    const passedNs = nowNs - this.#leakedNs;
    this.#leakedNs = nowNs;
    // A clock that was set back, as a snapshot does, has no time to give.
    if (passedNs > 0) { for (const bucket of this.#buckets.values()) bucket.leak(passedNs); }
    return Math.max(...RATES_OF[direction].map((rate) => this.#buckets.get(rate)!.waitNs()));
  }

  #count(direction: Direction, lengthBytes: number): void {
    const size = this.#limits["iops-size"];
    const requests = size > 0 && lengthBytes > size ? lengthBytes / size : 1;
    for (const rate of RATES_OF[direction]) {
      this.#buckets.get(rate)!.take(rate.startsWith("bps") ? lengthBytes : requests);
    }
  }

  #restart(direction: Direction): void {
    this.#timers[direction]?.cancel();
    this.#timers[direction] = undefined;
    this.#arm(direction);
  }

  /** Lets through whoever may pass, then waits for the next. */
  #arm(direction: Direction): void {
    for (;;) {
      const member = this.#nextMember(direction);
      if (member === undefined) return;
      const waitNs = this.#waitNs(direction);
      if (waitNs > 0) {
        this.#timers[direction] = this.#clock.setTimer(this.#clock.nowNs() + waitNs, () => this.#restart(direction));
        return;
      }
      this.#turns[direction] = this.#members.indexOf(member) + 1;
      member.release(direction);
    }
  }

  #nextMember(direction: Direction): ThrottleMember | undefined {
    const { length } = this.#members;
    for (let i = 0; i < length; i++) {
      const member = this.#members[(this.#turns[direction] + i) % length]!;
      if (member.waiting(direction) > 0) return member;
    }
    return undefined;
  }
}

/** One drive or node of a group. */
export class ThrottleMember {
  readonly group: ThrottleGroup;
  readonly #waiting: Readonly<Record<Direction, Waiting[]>> = { read: [], write: [] };
  #free = 0;

  constructor(group: ThrottleGroup) {
    this.group = group;
  }

  /** Counts a request; `undefined` where it may pass at once, else what it has to wait for. */
  enter(direction: Direction, lengthBytes: number): Promise<void> | undefined {
    if (this.#free > 0) return void this.group.count(direction, lengthBytes);
    if (this.group.admit(direction, lengthBytes)) return undefined;
    return new Promise((go) => {
      this.#waiting[direction].push({ lengthBytes, go });
      this.group.wake(direction);
    });
  }

  /** Requests that wait. */
  waiting(direction: Direction): number {
    return this.#waiting[direction].length;
  }

  /** @internal Lets the first one that waits through. */
  release(direction: Direction): void {
    const first = this.#waiting[direction].shift();
    if (first === undefined) return;
    this.group.count(direction, first.lengthBytes);
    first.go();
  }

  /** Lets all through that wait, whatever the limits: somebody waits for them. */
  letGo(): void {
    for (const direction of ["read", "write"] as const) {
      while (this.waiting(direction) > 0) this.release(direction);
    }
  }

  /** While somebody drains, nothing waits here. */
  suspend(): void {
    this.#free++;
    this.letGo();
  }

  resume(): void {
    this.#free--;
  }
}
