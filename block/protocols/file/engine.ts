/**
 * What moves bytes between memory and a file without holding up the event loop: the one interface behind which there
 * are two engines, io_uring and Deno's pool of threads; the page cache's quick path stands in front of both.
 *
 * An engine makes one attempt and tells what the system call told. Short transfers, bounce buffers and messages are the
 * business of `transfer.ts` and of the driver.
 *
 * @module
 */
import { EIO_RESULT } from "./results.ts";
import { Ring, RING_FSYNC_DATASYNC, RingOperation } from "../../../base/host/io_uring.ts";
import type { HostLibrary } from "../../../base/host/libc.ts";
import { fillIovecs, IOVEC_BYTES } from "../../../base/host/pointers.ts";

/** Results are numbers of bytes, or 0, or negative error numbers. */
export interface FileEngine {
  /** `"io_uring"` or `"threads"`. */
  readonly name: string;
  /** With `elsewhere`, bytes are not copied by the caller's thread, even where the page cache has them. */
  read(descriptor: number, at: number, slices: readonly Uint8Array[], elsewhere?: boolean): Promise<number>;
  /** `direct` says that the file bypasses the page cache. */
  write(descriptor: number, at: number, slices: readonly Uint8Array[], direct?: boolean): Promise<number>;
  /** fdatasync. */
  flush(descriptor: number): Promise<number>;
  /** fallocate with `mode`. */
  allocate(descriptor: number, mode: number, at: number, length: number): Promise<number>;
  /** Lets go of everything; nothing is in flight. */
  close(): void;
}

/** Copying so much takes longer than waking another thread, which mostly is awake, and holds the file meanwhile. */
const LARGE_CACHED_WRITE_BYTES = 32 * 1024;
/** The same where the device takes the bytes from where they are. */
const LARGE_DIRECT_WRITE_BYTES = 128 * 1024;

/** Slices in one system call. */
export const MAX_SLICES = 1024;

/** Requests of one file through a ring of its own. */
export class RingEngine implements FileEngine {
  readonly name = "io_uring";
  readonly #ring: Ring;

  /** @throws HostError where there is no io_uring */
  constructor(host: HostLibrary) {
    this.#ring = Ring.open(host);
  }

  read(descriptor: number, at: number, slices: readonly Uint8Array[], elsewhere = false): Promise<number> {
    const operation = slices.length === 1 ? RingOperation.read : RingOperation.readv;
    return this.#ring.request({ operation, descriptor, offset: at, slices, elsewhere });
  }

  write(descriptor: number, at: number, slices: readonly Uint8Array[], direct = false): Promise<number> {
    const operation = slices.length === 1 ? RingOperation.write : RingOperation.writev;
    // Where the kernel can do it at once it would, and this thread would copy it all.
    const elsewhere = slices[0]!.length >= (direct ? LARGE_DIRECT_WRITE_BYTES : LARGE_CACHED_WRITE_BYTES);
    return this.#ring.request({ operation, descriptor, offset: at, slices, elsewhere });
  }

  flush(descriptor: number): Promise<number> {
    return this.#ring.request({ operation: RingOperation.fsync, descriptor, flags: RING_FSYNC_DATASYNC });
  }

  allocate(descriptor: number, mode: number, at: number, length: number): Promise<number> {
    return this.#ring.request({
      operation: RingOperation.fallocate,
      descriptor,
      offset: at,
      rangeBytes: length,
      mode,
    });
  }

  close(): void {
    this.#ring.close();
  }
}

/**
 * Requests on Deno's threads, where the kernel gives no ring. A failure's errno stays in the thread that had it, so
 * failed calls are told as EIO, except where asking again without waiting shows the true one.
 */
export class PoolEngine implements FileEngine {
  readonly name = "threads";
  readonly #host: HostLibrary;
  /**
   * Memory that threads are working on. Deno keeps only the address of it for a call on the pool: what nobody else held
   * would be collected meanwhile, and the call would use whatever came in its place.
   */
  readonly #held = new Set<object>();

  constructor(host: HostLibrary) {
    this.#host = host;
  }

  async read(descriptor: number, at: number, slices: readonly Uint8Array[]): Promise<number> {
    const table = vectorTable(slices);
    const call = () => this.#host.symbols.preadv_pool(descriptor, table, slices.length, BigInt(at));
    return told(await this.#holding({ table, slices }, call));
  }

  async write(descriptor: number, at: number, slices: readonly Uint8Array[]): Promise<number> {
    const table = vectorTable(slices);
    const call = () => this.#host.symbols.pwritev_pool(descriptor, table, slices.length, BigInt(at));
    const result = await this.#holding({ table, slices }, call);
    if (result >= 0) return result;
    // a full disk or a limit answers at once, and callers act on which it was
    const again = this.#host.symbols.pwritev(descriptor, table, slices.length, BigInt(at));
    return again >= 0 ? again : -this.#host.errno();
  }

  async flush(descriptor: number): Promise<number> {
    return told(await this.#host.symbols.fdatasync_pool(descriptor));
  }

  async allocate(descriptor: number, mode: number, at: number, length: number): Promise<number> {
    const result = await this.#host.symbols.fallocate_pool(descriptor, mode, BigInt(at), BigInt(length));
    if (result >= 0) return result;
    const again = this.#host.symbols.fallocate(descriptor, mode, BigInt(at), BigInt(length));
    return again >= 0 ? again : -this.#host.errno();
  }

  close(): void {}

  async #holding(memory: object, call: () => Promise<number>): Promise<number> {
    this.#held.add(memory);
    try {
      return await call();
    } finally {
      this.#held.delete(memory);
    }
  }
}

function vectorTable(slices: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const table = new Uint8Array(slices.length * IOVEC_BYTES);
  fillIovecs(new DataView(table.buffer), slices);
  return table;
}

function told(result: number): number {
  return result < 0 ? EIO_RESULT : result;
}

/**
 * A ring where the kernel gives one, else threads; made for the first request, since most files that are opened, read
 * from the page cache and closed never need it.
 */
export class LazyEngine implements FileEngine {
  readonly #host: HostLibrary;
  #made: FileEngine | undefined;

  constructor(host: HostLibrary) {
    this.#host = host;
  }

  get name(): string {
    return this.#engine.name;
  }

  read(descriptor: number, at: number, slices: readonly Uint8Array[], elsewhere?: boolean): Promise<number> {
    return this.#engine.read(descriptor, at, slices, elsewhere);
  }

  write(descriptor: number, at: number, slices: readonly Uint8Array[], direct?: boolean): Promise<number> {
    return this.#engine.write(descriptor, at, slices, direct);
  }

  flush(descriptor: number): Promise<number> {
    return this.#engine.flush(descriptor);
  }

  allocate(descriptor: number, mode: number, at: number, length: number): Promise<number> {
    return this.#engine.allocate(descriptor, mode, at, length);
  }

  close(): void {
    this.#made?.close();
  }

  get #engine(): FileEngine {
    return this.#made ??= ringOrThreads(this.#host);
  }
}

function ringOrThreads(host: HostLibrary): FileEngine {
  try {
    return new RingEngine(host);
  } catch {
    return new PoolEngine(host);
  }
}
