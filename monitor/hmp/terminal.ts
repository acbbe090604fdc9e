/**
 * The monitor's prompt on a terminal.
 *
 * @module
 */
import { serveLines, type Terminal, type TerminalOptions } from "../transports/terminal.ts";
import { type HmpMonitor, PROMPT } from "./monitor.ts";

/** Serves a person at a terminal; resolves with the history, the oldest line first, when the session has ended. */
export function serveTerminal(
  terminal: Terminal,
  monitor: HmpMonitor,
  options: TerminalOptions,
): Promise<readonly string[]> {
  const session = monitor.session();
  return serveLines(terminal, {
    prompt: PROMPT,
    banner: monitor.banner,
    get ended() {
      return monitor.ended;
    },
    execute: async (line, print) => {
      if (line.trim() !== "") session.history.add(line);
      await session.execute(line, { print, host: print, hostError: print });
    },
    complete: (line) => session.complete(line),
  }, options);
}
