/**
 * Puts a prompt or the machine protocol on a character device: on the terminal with a line editor, elsewhere with
 * QEMU's echo.
 *
 * @module
 */
import { type CharBackend, StdioChardev } from "../machine/mod.ts";
import { serveChannel } from "./hmp/serve.ts";
import type { HmpMonitor } from "./hmp/monitor.ts";
import { type QmpServer, serveQmp } from "./qmp/mod.ts";
import { MonitorLine } from "./transports/chardev_channel.ts";
import { historyPath, loadHistory, saveHistory } from "./transports/history_file.ts";

/** What a monitor is given of its program. */
export interface OpenMonitorOptions {
  /** Ctrl-C was pressed at a terminal. */
  readonly onInterrupt: () => void;
  /** Something broke inside of moa itself while a client was served. */
  readonly onFailure: (error: unknown) => void;
}

/** Puts a prompt on `device`; disposing of it lets the device go. @throws {ChardevError} where that is in use */
export async function openPrompt(
  monitor: HmpMonitor,
  device: CharBackend,
  options: OpenMonitorOptions,
): Promise<AsyncDisposable> {
  if (device instanceof StdioChardev && device.isTerminal) return await openTerminal(monitor, device, options);
  return new MonitorLine(device, (channel) => serveChannel(channel, monitor).catch(options.onFailure));
}

/** Speaks the machine protocol on `device`. @throws {ChardevError} where that is in use */
export function openControl(
  server: QmpServer,
  device: CharBackend,
  options: Pick<OpenMonitorOptions, "onFailure"> & { readonly pretty: boolean },
): AsyncDisposable {
  return new MonitorLine(device, (channel) => serveQmp(channel, server, options).catch(options.onFailure));
}

async function openTerminal(
  monitor: HmpMonitor,
  device: StdioChardev,
  options: OpenMonitorOptions,
): Promise<AsyncDisposable> {
  const terminal = device.takeTerminal();
  // Only a terminal needs it, and it takes a while to load.
  const [{ serveTerminal }, { stdout }] = await Promise.all([import("./hmp/terminal.ts"), import("node:process")]);
  const path = historyPath(Deno.env);
  const history = path === undefined ? [] : await loadHistory(path);
  const ending = new AbortController();
  const session = serveTerminal(
    { keys: terminal.keys, screen: stdout, setRaw: (raw) => terminal.setRaw(raw) },
    monitor,
    { history, onInterrupt: options.onInterrupt, signal: ending.signal },
  ).then((lines) => path === undefined ? undefined : saveHistory(path, lines)).catch(options.onFailure);
  return {
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await session;
      terminal[Symbol.dispose]();
    },
  };
}
