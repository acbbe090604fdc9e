/**
 * Randomness that comes in by constructor, so that one seed gives one run.
 *
 * @module
 */

/** A source of random numbers. */
export interface Random {
  /** A whole number from 0 to 2^32-1. */
  uint32(): number;
  /** A whole number from 0 to `bound - 1`; `bound` from 1 to 2^53-1. */
  below(bound: number): number;
  /** Fills `bytes`. */
  fill(bytes: Uint8Array): void;
}

abstract class RandomBase implements Random {
  abstract uint32(): number;

  below(bound: number): number {
    if (bound <= 0x1_0000_0000) return Math.floor(this.uint32() / 0x1_0000_0000 * bound);
    const high = this.uint32() & 0x1fffff;
    return Math.floor((high * 0x1_0000_0000 + this.uint32()) / 2 ** 53 * bound);
  }

  fill(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) bytes[i] = this.uint32() & 0xff;
  }
}

/** A seeded generator (sfc32, Chris Doty-Humphrey's small fast chaotic counter). */
export class SeededRandom extends RandomBase {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    super();
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 0x1_0000_0000) >>> 0;
    this.#c = 0x9e3779b9;
    for (let i = 0; i < 12; i++) this.uint32();
  }

  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) >>> 0;
    this.#counter = (this.#counter + 1) >>> 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) >>> 0;
    return sum;
  }
}

/** The host's randomness; only `monitor/vm.ts` and `tools/` take it. */
export class HostRandom extends RandomBase {
  readonly #word = new Uint32Array(1);

  uint32(): number {
    crypto.getRandomValues(this.#word);
    return this.#word[0]!;
  }
}
