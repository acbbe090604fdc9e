/**
 * Where two runs of bytes begin to differ.
 *
 * @module
 */

const STEP_BYTES = 4096;

/** The first byte in which `a` and `b`, of one length, differ; `undefined` where they are equal. */
export function firstDifference(a: Uint8Array, b: Uint8Array): number | undefined {
  for (let from = 0; from < a.length; from += STEP_BYTES) {
    const to = Math.min(from + STEP_BYTES, a.length);
    for (let i = from; i < to; i++) if (a[i] !== b[i]) return i;
  }
  return undefined;
}
