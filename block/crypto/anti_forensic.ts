/**
 * The anti-forensic split: a key spread over thousands of stripes, so that losing any of them (by overwriting just a
 * little of the disk) loses the key.
 *
 * Source: [LUKS1] "Anti-forensic information splitting", "AFsplit", "AFmerge", hash function H.
 *
 * @module
 */
import { nodeCrypto } from "../../base/node_crypto.ts";
import type { Random } from "../../base/random.ts";
import { digestBytes, type HashName } from "./algorithms.ts";

/** Spreads `key` over `stripes` pieces of its length: all but the last one random. */
export function splitKey(key: Uint8Array, stripes: number, hash: HashName, random: Random): Uint8Array {
  const material = new Uint8Array(key.length * stripes);
  const last = material.length - key.length;
  random.fill(material.subarray(0, last));
  const mixed = mix(material, key.length, stripes, hash);
  for (let i = 0; i < key.length; i++) material[last + i] = mixed[i]! ^ key[i]!;
  return material;
}

/** The key that `material`, `stripes` pieces, was made of. */
export function mergeKey(material: Uint8Array, stripes: number, hash: HashName): Uint8Array {
  const keyBytes = material.length / stripes;
  const key = mix(material, keyBytes, stripes, hash);
  const last = material.length - keyBytes;
  for (let i = 0; i < keyBytes; i++) key[i]! ^= material[last + i]!;
  return key;
}

/** What all stripes but the last one come to. */
function mix(material: Uint8Array, keyBytes: number, stripes: number, hash: HashName): Uint8Array {
  const block = new Uint8Array(keyBytes);
  for (let stripe = 0; stripe < stripes - 1; stripe++) {
    const at = stripe * keyBytes;
    for (let i = 0; i < keyBytes; i++) block[i]! ^= material[at + i]!;
    diffuse(block, hash);
  }
  return block;
}

/** Replaces each piece as long as a digest by the hash of its number and itself; the last piece may be shorter. */
function diffuse(block: Uint8Array, hash: HashName): void {
  const step = digestBytes(hash);
  const number = new Uint8Array(4);
  const view = new DataView(number.buffer);
  for (let at = 0, index = 0; at < block.length; at += step, index++) {
    const piece = block.subarray(at, Math.min(at + step, block.length));
    view.setUint32(0, index);
    piece.set(nodeCrypto().createHash(hash).update(number).update(piece).digest().subarray(0, piece.length));
  }
}
