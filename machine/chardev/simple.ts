/**
 * Character devices of few lines: the one that nobody is behind, the ring buffer, and the one that a script plays.
 *
 * @module
 */
import { isPowerOfTwo } from "../../base/bits.ts";
import { CharBackend } from "./backend.ts";
import { ChardevError } from "./errors.ts";
import { OutputQueue } from "./output_queue.ts";

/** `null`: takes everything and says nothing. */
export class NullChardev extends CharBackend {
  readonly kind = "null";

  constructor(label: string) {
    super(label);
    this.opened();
  }

  protected send(bytes: Uint8Array): number {
    return bytes.length;
  }
}

const MAX_RING_BYTES = 2 ** 30;

/** `ringbuf`, also called `memory`: keeps the last bytes that were sent until somebody reads them. */
export class RingChardev extends CharBackend {
  readonly kind: "ringbuf" | "memory";
  readonly #ring: Uint8Array;
  #produced = 0;
  #consumed = 0;

  /** @throws {ChardevError} where the size is no power of two */
  constructor(label: string, kind: "ringbuf" | "memory", sizeBytes: number) {
    super(label);
    this.kind = kind;
    if (!isPowerOfTwo(sizeBytes)) throw new ChardevError("size of ringbuf chardev must be power of two");
    if (sizeBytes > MAX_RING_BYTES) throw new ChardevError(`a ringbuf has at most ${MAX_RING_BYTES} bytes`);
    this.#ring = new Uint8Array(sizeBytes);
    this.opened();
  }

  protected send(bytes: Uint8Array): number {
    this.put(bytes);
    return bytes.length;
  }

  /** Adds bytes; the oldest ones go where there is no room. */
  put(bytes: Uint8Array): void {
    const size = this.#ring.length;
    const kept = bytes.subarray(Math.max(0, bytes.length - size));
    this.#produced += bytes.length - kept.length;
    const at = this.#produced % size;
    const first = kept.subarray(0, size - at);
    this.#ring.set(first, at);
    this.#ring.set(kept.subarray(first.length), 0);
    this.#produced += kept.length;
    this.#consumed = Math.max(this.#consumed, this.#produced - size);
  }

  /** Takes out the oldest bytes, `limit` at most. */
  take(limit: number): Uint8Array {
    const taken = new Uint8Array(Math.min(limit, this.#produced - this.#consumed));
    const at = this.#consumed % this.#ring.length;
    const first = this.#ring.subarray(at, at + taken.length);
    taken.set(first);
    taken.set(this.#ring.subarray(0, taken.length - first.length), first.length);
    this.#consumed += taken.length;
    return taken;
  }
}

/** What a script hears and says on a {@link ScriptChardev}. */
export interface ScriptPeer {
  /** Called with what a frontend sent; the next bytes come when it has resolved. */
  received(bytes: Uint8Array): Promise<void> | void;
}

/**
 * A character device that a script plays the other end of, without any socket.
 *
 * ```ts
 * import { ScriptChardev } from "./simple.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const heard: number[] = [];
 * await using line = new ScriptChardev("line", { received: (bytes) => void heard.push(...bytes) });
 * const got: number[] = [];
 * using port = line.connect({ room: () => 16, receive: (bytes) => void got.push(...bytes) });
 * await line.say(new Uint8Array([1, 2]));
 * port.write(new Uint8Array([3]));
 * await port.flushed();
 * assertEquals([got, heard], [[1, 2], [3]]);
 * ```
 */
export class ScriptChardev extends CharBackend {
  readonly kind = "script";
  readonly #output: OutputQueue;
  #saying: Promise<void> = Promise.resolve();

  constructor(label: string, peer: ScriptPeer) {
    super(label);
    this.#output = new OutputQueue(async (bytes) => await peer.received(bytes), () => this.tellWritable());
    this.opened();
  }

  protected send(bytes: Uint8Array): number {
    return this.#output.push(bytes);
  }

  override flushed(): Promise<void> {
    return this.#output.flushed();
  }

  /** Sends to the frontend; resolves when that has taken all. */
  say(bytes: Uint8Array): Promise<void> {
    this.#saying = this.#saying.then(() => this.deliver(bytes.slice()));
    return this.#saying;
  }

  /** Sends a break condition. */
  sendBreak(): void {
    this.tell("break");
  }

  protected override close(): void {
    this.#output.close();
  }
}
