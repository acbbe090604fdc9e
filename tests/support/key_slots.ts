/**
 * qemu-img where it makes a key slot: it first measures how fast keys are derived, and gives up ("Unable to get accurate
 * CPU usage") where the kernel counts its processor time in steps longer than that takes. A machine that derives sha256
 * in hardware and counts in steps of 10 ms fails it a third of the time, and several times in a row.
 *
 * @module
 */

/** Where the hash is not what is tested: it takes so long that even coarse steps are counted. */
export const SLOW_HASH = "hash-alg=sha512";

/** What {@link untilMeasured} is given to end. */
export const MEASURING_MS = 300_000;

/** A shell line that runs `qemu-img row` until it has measured; everything it said last is on stderr, its code is kept. */
export function untilMeasured(row: string): string {
  return `for n in $(seq 0 59); do
    sleep "0.$(printf %02d $n)"
    code=0
    said=$(qemu-img ${row} 2>&1) || code=$?
    case "$said" in *"accurate CPU usage"*) ;; *) break ;; esac
  done
  printf %s "$said" >&2
  (exit $code)`;
}
