/**
 * The way in: a state from beginning to end through two buffers, of which one is read while the other is looked at.
 *
 * ```
 *   a buffer   [      what was left of the other | a window of the state ]
 * ```
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import { IoVector } from "../../base/io_vector.ts";
import { MiB } from "../../base/units.ts";
import { MAX_RAM_SECTION_BYTES } from "./format.ts";

/** Where a state comes from; offsets count from its beginning. */
export interface StateSource {
  readonly sizeBytes: number;
  read(at: number, into: IoVector): Promise<void>;
}

const WINDOW_BYTES = 2 * MiB;
/** What is left over of a window is shorter than a piece that is asked for. */
const LEFT_BYTES = MAX_RAM_SECTION_BYTES;

/** Reads a state once. Call {@link end} in any case: until then a read may be in flight. */
export class StateInput {
  readonly #source: StateSource;
  #bytes = new Uint8Array(LEFT_BYTES + WINDOW_BYTES);
  #spare = new Uint8Array(LEFT_BYTES + WINDOW_BYTES);
  /** What of `#bytes` is to be looked at yet. */
  #start = LEFT_BYTES;
  #end = LEFT_BYTES;
  /** How far the source has been read or is being read. */
  #asked = 0;
  /** The read into `#spare`: how many bytes it brings; never rejects. */
  #ahead: Promise<number>;
  #failure: { readonly error: unknown } | undefined;
  #position = 0;

  constructor(source: StateSource) {
    this.#source = source;
    this.#ahead = this.#readAhead();
  }

  /** Where the next byte lies in the state. */
  get position(): number {
    return this.#position;
  }

  get leftBytes(): number {
    return this.#source.sizeBytes - this.#position;
  }

  /** The next `lengthBytes`, which are there: a view until the next call. @throws what a read failed with */
  async take(lengthBytes: number): Promise<Uint8Array> {
    assert(lengthBytes <= this.leftBytes, `${lengthBytes} bytes, of which ${this.leftBytes} are left`);
    if (lengthBytes > LEFT_BYTES) return await this.#takeLong(lengthBytes);
    while (this.#end - this.#start < lengthBytes) await this.#next();
    const at = this.#start;
    this.#start += lengthBytes;
    this.#position += lengthBytes;
    return this.#bytes.subarray(at, this.#start);
  }

  /** Waits until nothing is in flight. */
  async end(): Promise<void> {
    await this.#ahead;
  }

  async #takeLong(lengthBytes: number): Promise<Uint8Array> {
    const all = new Uint8Array(lengthBytes);
    for (let at = 0; at < lengthBytes; at += LEFT_BYTES) {
      all.set(await this.take(Math.min(LEFT_BYTES, lengthBytes - at)), at);
    }
    return all;
  }

  async #next(): Promise<void> {
    const length = await this.#ahead;
    if (this.#failure !== undefined) throw this.#failure.error;
    const left = this.#bytes.subarray(this.#start, this.#end);
    this.#spare.set(left, LEFT_BYTES - left.length);
    [this.#bytes, this.#spare] = [this.#spare, this.#bytes];
    this.#start = LEFT_BYTES - left.length;
    this.#end = LEFT_BYTES + length;
    this.#ahead = this.#readAhead();
  }

  async #readAhead(): Promise<number> {
    const length = Math.min(WINDOW_BYTES, this.#source.sizeBytes - this.#asked);
    if (length === 0) return 0;
    const at = this.#asked;
    this.#asked += length;
    try {
      await this.#source.read(at, IoVector.of(this.#spare.subarray(LEFT_BYTES, LEFT_BYTES + length)));
    } catch (error) {
      this.#failure = { error };
    }
    return length;
  }
}
