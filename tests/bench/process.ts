/**
 * Whole processes, timed from their start to their end, with the most memory that they held.
 *
 * @module
 */
import type { Sample } from "./harness.ts";
import { run } from "./qemu.ts";

const here = (path: string) => new URL(path, import.meta.url).pathname;

/** Runs a program to its end; `value` is seconds. Throws where it ends with another status than `expectedCode`. */
export async function timed(program: string, args: readonly string[], expectedCode = 0): Promise<Sample> {
  const output = await run("deno", "run", "-q", "--no-prompt", "-P=bench", here("peak.ts"), program, ...args);
  const { seconds, peakBytes, code } = JSON.parse(output);
  if (code !== expectedCode) throw new Error(`${program} ${args.join(" ")}: status ${code}`);
  return { value: seconds, peakBytes };
}

/** moa as people have it, a starter over a bundle: `bin/moa` in `directory`. */
export async function installMoa(directory: string): Promise<void> {
  if (await Deno.stat(`${directory}/bin/moa`).then(() => true, () => false)) return;
  const main = here("../../tools/install/main.ts");
  await run("deno", "run", "-q", "--no-prompt", "--frozen", "-P=install", main, `${directory}/bin`, "--qemu-names");
}

/** Runs `moa` from source as a process, as {@link timed}. */
export function timedMoa(args: readonly string[], expectedCode = 0): Promise<Sample> {
  const moa = ["run", "-q", "--no-prompt", "--frozen", "-P=img", here("../../tools/moa.ts")];
  return timed("deno", [...moa, ...args], expectedCode);
}
