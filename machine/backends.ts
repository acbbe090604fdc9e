/**
 * A machine's drives by name, in order of creation.
 *
 * @module
 */
import { assert } from "../base/assert.ts";
import type { BlockBackend } from "../block/mod.ts";
import type { MachineEvents } from "./run_state.ts";

/** Who is told what drives report. */
export interface BackendListener {
  failed(event: MachineEvents["BLOCK_IO_ERROR"]): void;
  trayMoved(event: MachineEvents["DEVICE_TRAY_MOVED"]): void;
}

/** The drives. */
export class BackendSet implements AsyncDisposable {
  readonly #listener: BackendListener;
  readonly #backends = new Map<BlockBackend, () => void>();

  constructor(listener: BackendListener) {
    this.#listener = listener;
  }

  list(): readonly BlockBackend[] {
    return [...this.#backends.keys()];
  }

  has(backend: BlockBackend): boolean {
    return this.#backends.has(backend);
  }

  /** By its name; nameless ones are not found. */
  find(name: string): BlockBackend | undefined {
    return name === "" ? undefined : this.list().find((backend) => backend.name === name);
  }

  /** Takes `backend` in; its name is not taken. */
  add(backend: BlockBackend): void {
    assert(this.find(backend.name) === undefined, `a drive ${backend.name} is there already`);
    const stopErrors = backend.events.on("error", ({ operation, action, noSpace, reason }) => {
      const node = backend.node?.name;
      this.#listener.failed({
        device: backend.name,
        ...(node === undefined ? {} : { "node-name": node }),
        operation,
        action,
        nospace: noSpace,
        reason,
      });
    });
    const stopTray = backend.events.on("tray-moved", ({ open }) => {
      const id = backend.device?.id || backend.device?.path || "";
      this.#listener.trayMoved({ device: backend.name, id, "tray-open": open });
    });
    this.#backends.set(backend, () => {
      stopErrors();
      stopTray();
    });
  }

  /** Lets `backend` go and closes its medium. */
  async remove(backend: BlockBackend): Promise<void> {
    this.#backends.get(backend)?.();
    this.#backends.delete(backend);
    await backend[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const backend of this.list()) await this.remove(backend);
  }
}
