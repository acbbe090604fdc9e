/**
 * The buffers of a copy: a fixed number of them, given out, filled, written and taken back. They are all its memory.
 *
 * @module
 */
import { LargeMemory } from "../../base/host/large.ts";

/** Buffers of one size; dispose of them when nothing is under way. */
export class CopyBuffers implements Disposable {
  readonly #memory: LargeMemory;
  readonly #free: Uint8Array[] = [];
  readonly #count: number;
  #waiting: (() => void) | undefined;

  constructor(count: number, sizeBytes: number) {
    this.#memory = LargeMemory.map(count * sizeBytes);
    this.#count = count;
    for (let i = 0; i < count; i++) this.#free.push(this.#memory.take(sizeBytes));
  }

  /** A buffer, if one is free. */
  take(): Uint8Array | undefined {
    return this.#free.pop();
  }

  /** Resolves when a buffer is given back; one caller at a time. */
  given(): Promise<void> {
    return new Promise((resolve) => this.#waiting = resolve);
  }

  give(buffer: Uint8Array): void {
    this.#free.push(buffer);
    const wake = this.#waiting;
    this.#waiting = undefined;
    wake?.();
  }

  /** Resolves when all buffers are back. */
  async all(): Promise<void> {
    while (this.#free.length < this.#count) await this.given();
  }

  [Symbol.dispose](): void {
    this.#memory[Symbol.dispose]();
  }
}
