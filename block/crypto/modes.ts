/**
 * The modes of a block cipher over rows of sectors, each made of few calls of batched ECB.
 *
 * A mode gets `words` (whole sectors, which it may overwrite) and the sectors' initialisation vectors, and gives fresh
 * words. XTS and CTR mask all blocks of a chunk in one call. Reading CBC is one call too; writing it chains the blocks of
 * a sector, so that block after block is done for all sectors at once.
 *
 * Source: [IEEE 1619] 5.3 (XTS-AES), [SP 800-38A] 6.1, 6.2, 6.5 (ECB, CBC, CTR).
 *
 * @module
 */
import type { CipherSpec } from "./algorithms.ts";
import { bytesOf, EcbCipher } from "./ecb.ts";

/** A mode with its keys. `sectorWords`: 32-bit words of a sector. */
export interface Mode {
  encrypt(words: Int32Array, ivs: Int32Array, sectorWords: number): Int32Array;
  decrypt(words: Int32Array, ivs: Int32Array, sectorWords: number): Int32Array;
  close(): void;
}

/** The mode that `spec` names, under `key` (two keys in a row for XTS). */
export function makeMode(spec: CipherSpec, key: Uint8Array): Mode {
  const { cipher } = spec;
  switch (spec.mode) {
    case "xts":
      return new Xts(
        new EcbCipher(cipher, key.subarray(0, cipher.keyBytes)),
        new EcbCipher(cipher, key.subarray(cipher.keyBytes)),
      );
    case "cbc":
      return new Cbc(new EcbCipher(cipher, key));
    case "ctr":
      return new Ctr(new EcbCipher(cipher, key));
    case "ecb": {
      const ecb = new EcbCipher(cipher, key);
      return {
        encrypt: (words) => ecb.encryptWords(words),
        decrypt: (words) => ecb.decryptWords(words),
        close: () => ecb.close(),
      };
    }
  }
}

function xor(words: Int32Array, mask: Int32Array): void {
  for (let i = 0; i < words.length; i++) words[i]! ^= mask[i]!;
}

/** Each block masked before and after by its tweak: the encrypted vector, doubled in GF(2^128) from block to block. */
class Xts implements Mode {
  readonly #data: EcbCipher;
  readonly #tweak: EcbCipher;
  #masks = new Int32Array(0);

  constructor(data: EcbCipher, tweak: EcbCipher) {
    this.#data = data;
    this.#tweak = tweak;
  }

  encrypt(words: Int32Array, ivs: Int32Array, sectorWords: number): Int32Array {
    const masks = this.#mask(words, ivs, sectorWords);
    const result = this.#data.encryptWords(words);
    xor(result, masks);
    return result;
  }

  decrypt(words: Int32Array, ivs: Int32Array, sectorWords: number): Int32Array {
    const masks = this.#mask(words, ivs, sectorWords);
    const result = this.#data.decryptWords(words);
    xor(result, masks);
    return result;
  }

  close(): void {
    this.#data.close();
    this.#tweak.close();
  }

  /** Masks `words` in place, and gives the masks, which stay good until the next call. */
  #mask(words: Int32Array, ivs: Int32Array, sectorWords: number): Int32Array {
    const { length } = words;
    if (this.#masks.length < length) this.#masks = new Int32Array(length);
    const masks = this.#masks;
    const tweaks = this.#tweak.encryptWords(ivs);
    let at = 0;
    for (let sector = 0; at < length; sector += 4) {
      let a = tweaks[sector]!;
      let b = tweaks[sector + 1]!;
      let c = tweaks[sector + 2]!;
      let d = tweaks[sector + 3]!;
      for (const end = at + sectorWords; at < end; at += 4) {
        masks[at] = a;
        masks[at + 1] = b;
        masks[at + 2] = c;
        masks[at + 3] = d;
        words[at]! ^= a;
        words[at + 1]! ^= b;
        words[at + 2]! ^= c;
        words[at + 3]! ^= d;
        // Doubling, lowest word first; what leaves at the top comes back as x^7 + x^2 + x + 1.
        const carry = (d >> 31) & 0x87;
        d = (d << 1) | (c >>> 31);
        c = (c << 1) | (b >>> 31);
        b = (b << 1) | (a >>> 31);
        a = (a << 1) ^ carry;
      }
    }
    return length === masks.length ? masks : masks.subarray(0, length);
  }
}

/** Each block mixed with the encrypted one before it, the first with the vector. */
class Cbc implements Mode {
  readonly #cipher: EcbCipher;

  constructor(cipher: EcbCipher) {
    this.#cipher = cipher;
  }

  encrypt(words: Int32Array, ivs: Int32Array, sectorWords: number): Int32Array {
    const sectors = words.length / sectorWords;
    const result = new Int32Array(words.length);
    const row = new Int32Array(sectors * 4);
    let before = ivs;
    for (let block = 0; block < sectorWords; block += 4) {
      for (let sector = 0; sector < sectors; sector++) {
        const from = sector * sectorWords + block;
        for (let i = 0; i < 4; i++) row[4 * sector + i] = words[from + i]! ^ before[4 * sector + i]!;
      }
      before = this.#cipher.encryptWords(row);
      for (let sector = 0; sector < sectors; sector++) {
        const to = sector * sectorWords + block;
        for (let i = 0; i < 4; i++) result[to + i] = before[4 * sector + i]!;
      }
    }
    return result;
  }

  decrypt(words: Int32Array, ivs: Int32Array, sectorWords: number): Int32Array {
    const result = this.#cipher.decryptWords(words);
    for (let start = 0, iv = 0; start < words.length; start += sectorWords, iv += 4) {
      for (let i = 0; i < 4; i++) result[start + i]! ^= ivs[iv + i]!;
      for (let i = 4; i < sectorWords; i++) result[start + i]! ^= words[start + i - 4]!;
    }
    return result;
  }

  close(): void {
    this.#cipher.close();
  }
}

/** The data masked with an encrypted counter, which starts at the vector and counts as one big-endian number. */
class Ctr implements Mode {
  readonly #cipher: EcbCipher;

  constructor(cipher: EcbCipher) {
    this.#cipher = cipher;
  }

  encrypt(words: Int32Array, ivs: Int32Array, sectorWords: number): Int32Array {
    const counters = new Int32Array(words.length);
    const bytes = bytesOf(counters);
    const counter = bytesOf(ivs).slice();
    for (let at = 0, iv = 0; at < bytes.length; iv += 16) {
      const one = counter.subarray(iv, iv + 16);
      for (const end = at + sectorWords * 4; at < end; at += 16) {
        bytes.set(one, at);
        for (let i = 15; i >= 0 && ++one[i]! === 0x100; i--);
      }
    }
    xor(words, this.#cipher.encryptWords(counters));
    return words.slice();
  }

  decrypt(words: Int32Array, ivs: Int32Array, sectorWords: number): Int32Array {
    return this.encrypt(words, ivs, sectorWords);
  }

  close(): void {
    this.#cipher.close();
  }
}
