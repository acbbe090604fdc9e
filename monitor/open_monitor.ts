/**
 * Opens a prompt or the machine protocol where its endpoint says: on the terminal, on a pipe, on a socket.
 *
 * @module
 */
import type { HmpMonitor } from "./hmp/monitor.ts";
import { type QmpServer, serveQmp } from "./qmp/mod.ts";
import type { Channel } from "./transports/channel.ts";
import { historyPath, loadHistory, saveHistory } from "./transports/history_file.ts";
import { serveChannel } from "./hmp/serve.ts";
import type { Endpoint, SocketAddress } from "./transports/endpoint.ts";
import { openSocket } from "./transports/socket.ts";
import { type StandardStreams, stdioChannel } from "./transports/stdio.ts";

/** What a monitor is given of its program. */
export interface OpenMonitorOptions {
  /** Ctrl-C was pressed at a terminal. */
  readonly onInterrupt: () => void;
  /** A note for the user: that somebody is waited for. */
  readonly note?: (text: string) => void;
  /** Something broke inside of moa itself while a client was served. */
  readonly onFailure: (error: unknown) => void;
  /** What `stdio` is, where it is not the process's own. */
  readonly streams?: StandardStreams | undefined;
  /** The machine protocol is spoken there, not the prompt. */
  readonly control?: { readonly server: QmpServer; readonly pretty: boolean } | undefined;
}

/** A monitor that was opened. */
export interface OpenMonitor extends AsyncDisposable {
  /** Resolves when the machine may start: the first client is there, where one is waited for. */
  readonly ready: Promise<void>;
  /** Where it listens, where it does. */
  readonly address: SocketAddress | undefined;
}

/** Opens `endpoint` for `monitor`. @throws MonitorError where a socket cannot be had */
export async function openMonitor(
  monitor: HmpMonitor,
  endpoint: Endpoint,
  options: OpenMonitorOptions,
): Promise<OpenMonitor> {
  const { control } = options;
  const serve = (channel: Channel) =>
    (control === undefined ? serveChannel(channel, monitor) : serveQmp(channel, control.server, control))
      .catch(options.onFailure);
  switch (endpoint.kind) {
    case "none":
      return { ready: Promise.resolve(), address: undefined, [Symbol.asyncDispose]: () => Promise.resolve() };
    case "socket": {
      const socket = await openSocket(endpoint, serve);
      if (endpoint.wait) {
        options.note?.(`info: QEMU waiting for connection on: ${waitingName(socket.address ?? endpoint.address)}`);
      }
      return {
        ready: endpoint.wait ? socket.firstClient : Promise.resolve(),
        address: socket.address,
        [Symbol.asyncDispose]: () => socket[Symbol.asyncDispose](),
      };
    }
    case "stdio": {
      const { streams } = options;
      if (control === undefined && streams === undefined && Deno.stdin.isTerminal() && Deno.stdout.isTerminal()) {
        return openTerminal(monitor, options);
      }
      void serve(stdioChannel(streams));
      // Reading standard input cannot be taken back; it ends with the program.
      return { ready: Promise.resolve(), address: undefined, [Symbol.asyncDispose]: () => Promise.resolve() };
    }
  }
}

/** `disconnected:unix:m.sock,server=on`. */
function waitingName(address: SocketAddress): string {
  return address.transport === "unix"
    ? `disconnected:unix:${address.path},server=on`
    : `disconnected:tcp:${address.hostname}:${address.port},server=on`;
}

async function openTerminal(monitor: HmpMonitor, options: OpenMonitorOptions): Promise<OpenMonitor> {
  // Only a terminal needs it, and it takes a while to load.
  const [{ serveTerminal }, { stdout }] = await Promise.all([import("./hmp/terminal.ts"), import("node:process")]);
  const path = historyPath(Deno.env);
  const history = path === undefined ? [] : await loadHistory(path);
  const ending = new AbortController();
  const session = serveTerminal(
    { keys: Deno.stdin.readable, screen: stdout, setRaw: (raw) => Deno.stdin.setRaw(raw) },
    monitor,
    { history, onInterrupt: options.onInterrupt, signal: ending.signal },
  ).then((lines) => path === undefined ? undefined : saveHistory(path, lines)).catch(options.onFailure);
  return {
    ready: Promise.resolve(),
    address: undefined,
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await session;
    },
  };
}
