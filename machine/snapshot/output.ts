/**
 * The way out of a state: its bytes are gathered in a few large buffers, and while one is being written the next is
 * filled. All writes but the last have the same length, so they begin and end with clusters of any size.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import { IoVector } from "../../base/io_vector.ts";
import { MiB } from "../../base/units.ts";
import { MAX_RAM_SECTION_BYTES } from "./format.ts";

/** Where a state goes; offsets count from its beginning. */
export interface StateSink {
  write(at: number, from: IoVector): Promise<void>;
}

const WRITE_BYTES = 2 * MiB;
/** What may be asked for in one piece, see {@link StateOutput.room}. */
const MAX_PIECE_BYTES = MAX_RAM_SECTION_BYTES;
/** Two are written while the third is filled. */
const BUFFERS = 3;

/** Writes a state from beginning to end. Call {@link end} in any case: until then requests may be in flight. */
export class StateOutput {
  readonly #sink: StateSink;
  readonly #buffers = Array.from({ length: BUFFERS }, () => ({
    bytes: new Uint8Array(WRITE_BYTES + MAX_PIECE_BYTES),
    /** Ends when what it held is written; never rejects. */
    free: Promise.resolve(),
  }));
  #turn = 0;
  /** Bytes that wait in the current buffer. */
  #filled = 0;
  #written = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(sink: StateSink) {
    this.#sink = sink;
  }

  /** Bytes so far. */
  get position(): number {
    return this.#written + this.#filled;
  }

  /** Room for `lengthBytes` in one piece: fill all or the beginning of it, then {@link put} that much. */
  room(lengthBytes: number): Uint8Array {
    assert(lengthBytes <= MAX_PIECE_BYTES, `a piece of ${lengthBytes} bytes`);
    return this.#buffer.bytes.subarray(this.#filled, this.#filled + lengthBytes);
  }

  /** Takes `lengthBytes` of what {@link room} gave. @throws what an earlier write failed with */
  async put(lengthBytes: number): Promise<void> {
    this.#filled += lengthBytes;
    if (this.#filled >= WRITE_BYTES) await this.#next();
  }

  /** Copies `bytes` of any length. */
  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += MAX_PIECE_BYTES) {
      const piece = bytes.subarray(at, at + MAX_PIECE_BYTES);
      this.room(piece.length).set(piece);
      await this.put(piece.length);
    }
  }

  /** Writes what is left, and waits until nothing is in flight. @throws what a write failed with */
  async end(): Promise<void> {
    if (this.#failure === undefined && this.#filled > 0) this.#write(this.#filled);
    this.#filled = 0;
    for (const { free } of this.#buffers) await free;
    this.#throwFailure();
  }

  get #buffer() {
    return this.#buffers[this.#turn]!;
  }

  /** The current buffer is on its way; what it has too much goes on in the next. */
  async #next(): Promise<void> {
    const { bytes } = this.#buffer;
    this.#write(WRITE_BYTES);
    this.#turn = (this.#turn + 1) % BUFFERS;
    await this.#buffer.free;
    this.#throwFailure();
    this.#filled -= WRITE_BYTES;
    this.#buffer.bytes.set(bytes.subarray(WRITE_BYTES, WRITE_BYTES + this.#filled));
  }

  #write(lengthBytes: number): void {
    const buffer = this.#buffer;
    const work = this.#sink.write(this.#written, IoVector.of(buffer.bytes.subarray(0, lengthBytes)));
    buffer.free = work.catch((error) => void (this.#failure ??= { error }));
    this.#written += lengthBytes;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
