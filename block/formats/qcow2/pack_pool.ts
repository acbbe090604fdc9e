/**
 * Threads that pack and unpack clusters for those who have many at once: packing one takes about a millisecond,
 * unpacking a seventh of that, which is worth the way to a thread and back, and the way of bytes in Deno's own zlib keeps
 * to one thread.
 *
 * Where no thread can be had (a bundle without its file, no permission to read it), clusters are packed here.
 *
 * @module
 */
import { assetUrl } from "../../../base/assets.ts";
import { ZstdDecoder } from "../../../base/host/zstd.ts";
import { ioError } from "../../errors.ts";
import { type Compression, pack, unpack } from "./compressed.ts";

const MAX_THREADS = 4;
/** Jobs that a thread has at once, so that it need not wait for the next one to come. */
const JOBS_AHEAD = 3;

/** What a thread is asked: `length` is there where a cluster of so many bytes is to be unpacked. */
export interface PackRequest {
  readonly method: Compression;
  readonly bytes: Uint8Array;
  readonly length?: number;
}

/** `undefined`: it would not become shorter; `null`: what was to be unpacked is damaged. */
export type PackAnswer = Uint8Array | undefined | null;

/** What a thread sends: its answer, and the memory that the request came in, to be used again. */
export interface PackMessage {
  readonly answer: PackAnswer;
  readonly request: Uint8Array<ArrayBuffer> | undefined;
}

interface Job {
  readonly request: PackRequest;
  readonly done: (answer: PackAnswer | Promise<PackAnswer>) => void;
}

interface Thread {
  readonly worker: Worker;
  /** What it was sent and has not answered, in order. */
  readonly jobs: Job[];
  /** Memory of its last requests: garbage of every cluster would fill many megabytes before anybody collects it. */
  readonly spares: Uint8Array<ArrayBuffer>[];
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
  async pack(bytes: Uint8Array): Promise<Uint8Array | undefined> {
    return await this.#ask({ method: this.#method, bytes }) ?? undefined;
  }

  /** As `unpack` of compressed.ts; `bytes` are a buffer of their own. */
  async unpack(bytes: Uint8Array, length: number): Promise<Uint8Array> {
    const cluster = await this.#ask({ method: this.#method, bytes, length });
    if (cluster === null || cluster === undefined) throw ioError("read", "EIO");
    return cluster;
  }

  /** Ends the threads; nothing is under way. */
  close(): void {
    for (const { worker } of this.#threads.splice(0)) worker.terminate();
  }

  #ask(request: PackRequest): Promise<PackAnswer> {
    if (this.#broken) return here(request);
    return new Promise((done) => {
      this.#waiting.push({ request, done });
      this.#next(this.#threads.find(({ jobs }) => jobs.length === 0) ?? this.#start() ?? this.#leastBusy());
    });
  }

  #leastBusy(): Thread | undefined {
    return this.#threads.toSorted((a, b) => a.jobs.length - b.jobs.length)[0];
  }

  #start(): Thread | undefined {
    if (this.#threads.length >= Math.min(MAX_THREADS, navigator.hardwareConcurrency)) return undefined;
    try {
      const worker = new Worker(assetUrl("packWorker"), { type: "module" });
      const thread: Thread = { worker, jobs: [], spares: [] };
      worker.onmessage = ({ data }: MessageEvent<PackMessage>) => {
        const job = thread.jobs.shift();
        if (data.request !== undefined) thread.spares.push(data.request);
        job?.done(data.answer);
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
    while (thread !== undefined && thread.jobs.length < JOBS_AHEAD) {
      const job = this.#waiting.shift();
      if (job === undefined) return;
      thread.jobs.push(job);
      this.#send(thread, job.request);
    }
  }

  /** What is sent is a copy: the job can be done here when threads turn out not to work. */
  #send(thread: Thread, request: PackRequest): void {
    if (request.length !== undefined) return thread.worker.postMessage(request);
    const spare = thread.spares.pop();
    const own = spare?.length === request.bytes.length ? spare : new Uint8Array(request.bytes.length);
    own.set(request.bytes);
    thread.worker.postMessage({ ...request, bytes: own }, [own.buffer]);
  }

  /** Does here what the threads were to do. */
  #giveUp(): void {
    this.#broken = true;
    const jobs = this.#threads.flatMap((thread) => thread.jobs);
    this.close();
    for (const { request, done } of [...jobs, ...this.#waiting.splice(0)]) done(here(request));
  }
}

/** The same without a thread. */
async function here({ method, bytes, length }: PackRequest): Promise<PackAnswer> {
  return length === undefined ? await pack(method, bytes) : unpack(method, bytes, length);
}

/** Unpacking so many takes as long as starting a thread. */
const CLUSTERS_BEFORE_THREADS = 256;

/** An image's threads: made when they are first asked for. */
export class Packers {
  readonly #method: () => Compression;
  #pool: PackPool | undefined;
  /** `null`: there is none, which is found out once. */
  #decoder: ZstdDecoder | null | undefined;
  /** Clusters that were unpacked so far. */
  unpacked = 0;
  /** Threads of JavaScript are not to unpack: there and back a cluster takes half as much work again. */
  isThrifty = false;

  constructor(method: () => Compression) {
    this.#method = method;
  }

  get pool(): PackPool {
    return this.#pool ??= new PackPool(this.#method());
  }

  /** What unpacks many clusters at once, where the image's method and the system allow that. */
  get decoder(): ZstdDecoder | undefined {
    if (this.#decoder === undefined) this.#decoder = (this.#method() === "zstd" ? ZstdDecoder.open() : null) ?? null;
    return this.#decoder ?? undefined;
  }

  /** Whether threads are to unpack the clusters of a large read: the first ones are not worth a thread's start. */
  unpacksAside(): boolean {
    return !this.isThrifty && this.unpacked >= CLUSTERS_BEFORE_THREADS;
  }

  /** Ends the threads; nothing is under way. */
  close(): void {
    this.#pool?.close();
    this.#pool = undefined;
    this.#decoder?.[Symbol.dispose]();
    this.#decoder = undefined;
  }
}
