/**
 * Output that cannot go out at once: kept in order and within a limit, sent in as few pieces as possible.
 *
 * @module
 */
import { concatBytes } from "../../base/bytes.ts";
import { KiB } from "../../base/units.ts";

const LIMIT_BYTES = 256 * KiB;

/** A queue of bytes before something that takes its time. */
export class OutputQueue {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  readonly #roomAgain: () => void;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #sending: Promise<void> | undefined;
  #wasFull = false;
  #isClosed = false;

  /** `write` sends all of what it is given; when it throws, the rest is dropped. */
  constructor(write: (bytes: Uint8Array) => Promise<void>, roomAgain: () => void) {
    this.#write = write;
    this.#roomAgain = roomAgain;
  }

  /** Takes a copy of as much of `bytes` as there is room for; how much that was. */
  push(bytes: Uint8Array): number {
    if (this.#isClosed) return bytes.length;
    const taken = Math.min(bytes.length, LIMIT_BYTES - this.#bytes);
    if (taken < bytes.length) this.#wasFull = true;
    if (taken <= 0) return 0;
    this.#pieces.push(bytes.slice(0, taken));
    this.#bytes += taken;
    this.#sending ??= this.#sendAll();
    return taken;
  }

  /** Resolves when everything is out, or dropped. */
  async flushed(): Promise<void> {
    await this.#sending;
  }

  /** Drops what waits; what comes later is dropped as well. */
  close(): void {
    this.#isClosed = true;
    this.#pieces = [];
    this.#bytes = 0;
  }

  async #sendAll(): Promise<void> {
    try {
      while (this.#pieces.length > 0) {
        const bytes = this.#pieces.length === 1 ? this.#pieces[0]! : concatBytes(this.#pieces);
        this.#pieces = [];
        await this.#write(bytes);
        this.#bytes = Math.max(0, this.#bytes - bytes.length);
        this.#tellRoom();
      }
    } catch {
      // Whoever took it has gone; the end of the input tells that.
      this.close();
      this.#tellRoom();
    } finally {
      this.#sending = undefined;
    }
  }

  #tellRoom(): void {
    if (!this.#wasFull) return;
    this.#wasFull = false;
    this.#roomAgain();
  }
}
