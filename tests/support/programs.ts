/**
 * Real programs as the other side of a comparison: whether they are there, and one run of them.
 *
 * @module
 */
import { toText } from "@std/streams";

const found = new Map<string, boolean>();

/**
 * Whether `name` is on PATH: `Deno.test({ ignore: !haveProgram("qemu-img"), ... })`.
 *
 * With `MOA_REQUIRE_ORACLE=1` it is always said to be there, so that its tests fail rather than being skipped.
 */
export function haveProgram(name: string): boolean {
  if (Deno.env.get("MOA_REQUIRE_ORACLE") === "1") return true;
  let have = found.get(name);
  if (have === undefined) {
    have = (Deno.env.get("PATH") ?? "").split(":").some((folder) => {
      try {
        return Deno.statSync(`${folder}/${name}`).isFile;
      } catch {
        return false;
      }
    });
    found.set(name, have);
  }
  return have;
}

/** How {@link run} runs a program. */
export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Written to its standard input, which is then closed. */
  readonly stdin?: string;
  /** Milliseconds until it is killed; 120 s where absent. */
  readonly timeoutMs?: number;
}

/** What a program said and how it ended. */
export interface RunResult {
  /** The exit status; 128 and the signal where one ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

/** Runs `program` to its end; it is killed where that takes too long. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const child = new Deno.Command(program, {
    args: [...args],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { LC_ALL: "C", ...options.env },
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, options.timeoutMs ?? 120_000);
  try {
    const [, stdout, stderr, status] = await Promise.all([
      options.stdin === undefined ? undefined : feed(child.stdin, options.stdin),
      toText(child.stdout),
      toText(child.stderr),
      child.status,
    ]);
    return { code: status.code, stdout, stderr, timedOut };
  } finally {
    clearTimeout(timer);
  }
}

/** Runs a program that has to succeed; hands back its standard output. @throws its stderr, where it fails. */
export async function must(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(program, args, options);
  if (result.code === 0) return result.stdout;
  throw new Error(`${program} ${args.join(" ")} ended with ${result.code}: ${result.stderr}${result.stdout}`);
}

/** A program that ends before it has read everything closes the pipe; that is no failure of the test. */
async function feed(stdin: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
