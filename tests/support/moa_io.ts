/**
 * Runs many `moa io` command lines in one other process, each in a folder of its own, with lines typed at it.
 *
 * One process for all, since starting one takes longer than most of them.
 *
 * @module
 */
import { toText } from "@std/streams";
import { Program } from "../../tools/common/program.ts";
import { main } from "../../tools/io/main.ts";
import { run } from "./programs.ts";

/** A command line, what is typed, and where. */
export interface IoRequest {
  readonly folder: string;
  readonly args: readonly string[];
  readonly typed: string;
}

/** How it ended. */
export interface IoOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs all of `requests` in order, as `qemu-io` would be called, or as `name`. */
export async function runMoaIo(requests: readonly IoRequest[], name = "qemu-io"): Promise<IoOutcome[]> {
  const script = new URL(import.meta.url).pathname;
  const stdin = JSON.stringify(requests);
  const result = await run(Deno.execPath(), ["run", "-q", "-A", script, name], { stdin });
  if (result.code !== 0) throw new Error(`the helper ended with ${result.code}: ${result.stderr}`);
  return JSON.parse(result.stdout) as IoOutcome[];
}

async function runHere(name: string, { folder, args, typed }: IoRequest): Promise<IoOutcome> {
  Deno.chdir(folder);
  let stdout = "";
  let stderr = "";
  const program = new Program(name, {
    out: (text) => void (stdout += text),
    error: (text) => void (stderr += text),
  });
  let rest = new TextEncoder().encode(typed);
  const input = {
    read(into: Uint8Array): Promise<number | null> {
      const count = Math.min(rest.length, into.length);
      into.set(rest.subarray(0, count));
      rest = rest.subarray(count);
      return Promise.resolve(count === 0 ? null : count);
    },
  };
  const code = await main(program, args, input);
  return { code, stdout, stderr };
}

if (import.meta.main) {
  const requests = JSON.parse(await toText(Deno.stdin.readable)) as IoRequest[];
  const outcomes: IoOutcome[] = [];
  for (const request of requests) outcomes.push(await runHere(Deno.args[0]!, request));
  console.log(JSON.stringify(outcomes));
}
