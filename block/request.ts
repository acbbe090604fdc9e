/**
 * The write requests that a node has in flight, in order of arrival, and the rule by which they wait for one another.
 *
 * Most writes run side by side. A *serialising* one (a read-modify-write, a copy-on-read) must not overlap any other:
 * it waits for every earlier request that touches its range, and later ones wait for it. Since a request only ever
 * waits for earlier ones, no two wait for each other. Plain reads are not here: what they race with is either their own
 * business or rewritten with the bytes that are there already.
 *
 * @module
 */

/** One write in flight: a link of the list of its {@link RequestTracker}. */
export class TrackedRequest {
  /** The range, in bytes; a serialising request covers whole alignment units. */
  at = 0;
  end = 0;
  serialising = false;
  previous: TrackedRequest | undefined = undefined;
  next: TrackedRequest | undefined = undefined;
  /** Called when the request has ended. */
  waiters: (() => void)[] | undefined = undefined;
}

/** All writes of one node that are in flight; ended requests are kept for reuse. */
export class RequestTracker {
  /** How many serialising requests there are: with none, nobody needs to look for overlaps. */
  serialising = 0;
  #last: TrackedRequest | undefined = undefined;
  #free: TrackedRequest | undefined = undefined;

  /** Enters a request for `length` bytes at `at`. */
  begin(at: number, length: number): TrackedRequest {
    const request = this.#free ?? new TrackedRequest();
    this.#free = request.next;
    request.at = at;
    request.end = at + length;
    request.next = undefined;
    request.previous = this.#last;
    if (this.#last !== undefined) this.#last.next = request;
    this.#last = request;
    return request;
  }

  /** Takes the request off the list and wakes who waited for it. */
  end(request: TrackedRequest): void {
    const { previous, next, waiters } = request;
    if (previous !== undefined) previous.next = next;
    if (next !== undefined) next.previous = previous;
    else this.#last = previous;
    if (request.serialising) {
      request.serialising = false;
      this.serialising--;
    }
    request.previous = undefined;
    request.waiters = undefined;
    request.next = this.#free;
    this.#free = request;
    if (waiters !== undefined) { for (const wake of waiters) wake(); }
  }

  /** Makes the request serialising over `at` to `end`, which hold its range, and waits for those before it. */
  serialise(request: TrackedRequest, at: number, end: number): Promise<void> {
    request.at = at;
    request.end = end;
    if (!request.serialising) {
      request.serialising = true;
      this.serialising++;
    }
    return this.wait(request);
  }

  /** Waits until no earlier request that overlaps is serialising, or for all earlier ones if this one is. */
  async wait(request: TrackedRequest): Promise<void> {
    for (;;) {
      const other = this.#blocker(request);
      if (other === undefined) return;
      await new Promise<void>((resolve) => (other.waiters ??= []).push(resolve));
    }
  }

  #blocker(request: TrackedRequest): TrackedRequest | undefined {
    for (let other = request.previous; other !== undefined; other = other.previous) {
      if (other.at < request.end && request.at < other.end && (other.serialising || request.serialising)) return other;
    }
    return undefined;
  }
}
