/**
 * A prompt on a terminal: node:readline edits, this adds what it lacks (Ctrl-R, history over runs, Tab as QEMU has it).
 * Whoever answers lines can have one: the monitor, qemu-io.
 *
 * The terminal is left as it was found, however the session ends.
 *
 * @module
 */
import { PassThrough, type Writable } from "node:stream";
import * as readline from "node:readline";
import { isGone } from "../../base/outputs.ts";
import { HistorySearch } from "./search.ts";

/** Who answers lines. */
export interface LineServer {
  readonly prompt: string;
  /** Shown at the beginning, in whole lines. */
  readonly banner: string;
  /** No further line is wanted. */
  readonly ended: boolean;
  /** Whether Ctrl-D on an empty line ends the session, as in a shell; else it deletes like Delete, and does nothing there. */
  readonly endsOnCtrlD?: boolean;
  /** Answers `line`; `print` takes what is to be shown. */
  execute(line: string, print: (text: string) => void): Promise<void>;
  /** What could stand at the end of `line`, from `start` on. */
  complete(line: string): Promise<{ readonly start: number; readonly candidates: readonly string[] }>;
}

/** A terminal. */
export interface Terminal {
  /** Keys as they are pressed. */
  readonly keys: ReadableStream<Uint8Array>;
  /** What draws; `columns` is asked for at each line. */
  readonly screen: Writable;
  /** Switches between single keys and whole lines. */
  setRaw(raw: boolean): void;
}

/** What a person at a terminal comes with. */
export interface TerminalOptions {
  /** Lines of earlier runs, the oldest first. */
  readonly history?: readonly string[];
  /** Ctrl-C was pressed. */
  readonly onInterrupt: () => void;
  /** Ends the session from outside: the machine has ended. */
  readonly signal?: AbortSignal;
}

const HISTORY_SIZE = 1000;

/** Serves a person at a terminal; resolves with the history, the oldest line first, when that has ended. */
export async function serveLines(
  terminal: Terminal,
  server: LineServer,
  options: TerminalOptions,
): Promise<readonly string[]> {
  // The editor switches the mode of its input, at its beginning, at its end, and around a stop by Ctrl-Z.
  const input = Object.assign(new PassThrough(), { setRawMode: (raw: boolean) => terminal.setRaw(raw) });
  // A terminal that hangs up takes no more; what is on its way to it may fail even after the end.
  terminal.screen.on("error", (error) => {
    if (!isGone(error)) throw error;
  });
  const editor = readline.createInterface({
    input,
    output: terminal.screen,
    terminal: true,
    prompt: server.prompt,
    historySize: HISTORY_SIZE,
    removeHistoryDuplicates: true,
    history: [...(options.history ?? [])].reverse(),
    completer: (line: string, callback: (error: Error | null, result: [string[], string]) => void) => {
      void server.complete(line).then(({ start, candidates }) => {
        const shown = candidates.length === 1 && !candidates[0]!.endsWith("/")
          ? [`${candidates[0]} `]
          : [...candidates];
        callback(null, [shown.sort(), line.slice(start)]);
      }, () => callback(null, [[], line]));
    },
  });
  // The youngest first, as readline keeps and tells them.
  let lines: readonly string[] = [...(options.history ?? [])].reverse();
  editor.on("history", (changed: string[]) => lines = [...changed]);
  const history = () => lines;
  let over = false;
  const search = new HistorySearch({
    lines: history,
    draw: (text) => void terminal.screen.write(text),
    pass: (bytes) => void input.write(server.endsOnCtrlD ? bytes : withDelete(bytes)),
    redraw: () => {
      if (!over) editor.prompt(true);
    },
  });
  // A terminal in raw mode needs its carriage returns.
  const print = (text: string) => void terminal.screen.write(text.replaceAll("\n", "\r\n"));
  const keys = terminal.keys.getReader();
  const ended = new Promise<void>((resolve, reject) => {
    let busy = Promise.resolve();
    editor.on("line", (line) => {
      busy = busy.then(async () => {
        await server.execute(line, print);
        if (server.ended) resolve();
        else if (!over) editor.prompt();
      });
      busy.catch(reject);
    });
    editor.on("close", () => resolve());
    editor.on("SIGINT", () => options.onInterrupt());
    // The shell has let it go on; the editor has paused.
    editor.on("SIGCONT", () => editor.resume());
    options.signal?.addEventListener("abort", () => resolve(), { once: true });
    void pump(keys, search).then(() => busy).then(resolve, reject);
  });
  try {
    print(server.banner);
    editor.prompt();
    await ended;
    return history().toReversed();
  } finally {
    over = true;
    keys.cancel().catch(() => {});
    editor.close();
    input.destroy();
  }
}

const CTRL_D = "\x04";
const DELETE = "\x1b[3~";

/** The same keys with Delete in the place of Ctrl-D, at which the editor would take its input for ended. */
function withDelete(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(CTRL_D.charCodeAt(0))) return bytes;
  // Byte by byte: a character may be in two pieces.
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return Uint8Array.from(text.replaceAll(CTRL_D, DELETE), (char) => char.charCodeAt(0));
}

/** Hands keys on until there are no more. */
async function pump(keys: ReadableStreamDefaultReader<Uint8Array>, search: HistorySearch): Promise<void> {
  for (;;) {
    const { value, done } = await keys.read().catch((error) => {
      if (!isGone(error)) throw error;
      return { value: undefined, done: true as const };
    });
    if (done) return;
    search.feed(value);
  }
}
