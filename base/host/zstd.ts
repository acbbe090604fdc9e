/**
 * The C library's decoder of zstd, where the system has it: half the time of the one that comes with Deno, which makes
 * a decoder for each call, and on Deno's threads none at all of this one's.
 *
 * Nothing needs it: {@link ZstdDecoder.open} answers `undefined` where there is no libzstd or no `--allow-ffi`.
 *
 * Left out: compressing, dictionaries, decoding bit by bit.
 *
 * Source: zstd.h, "Simple Core API" and "Explicit context".
 *
 * @module
 */
import { assert } from "../assert.ts";
import { hostLibrary } from "./libc.ts";

const LIBRARY = "libzstd.so.1";

const SYMBOLS = {
  ZSTD_createDCtx: { parameters: [], result: "pointer" },
  ZSTD_freeDCtx: { parameters: ["pointer"], result: "usize" },
  ZSTD_decompressDCtx: {
    parameters: ["pointer", "buffer", "usize", "buffer", "usize"],
    result: "usize",
    nonblocking: true,
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** More would only wait for a processor. */
const MAX_CONTEXTS = 4;

/** Decodes whole frames on other threads; closed when nothing is under way. */
export class ZstdDecoder implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #contexts: NonNullable<Deno.PointerValue>[] = [];
  readonly #free: NonNullable<Deno.PointerValue>[] = [];
  readonly #most = Math.min(MAX_CONTEXTS, navigator.hardwareConcurrency);
  readonly #waiting: (() => void)[] = [];
  /** Memory that threads are working on: Deno keeps only its address. */
  readonly #held = new Set<object>();

  private constructor(library: Deno.DynamicLibrary<typeof SYMBOLS>) {
    this.#library = library;
  }

  /** A decoder, where there can be one; nothing is asked of the user. */
  static open(): ZstdDecoder | undefined {
    if (hostLibrary() === undefined) return undefined;
    try {
      return new ZstdDecoder(Deno.dlopen(LIBRARY, SYMBOLS));
    } catch {
      return undefined;
    }
  }

  /**
   * Decodes frames that lie one behind the other into `into`; both are left alone until it is done.
   *
   * @returns how many bytes came out, or -1 where the frames are damaged or hold more than there is room for
   */
  async decode(frames: Uint8Array<ArrayBuffer>, into: Uint8Array<ArrayBuffer>): Promise<number> {
    const context = await this.#take();
    if (context === undefined) return -1;
    const memory = { frames, into };
    this.#held.add(memory);
    try {
      const { symbols } = this.#library;
      const into64 = BigInt(into.length);
      const bytes = await symbols.ZSTD_decompressDCtx(context, into, into64, frames, BigInt(frames.length));
      // Errors are numbers just below 2^64.
      return bytes > into64 ? -1 : Number(bytes);
    } finally {
      this.#held.delete(memory);
      this.#free.push(context);
      this.#waiting.shift()?.();
    }
  }

  /** A context that nobody uses; `undefined` where there is no memory for one. */
  async #take(): Promise<NonNullable<Deno.PointerValue> | undefined> {
    for (;;) {
      const free = this.#free.pop();
      if (free !== undefined) return free;
      if (this.#contexts.length < this.#most) {
        const made = this.#library.symbols.ZSTD_createDCtx();
        if (made !== null) this.#contexts.push(made);
        if (made !== null || this.#contexts.length === 0) return made ?? undefined;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  [Symbol.dispose](): void {
    assert(this.#held.size === 0, "a decoder is closed while it works");
    for (const context of this.#contexts) this.#library.symbols.ZSTD_freeDCtx(context);
    this.#library.close();
  }
}
