/**
 * qemu-io's prompt on a terminal: lines are edited, remembered over runs, and Tab completes commands and file names.
 *
 * @module
 */
import { historyPath, loadHistory, saveHistory } from "../transports/history_file.ts";
import { serveLines, type Terminal } from "../transports/terminal.ts";

/** What answers lines. */
export interface IoSession {
  readonly ended: boolean;
  /** Names of commands. */
  readonly names: readonly string[];
  run(line: string): Promise<void>;
}

/** Where outputs go while a person is at the terminal. */
export interface IoScreen {
  print: (text: string) => void;
}

/** Lets a person type until the session ends, or Ctrl-D. `screen.print` is set to what draws. */
export async function serveIoTerminal(
  terminal: Terminal,
  session: IoSession,
  screen: IoScreen,
  environment: { get(name: string): string | undefined },
): Promise<void> {
  const path = historyPath(environment, "io_history");
  const ending = new AbortController();
  const lines = await serveLines(terminal, {
    endsOnCtrlD: true,
    prompt: "qemu-io> ",
    banner: "",
    get ended() {
      return session.ended;
    },
    execute: (line, print) => {
      screen.print = print;
      return session.run(line);
    },
    complete: (line) => complete(line, session.names),
  }, {
    history: path === undefined ? [] : await loadHistory(path),
    onInterrupt: () => ending.abort(),
    signal: ending.signal,
  });
  if (path !== undefined) await saveHistory(path, lines);
}

/** Commands at the beginning, names of files behind `open`. */
async function complete(line: string, names: readonly string[]) {
  const start = line.lastIndexOf(" ") + 1;
  const word = line.slice(start);
  if (start === 0) return { start, candidates: names.filter((name) => name.startsWith(word)) };
  if (!/^\s*(?:open|o|help|\?)\s/.test(line)) return { start, candidates: [] };
  if (/^\s*(?:help|\?)/.test(line)) return { start, candidates: names.filter((name) => name.startsWith(word)) };
  const { completeFile } = await import("../hmp/file_names.ts");
  return { start, candidates: await completeFile(word) };
}
