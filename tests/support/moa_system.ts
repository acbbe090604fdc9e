/**
 * Runs command lines of `moa system` without a process for each: machines one after the other, with their prompt on a
 * text instead of standard input.
 *
 * File names count from the current folder, which all tests of a process share: so {@link runMoaSystem} does it in one
 * other process.
 *
 * @module
 */
import { toText } from "@std/streams";
import { Program } from "../../tools/common/program.ts";
import { main } from "../../tools/system/main.ts";
import { run } from "./programs.ts";

/** A command line, the name it is given under, and what is typed at its prompt. */
export interface SystemRequest {
  readonly folder: string;
  /** `"qemu-system-x86_64"` or `"moa"`. */
  readonly name: string;
  readonly args: readonly string[];
  readonly stdin: string;
}

/** How it ended. */
export interface SystemOutcome {
  readonly code: number | "never ends";
  readonly stdout: string;
  readonly stderr: string;
}

const TIMEOUT_MS = 120_000;

/** Runs `request` in this process, whose current folder it changes. */
export async function runSystemHere({ folder, name, args, stdin }: SystemRequest): Promise<SystemOutcome> {
  Deno.chdir(folder);
  const decoder = new TextDecoder();
  let [stdout, stderr] = ["", ""];
  const writer = (add: (text: string) => void) => ({
    writeSync: (bytes: Uint8Array) => {
      add(decoder.decode(bytes));
      return bytes.length;
    },
  });
  const out = (text: string) => void (stdout += text);
  const error = (text: string) => void (stderr += text);
  const streams = { stdin: { readable: new Blob([stdin]).stream() }, stdout: writer(out), stderr: writer(error) };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"never ends">((resolve) => timer = setTimeout(() => resolve("never ends"), TIMEOUT_MS));
  const code = await Promise.race([main(new Program(name, { out, error }), args, streams), late]);
  clearTimeout(timer);
  return { code, stdout, stderr };
}

/** Runs all of `requests`, in order, in one other process. */
export async function runMoaSystem(requests: readonly SystemRequest[]): Promise<SystemOutcome[]> {
  const script = new URL(import.meta.url).pathname;
  const result = await run(Deno.execPath(), ["run", "-q", "-A", script], {
    stdin: JSON.stringify(requests),
    env: { TZ: "UTC" },
  });
  if (result.code !== 0) throw new Error(`the helper ended with ${result.code}: ${result.stderr}`);
  return JSON.parse(result.stdout) as SystemOutcome[];
}

if (import.meta.main) {
  const requests = JSON.parse(await toText(Deno.stdin.readable)) as SystemRequest[];
  const outcomes: SystemOutcome[] = [];
  for (const request of requests) outcomes.push(await runSystemHere(request));
  console.log(JSON.stringify(outcomes));
  // Whatever a machine may have left running does not hold up the answer.
  Deno.exit(0);
}
