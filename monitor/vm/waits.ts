/**
 * Waiting for something with a deadline; what fails tells the last requests of the guest.
 *
 * @module
 */
import type { Clock } from "../../base/clocks.ts";
import { NS_PER_MS } from "../../base/units.ts";
import type { DeviceRequest } from "../../devices/bus/mod.ts";
import type { Machine } from "../../machine/mod.ts";

/** How long to wait. */
export interface WaitOptions {
  /** Milliseconds of real time, 10 s by default; `Infinity` for no limit. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const LOOK_EVERY_MS = 2;

/** A timer of the host's, which takes no more than this. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Calls `work` after so long: never where that is more than any timer takes, 24 days. */
export function hostTimer(work: () => void, afterMs: number): ReturnType<typeof setTimeout> | undefined {
  return afterMs > MAX_TIMER_MS ? undefined : setTimeout(work, afterMs);
}

/** A wait whose deadline has passed, or for which no machine is there any more. */
export class WaitError extends Error {
  override readonly name = "WaitError";
  /** The guest's last requests, the oldest first. */
  readonly requests: readonly DeviceRequest[];

  /** `why`: "not within 20 ms"; `evidence` is what the guest last showed, in whole lines. */
  constructor(what: string, why: string, machine: Machine, evidence = "") {
    const requests = machine.requests.list();
    super(
      `${what}: ${why} (machine is ${machine.runState})\n${evidence}` +
        (requests.length === 0
          ? "the guest has made no requests"
          : `the guest's last ${requests.length} requests:\n${
            requests.map((one) => `  ${requestLine(one)}`).join("\n")
          }`),
    );
    this.requests = requests;
  }
}

/** One request on one line: device, command, place, count, result, microseconds. */
export function requestLine(request: DeviceRequest): string {
  const place = request.lba === undefined ? "" : ` lba=${request.lba}`;
  const count = request.sectors === undefined ? ` bytes=${request.bytes}` : ` sectors=${request.sectors}`;
  return `${request.device || request.path} ${request.command}${place}${count} ${request.result} ` +
    `${(request.durationNs / 1000).toFixed(1)} us`;
}

/** Waits until `holds` says so. @throws WaitError */
export async function until(
  machine: Machine,
  clock: Clock,
  what: string,
  holds: () => boolean | Promise<boolean>,
  options: WaitOptions = {},
): Promise<void> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const deadlineNs = clock.nowNs() + timeoutMs * NS_PER_MS;
  while (!await holds()) {
    options.signal?.throwIfAborted();
    if (clock.nowNs() >= deadlineNs) throw new WaitError(what, `not within ${timeoutMs} ms`, machine);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Waits for what `subscribe` reports. @throws WaitError */
export function next<T>(
  machine: Machine,
  what: string,
  subscribe: (found: (value: T) => void) => () => void,
  options: WaitOptions = {},
): Promise<T> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  return new Promise<T>((resolve, reject) => {
    options.signal?.throwIfAborted();
    const finish = () => {
      clearTimeout(timer);
      options.signal?.removeEventListener("abort", aborted);
      unsubscribe();
    };
    const aborted = () => {
      finish();
      reject(options.signal!.reason);
    };
    const timer = hostTimer(() => {
      finish();
      reject(new WaitError(what, `not within ${timeoutMs} ms`, machine));
    }, timeoutMs);
    const unsubscribe = subscribe((value) => {
      finish();
      resolve(value);
    });
    options.signal?.addEventListener("abort", aborted, { once: true });
  });
}
