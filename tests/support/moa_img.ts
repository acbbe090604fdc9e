/**
 * Runs many `moa img` command lines in one other process, each in a folder of its own.
 *
 * Another process, since file names count from the current folder, which all tests of one process share; one process for
 * many command lines, since starting one takes longer than most of them.
 *
 * @module
 */
import { toText } from "@std/streams";
import { Program } from "../../tools/common/program.ts";
import { main } from "../../tools/img/main.ts";
import { must, run } from "./programs.ts";

/** A command line for `moa img`, or one for a shell, and where it is run. */
export type ImgRequest =
  | { readonly folder: string; readonly args: readonly string[] }
  | { readonly folder: string; readonly shell: string };

/** How one command line ended; `all` has both outputs in the order in which they were written. */
export interface ImgOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly all: string;
}

/** Runs all of `requests` in order, as `qemu-img` would be called. */
export async function runMoaImg(requests: readonly ImgRequest[]): Promise<ImgOutcome[]> {
  const script = new URL(import.meta.url).pathname;
  const result = await run(Deno.execPath(), ["run", "-q", "-A", script], { stdin: JSON.stringify(requests) });
  if (result.code !== 0) throw new Error(`the helper ended with ${result.code}: ${result.stderr}`);
  return JSON.parse(result.stdout) as ImgOutcome[];
}

async function runHere(request: ImgRequest): Promise<ImgOutcome> {
  Deno.chdir(request.folder);
  if ("shell" in request) {
    await must("sh", ["-ec", request.shell]);
    return { code: 0, stdout: "", stderr: "", all: "" };
  }
  let stdout = "";
  let stderr = "";
  let all = "";
  const outputs = {
    out: (text: string) => {
      stdout += text;
      all += text;
    },
    error: (text: string) => {
      stderr += text;
      all += text;
    },
  };
  const code = await main(new Program("qemu-img", outputs), request.args);
  return { code, stdout, stderr, all };
}

if (import.meta.main) {
  const requests = JSON.parse(await toText(Deno.stdin.readable)) as ImgRequest[];
  const outcomes: ImgOutcome[] = [];
  for (const request of requests) outcomes.push(await runHere(request));
  console.log(JSON.stringify(outcomes));
}
