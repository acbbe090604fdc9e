/**
 * The program `moa system` as a process that is typed to.
 *
 * @module
 */
import { TextLineStream } from "@std/streams";

const ENTRY = new URL("../../tools/moa.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
/** What Deno is to be asked for. */
export const MOA: readonly string[] = ["run", "-q", "-A", "--no-check", "--config", CONFIG, ENTRY, "system"];
/** How long one may live. */
export const LIMIT_MS = 60_000;

/** A process, and the lines that it prints: those of its monitor, where that is on stdio. */
export class MachineProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(args: readonly string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...MOA, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream()).getReader();
    this.#timer = setTimeout(() => this.kill("SIGKILL"), LIMIT_MS);
  }

  async type(line: string): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
  }

  /** The first line that matches. */
  async line(pattern: RegExp): Promise<string> {
    while (true) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error(`it ended without ${pattern}`);
      if (pattern.test(value)) return value;
    }
  }

  kill(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended already.
    }
  }

  get status(): Promise<Deno.CommandStatus> {
    return this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    clearTimeout(this.#timer);
    await this.#writer.close().catch(() => {});
    await this.#lines.cancel().catch(() => {});
    await this.status;
  }
}
