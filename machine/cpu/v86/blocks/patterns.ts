/**
 * Bytes of a module's code as they are looked for.
 *
 * @module
 */

/** Stands for a byte that is not always the same. */
export const ANY = -1;

/** Whether `pattern` is what `bytes` have at `at`. */
export function matches(bytes: Uint8Array, at: number, pattern: ArrayLike<number>): boolean {
  for (let index = 0; index < pattern.length; index++) {
    const wanted = pattern[index]!;
    if (wanted !== ANY && wanted !== bytes[at + index]) return false;
  }
  return true;
}

/** Where `pattern`, whose byte at `rareAt` is its rarest, is from `from` on; -1 where it is not. */
export function find(bytes: Uint8Array, from: number, pattern: readonly number[], rareAt: number): number {
  for (let rare = from + rareAt;; rare++) {
    rare = bytes.indexOf(pattern[rareAt]!, rare);
    if (rare < 0) return -1;
    if (matches(bytes, rare - rareAt, pattern)) return rare - rareAt;
  }
}
