/**
 * Initialisation vectors of sectors: 16 bytes for each, made of its number.
 *
 * `plain` is the number's low 32 bits, `plain64` all 64, both with the lowest byte first and zeroes behind; `essiv` is the
 * latter, encrypted under a hash of the volume's key, so that nobody can choose data whose vectors cancel out.
 *
 * Source: [LUKS1] "Cipher modes"; dm-crypt's documentation of IV generators.
 *
 * @module
 */
import { nodeCrypto } from "../../base/node_crypto.ts";
import { type CipherSpec, essivCipher } from "./algorithms.ts";
import { EcbCipher } from "./ecb.ts";

/** Bytes of one vector: the block of the cipher. */
export const IV_BYTES = 16;

/** Makes the vectors of rows of sectors. */
export class SectorIv {
  readonly #wide: boolean;
  readonly #essiv: EcbCipher | undefined;

  constructor(spec: CipherSpec, key: Uint8Array) {
    this.#wide = spec.ivGenerator !== "plain";
    if (spec.ivHash === undefined) return;
    const digest = nodeCrypto().createHash(spec.ivHash).update(key).digest();
    this.#essiv = new EcbCipher(essivCipher(spec.cipher, spec.ivHash), digest);
  }

  close(): void {
    this.#essiv?.close();
  }

  /** The vectors of `count` sectors from number `first`, one behind the other, as 32-bit words. */
  make(first: number, count: number): Int32Array {
    const words = new Int32Array(count * (IV_BYTES / 4));
    for (let i = 0; i < count; i++) {
      const sector = first + i;
      words[4 * i] = sector % 0x1_0000_0000;
      if (this.#wide) words[4 * i + 1] = Math.floor(sector / 0x1_0000_0000);
    }
    return this.#essiv === undefined ? words : this.#essiv.encryptWords(words);
  }
}
