/**
 * Disks without a machine: a graph with its jobs, character devices, and the machine protocol over them.
 *
 * @module
 */
import type { Clocks } from "../base/clocks.ts";
import type { Random } from "../base/random.ts";
import type { TraceEvents } from "../base/trace.ts";
import { BlockGraph, OBJECT_TYPES, ObjectRegistry } from "../block/mod.ts";
import { BackendSet, type ChardevSet } from "../machine/mod.ts";
import { storageCommands } from "./qmp/commands/storage.ts";
import { QmpServer } from "./qmp/mod.ts";
import { temporaryFiles } from "./vm/temporary.ts";
import { tellOfStorage } from "./vm/qmp.ts";

/** What the program gives it. */
export interface StorageSite {
  readonly clocks: Clocks;
  readonly random: Random;
  readonly trace: TraceEvents;
  /** Owned from then on. */
  readonly chardevs: ChardevSet;
  readonly strict: boolean;
  /** A message, after the program's name. */
  readonly warn: (text: string) => void;
  /** A line as it is. */
  readonly notice: (text: string) => void;
  /** Told of each image that a command makes. */
  readonly formatting: (line: string) => void;
}

/** The graph, and who may be asked about it. */
export class StorageHost implements AsyncDisposable {
  readonly graph: BlockGraph;
  readonly backends: BackendSet;
  readonly chardevs: ChardevSet;
  readonly qmpServer: QmpServer;
  /** Resolves when all is closed; rejects with what an image said. */
  readonly closed: Promise<void>;
  readonly #settle = Promise.withResolvers<void>();
  #queue: Promise<unknown> = Promise.resolve();
  #ending: Promise<void> | undefined;

  constructor(site: StorageSite) {
    this.graph = new BlockGraph({
      clocks: site.clocks,
      random: site.random,
      trace: site.trace,
      warn: (text) => site.warn(`warning: ${text}`),
      notice: site.notice,
      formatting: site.formatting,
      objects: new ObjectRegistry(OBJECT_TYPES),
      temporary: temporaryFiles(),
    });
    this.backends = new BackendSet({
      failed: (event) => this.qmpServer.emit("BLOCK_IO_ERROR", event),
      // There is nobody whose tray could move.
      trayMoved: () => {},
    });
    this.chardevs = site.chardevs;
    this.chardevs.terminate = () => void this.quit().catch(() => {});
    this.qmpServer = new QmpServer({
      context: {
        graph: this.graph,
        backends: this.backends,
        chardevs: this.chardevs,
        machine: undefined,
        hmp: undefined,
        registry: storageCommands({ strict: site.strict }),
        strict: site.strict,
        // What goes wrong there is told by `closed`.
        quit: () => void this.quit().catch(() => {}),
      },
      exclusive: (work) => this.#exclusive(work),
      nowNs: () => site.clocks.host.nowNs(),
      realtime: site.clocks.realtime,
    });
    tellOfStorage(this.graph, this.qmpServer);
    this.closed = this.#settle.promise;
    this.closed.catch(() => {});
  }

  #exclusive<T>(work: () => Promise<T> | T): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => {});
    return result;
  }

  /** Closes everything. */
  quit(): Promise<void> {
    return this.#ending ??= this.#end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.quit();
  }

  async #end(): Promise<void> {
    try {
      await this.graph.jobs.cancelAll();
      await this.backends[Symbol.asyncDispose]();
      await this.graph[Symbol.asyncDispose]();
      await this.qmpServer.farewell();
      await this.chardevs[Symbol.asyncDispose]();
      this.#settle.resolve();
    } catch (error) {
      this.#settle.reject(error);
      throw error;
    }
  }
}
