/**
 * The real qemu-system-x86_64 behind one function: a command goes in, its answer comes out.
 *
 * The monitor sits on a Unix socket, where QEMU echoes each character with cursor movements before it answers; its
 * commands also print to the program's own outputs (`qemu-io` does), which are collected line by line.
 *
 * @module
 */
import { mark } from "./format.ts";

const PROMPT = "(qemu) ";

/** A running machine. */
export class RealMachine implements AsyncDisposable {
  /** What the program wrote to its own outputs before the first prompt, or until it ended. */
  startText = "";
  #monitor: Deno.Conn | undefined;
  readonly #child: Deno.ChildProcess;
  readonly #collected = { "1> ": "", "2> ": "" };
  readonly #readers: Promise<void>[] = [];
  readonly #decoder = new TextDecoder();

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#readers.push(this.#collect("1> ", child.stdout), this.#collect("2> ", child.stderr));
  }

  /** Starts the program in `folder` with `argv`, stopped, without a display. */
  static async start(argv: readonly string[], folder: string): Promise<RealMachine> {
    const socket = `${folder}/.monitor`;
    await Deno.remove(socket).catch(() => {});
    const child = new Deno.Command("stdbuf", {
      args: [
        ...["-oL", "qemu-system-x86_64", "-accel", "tcg", "-S", "-display", "none"],
        ...["-monitor", `unix:${socket},server=on,wait=off`, ...argv],
      ],
      cwd: folder,
      env: { LC_ALL: "C", TZ: "UTC" },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const machine = new RealMachine(child);
    let ended = false;
    void child.status.then(() => ended = true);
    while (machine.#monitor === undefined && !ended) {
      machine.#monitor = await Deno.connect({ transport: "unix", path: socket }).catch(() => undefined);
      if (machine.#monitor === undefined) await pause(20);
    }
    await machine.#untilPrompt();
    await pause(30);
    machine.startText = machine.#take();
    return machine;
  }

  /** Types `line`; hands back the answer with what went to stdout and stderr marked. */
  async monitor(line: string): Promise<string> {
    if (this.#monitor === undefined) return "";
    await this.#monitor.write(new TextEncoder().encode(`${line}\n`));
    const watchdog = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    const heard = await this.#untilPrompt();
    clearTimeout(watchdog);
    // What the command printed is in the pipe by now; the reader only needs a turn.
    await pause(15);
    const echoEnd = heard.indexOf("\r\n");
    const text = heard.slice(echoEnd + 2).replace(/\(qemu\) $/, "").replaceAll("\r\n", "\n");
    const outputs = this.#collected;
    const answer = mark("1> ", outputs["1> "]) + text + mark("2> ", outputs["2> "]);
    outputs["1> "] = outputs["2> "] = "";
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#monitor?.close();
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
    await this.#child.status;
    await Promise.all(this.#readers);
  }

  #take(): string {
    const text = mark("1> ", this.#collected["1> "]) + mark("2> ", this.#collected["2> "]);
    this.#collected["1> "] = this.#collected["2> "] = "";
    return text;
  }

  async #collect(prefix: "1> " | "2> ", stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.#collected[prefix] += decoder.decode(chunk, { stream: true });
  }

  async #untilPrompt(): Promise<string> {
    let heard = "";
    const buffer = new Uint8Array(65536);
    while (this.#monitor !== undefined && !heard.endsWith(PROMPT)) {
      const got = await this.#monitor.read(buffer).catch(() => null);
      if (got === null) {
        this.#monitor.close();
        this.#monitor = undefined;
        break;
      }
      heard += this.#decoder.decode(buffer.subarray(0, got), { stream: true });
    }
    return heard;
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
