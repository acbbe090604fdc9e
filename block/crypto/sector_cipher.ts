/**
 * A volume's cipher: encrypts and decrypts rows of 512-byte sectors by their numbers.
 *
 * The caller's bytes are copied into an aligned scratch buffer of 64 KiB, which stays in the processor's cache; guest
 * memory is never changed by a write.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import { IoVector } from "../../base/io_vector.ts";
import { KiB, SECTOR_BYTES } from "../../base/units.ts";
import type { CipherSpec } from "./algorithms.ts";
import { bytesOf } from "./ecb.ts";
import { makeMode, type Mode } from "./modes.ts";
import { SectorIv } from "./sector_iv.ts";

const CHUNK_BYTES = 64 * KiB;

/** The cipher of one open volume. */
export class SectorCipher implements Disposable {
  readonly #mode: Mode;
  readonly #iv: SectorIv;
  readonly #scratch = new Int32Array(CHUNK_BYTES / 4);

  /** `key` is as long as `volumeKeyBytes` says. */
  constructor(spec: CipherSpec, key: Uint8Array) {
    this.#mode = makeMode(spec, key);
    this.#iv = new SectorIv(spec, key);
  }

  /** The encrypted form of `from`, whole sectors from number `sector`, in fresh memory. */
  encrypt(sector: number, from: IoVector): IoVector {
    const pieces: Uint8Array[] = [];
    this.#each(sector, from, (words, ivs) => {
      pieces.push(bytesOf(this.#mode.encrypt(words, ivs, SECTOR_BYTES / 4)));
    });
    return IoVector.from(pieces);
  }

  /** Decrypts `data` in place. */
  decrypt(sector: number, data: IoVector): void {
    this.#each(sector, data, (words, ivs, at) => {
      data.copyFrom(bytesOf(this.#mode.decrypt(words, ivs, SECTOR_BYTES / 4)), at);
    });
  }

  /** Ends the runtime's ciphers; those that are used again are made again. */
  [Symbol.dispose](): void {
    this.#mode.close();
    this.#iv.close();
  }

  #each(sector: number, data: IoVector, work: (words: Int32Array, ivs: Int32Array, at: number) => void): void {
    assert(data.length % SECTOR_BYTES === 0, `${data.length} bytes are no whole sectors`);
    for (let at = 0; at < data.length; at += CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, data.length - at);
      const words = length === CHUNK_BYTES ? this.#scratch : this.#scratch.subarray(0, length / 4);
      data.slice(at, length).copyTo(bytesOf(words));
      work(words, this.#iv.make(sector + at / SECTOR_BYTES, length / SECTOR_BYTES), at);
    }
  }
}
