/**
 * Trace events for decoded requests: `ide_request` of the guest, `block_request` of the drives.
 *
 * QEMU has events for each step of a request; these two tell it in one line at its end: who, what, where, how much, what
 * came of it, how long it took. Drives are watched only while somebody wants to see them: it costs each request a little.
 *
 * @module
 */
import type { TraceEvent } from "../../base/trace.ts";
import type { BackendRequest, BlockBackend } from "../../block/mod.ts";
import type { DeviceRequest } from "../../devices/bus/mod.ts";
import type { Machine } from "../../machine/mod.ts";
import { requestLine } from "./waits.ts";

/** The two events of one machine. */
export class RequestTraces {
  readonly #machine: Machine;
  readonly #guest: TraceEvent<DeviceRequest>;
  readonly #drives: TraceEvent<BackendRequest>;
  readonly #watched = new Map<BlockBackend, () => void>();
  #stopGuest: (() => void) | undefined;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#guest = machine.trace.declare<DeviceRequest>("ide_request", requestLine);
    this.#drives = machine.trace.declare<BackendRequest>("block_request", backendRequestLine);
  }

  /** Watches what is wanted now; called after each command, since any may switch events or add drives. */
  refresh(): void {
    if (this.#guest.enabled && this.#stopGuest === undefined) {
      this.#stopGuest = this.#machine.events.on("request", (request) => this.#guest.emit(request));
    } else if (!this.#guest.enabled && this.#stopGuest !== undefined) {
      this.#stopGuest();
      this.#stopGuest = undefined;
    }
    if (this.#drives.enabled) {
      for (const backend of this.#machine.backends.list()) {
        if (this.#watched.has(backend)) continue;
        this.#watched.set(backend, backend.events.on("request", (request) => this.#drives.emit(request)));
      }
    } else {
      for (const stop of this.#watched.values()) stop();
      this.#watched.clear();
    }
  }
}

/** One request to a drive's medium. */
function backendRequestLine({ backend, operation, at, length, result, durationNs }: BackendRequest): string {
  return `${backend} ${operation} offset=${at} bytes=${length} ${result} ${(durationNs / 1000).toFixed(1)} us`;
}
