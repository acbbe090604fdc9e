/**
 * Signals that `abort` and `sigraise` send to the program itself.
 *
 * @module
 */

/** By number, from 1 on; those of real time have no names. */
const SIGNALS = (
  "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU " +
  "XFSZ VTALRM PROF WINCH IO PWR SYS"
).split(" ");

/** qemu-io's main loop takes these itself, or does not hear them. */
const UNHEARD: readonly string[] = ["BUS", "USR1", "PIPE", "ALRM", "CHLD", "URG", "WINCH", "IO"];

/** Ends the process as the signal would; some stop it, and some it does not hear. */
export function raise(signal: number | "abort"): void {
  if (signal === 0 || signal === 65) return;
  const name = signal === "abort" ? "ABRT" : SIGNALS[signal - 1];
  // Deno sends only what it has a name for; a shell sees no difference.
  if (name === undefined) Deno.exit(128 + Number(signal));
  if (!UNHEARD.includes(name)) Deno.kill(Deno.pid, `SIG${name}` as Deno.Signal);
}
