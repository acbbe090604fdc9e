/**
 * Keys from passphrases: PBKDF2, and how many iterations it takes to spend a given time.
 *
 * The work is done off the event loop. Time comes from the caller's clock; a clock that stands still (a simulation, a
 * qtest script) gives the count of a usual machine, never a weak one.
 *
 * Source: [RFC 8018] 5.2; [LUKS1] "PBKDF2 iteration count".
 *
 * @module
 */
import { nodeCrypto } from "../../base/node_crypto.ts";
import type { Clock } from "../../base/clocks.ts";
import { NS_PER_S } from "../../base/units.ts";
import type { HashName } from "./algorithms.ts";
import { optionError } from "./failures.ts";

/** Of one hash, one way: what a key is derived with. */
export interface Derivation {
  readonly hash: HashName;
  readonly salt: Uint8Array;
  readonly iterations: number;
}

/** Most iterations that are done for an image: some minutes. What asks for more was made to keep us busy. */
export const MAX_ITERATIONS = 200_000_000;
/** What a second is worth where the clock stands still. */
const USUAL_PER_SECOND = 1_000_000;
const FIRST_TRY = 1 << 15;
/** A shorter measurement says little; QEMU takes a second and more. */
const ENOUGH_NS = 50_000_000;
const MOST_TRIED = 1 << 26;

/** The hashes that Web Crypto does, which is up to nine times as fast as node:crypto is with them. */
const WEB_HASHES: Readonly<Partial<Record<HashName, string>>> = {
  sha1: "SHA-1",
  sha256: "SHA-256",
  sha384: "SHA-384",
  sha512: "SHA-512",
};

/** `lengthBytes` of key from a passphrase. */
export async function deriveKey(passphrase: Uint8Array, how: Derivation, lengthBytes: number): Promise<Uint8Array> {
  const { salt, iterations } = how;
  const hash = WEB_HASHES[how.hash];
  if (hash === undefined) return await deriveSlowly(passphrase, how, lengthBytes);
  const base = await crypto.subtle.importKey("raw", passphrase.slice(), "PBKDF2", false, ["deriveBits"]);
  const parameters = { name: "PBKDF2", hash, salt: salt.slice(), iterations };
  return new Uint8Array(await crypto.subtle.deriveBits(parameters, base, lengthBytes * 8));
}

function deriveSlowly(passphrase: Uint8Array, how: Derivation, lengthBytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    nodeCrypto().pbkdf2(passphrase, how.salt, how.iterations, lengthBytes, how.hash, (error, key) => {
      if (error === null || error === undefined) resolve(key);
      else reject(error);
    });
  });
}

/**
 * Iterations a second of deriving `lengthBytes`, found by measuring on `clock`.
 */
export async function iterationsPerSecond(hash: HashName, lengthBytes: number, clock: Clock): Promise<number> {
  const probe = new Uint8Array(32);
  for (let iterations = FIRST_TRY;; iterations *= 2) {
    const start = clock.nowNs();
    await deriveKey(probe, { hash, salt: probe, iterations }, lengthBytes);
    const tookNs = clock.nowNs() - start;
    if (tookNs <= 0) return USUAL_PER_SECOND;
    if (tookNs >= ENOUGH_NS || iterations >= MOST_TRIED) return Math.floor(iterations * NS_PER_S / tookNs);
  }
}

/**
 * The count for `timeMs` at `perSecond`, `least` at least.
 * @throws {BlockError} where the count would not fit its field of the header, or would keep whoever opens it for ever
 */
export function iterationsFor(timeMs: number, perSecond: number, least: number, share = 1): number {
  const wanted = Math.floor(perSecond * timeMs / 1000);
  if (wanted > 0xffff_ffff) {
    throw optionError(`PBKDF iterations ${wanted} larger than 4294967295: Numerical result out of range`, "iter-time");
  }
  const count = Math.max(least, Math.floor(wanted / share));
  if (count > MAX_ITERATIONS) {
    throw optionError(`PBKDF iterations ${count} larger than ${MAX_ITERATIONS}, the most that moa does`, "iter-time");
  }
  return count;
}
