/**
 * A block cipher applied to rows of independent blocks (ECB): what all modes here are made of.
 *
 * The runtime has neither AES-XTS nor a way to give a cipher a new initialisation vector for each sector, but one
 * long-lived ECB cipher over thousands of blocks at once costs no more than the arithmetic itself.
 *
 * Words are 32 bits in the host's order, lowest byte first on every machine that moa runs on.
 *
 * @module
 */
import type { createCipheriv, createDecipheriv } from "node:crypto";
import { nodeCrypto } from "../../base/node_crypto.ts";
import type { CipherAlgorithm } from "./algorithms.ts";
import { unsupported } from "./failures.ts";

/** Bytes of a cipher's block. */
export const BLOCK_BYTES = 16;

/**
 * One key, both directions. The runtime keeps a cipher until it is told to end it; so each is made when it is first used,
 * and {@link EcbCipher.close} ends them.
 */
export class EcbCipher {
  readonly #name: string;
  readonly #key: Uint8Array;
  #encipher: ReturnType<typeof createCipheriv> | undefined;
  #decipher: ReturnType<typeof createDecipheriv> | undefined;

  constructor(cipher: CipherAlgorithm, key: Uint8Array) {
    if (cipher.ecb === undefined) throw unsupported(cipher.name, `Algorithm '${cipher.name}' not supported`);
    this.#name = cipher.ecb;
    this.#key = key;
  }

  /** Fresh words; a whole number of blocks. */
  encryptWords(words: Int32Array): Int32Array {
    this.#encipher ??= nodeCrypto().createCipheriv(this.#name, this.#key, null).setAutoPadding(false);
    return wordsOf(this.#encipher.update(bytesOf(words)));
  }

  decryptWords(words: Int32Array): Int32Array {
    this.#decipher ??= nodeCrypto().createDecipheriv(this.#name, this.#key, null).setAutoPadding(false);
    return wordsOf(this.#decipher.update(bytesOf(words)));
  }

  close(): void {
    this.#encipher?.final();
    this.#decipher?.final();
    this.#encipher = undefined;
    this.#decipher = undefined;
  }
}

/** The bytes under `words`. */
export function bytesOf(words: Int32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

function wordsOf(bytes: Uint8Array): Int32Array {
  const at = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Int32Array(at.buffer, at.byteOffset, at.byteLength / 4);
}
