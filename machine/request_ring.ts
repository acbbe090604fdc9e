/**
 * The last requests that the guest made: what a failure report shows.
 *
 * @module
 */
import type { DeviceRequest } from "../devices/bus/mod.ts";

const KEPT = 50;

/** The last 50 requests. */
export class RequestRing {
  readonly #requests: (DeviceRequest | undefined)[] = new Array(KEPT).fill(undefined);
  #next = 0;

  push(request: DeviceRequest): void {
    this.#requests[this.#next] = request;
    this.#next = (this.#next + 1) % KEPT;
  }

  /** Oldest first. */
  list(): DeviceRequest[] {
    return [...this.#requests.slice(this.#next), ...this.#requests.slice(0, this.#next)]
      .filter((request) => request !== undefined);
  }
}
