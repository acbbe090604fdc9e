/**
 * Threads that pack clusters for writers who have many at once: a cluster takes about a millisecond, which is worth the
 * way to a thread and back, and the way of bytes in Deno's own zlib keeps to one thread.
 *
 * Where no thread can be had (a bundle without its file, no permission to read it), clusters are packed here.
 *
 * @module
 */
import { assetUrl } from "../../../base/assets.ts";
import { type Compression, pack } from "./compressed.ts";

const MAX_THREADS = 4;

interface Job {
  readonly bytes: Uint8Array;
  readonly done: (packed: Promise<Uint8Array | undefined> | Uint8Array | undefined) => void;
}

interface Thread {
  readonly worker: Worker;
  job: Job | undefined;
}

/** The threads of one image; closed with it. */
export class PackPool {
  readonly #method: Compression;
  readonly #threads: Thread[] = [];
  readonly #waiting: Job[] = [];
  #broken = false;

  constructor(method: Compression) {
    this.#method = method;
  }

  /** As `pack` of compressed.ts; `bytes` are left alone until it is done. */
  pack(bytes: Uint8Array): Promise<Uint8Array | undefined> {
    if (this.#broken) return pack(this.#method, bytes);
    return new Promise((done) => {
      this.#waiting.push({ bytes, done });
      this.#next(this.#threads.find(({ job }) => job === undefined) ?? this.#start());
    });
  }

  /** Ends the threads; nothing is under way. */
  close(): void {
    for (const { worker } of this.#threads.splice(0)) worker.terminate();
  }

  #start(): Thread | undefined {
    if (this.#threads.length >= Math.min(MAX_THREADS, navigator.hardwareConcurrency)) return undefined;
    try {
      const worker = new Worker(assetUrl("packWorker"), { type: "module" });
      const thread: Thread = { worker, job: undefined };
      worker.onmessage = ({ data }: MessageEvent<Uint8Array | null | undefined>) => {
        const { job } = thread;
        thread.job = undefined;
        job?.done(data ?? undefined);
        this.#next(thread);
      };
      worker.onerror = (event) => {
        event.preventDefault();
        this.#giveUp();
      };
      this.#threads.push(thread);
      return thread;
    } catch {
      this.#giveUp();
      return undefined;
    }
  }

  #next(thread: Thread | undefined): void {
    if (thread === undefined || thread.job !== undefined) return;
    const job = this.#waiting.shift();
    if (job === undefined) return;
    thread.job = job;
    // A view would take the whole buffer below it along.
    const own = job.bytes.slice();
    thread.worker.postMessage({ method: this.#method, bytes: own }, [own.buffer]);
  }

  /** Does here what the threads were to do. */
  #giveUp(): void {
    this.#broken = true;
    const jobs = this.#threads.flatMap(({ job }) => job ?? []);
    this.close();
    for (const { bytes, done } of [...jobs, ...this.#waiting.splice(0)]) done(pack(this.#method, bytes));
  }
}
