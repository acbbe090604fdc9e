/**
 * `-daemonize`: the program starts itself once more, without a terminal, and ends when that one's machine stands.
 *
 * Until then the second one's messages go where the first one's would; afterwards nowhere. Unlike QEMU's daemon it keeps
 * the current folder, so that relative names go on meaning what they meant.
 *
 * Source: behaviour of QEMU 7.2; what it does not do is refused by `completeMonitors`.
 *
 * @module
 */
import { hostLibrary } from "../../base/host/libc.ts";
import { becomeDaemon, startAgain } from "../../base/host/spawn.ts";
import type { Program } from "../common/program.ts";
import { CommandLineError } from "./arguments.ts";

/** Holds the number of the pipe on which the first process waits for the second. */
const READY_VARIABLE = "MOA_DAEMON_READY";

/** The pipe to the process that waits for this one; `undefined` where nobody does. */
export function daemonPipe(): number | undefined {
  const text = Deno.env.get(READY_VARIABLE);
  return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
}

/** Starts the daemon; resolves to the exit status for this process. @throws CommandLineError where it cannot */
export async function daemonize(program: Program, origin: string): Promise<number> {
  const { startFolder } = program;
  if (startFolder === undefined) throw new CommandLineError("only a program of its own can be a daemon", origin);
  if (hostLibrary() === undefined) {
    throw new CommandLineError(
      "a daemon needs --allow-ffi on Linux x86-64; without, end the command with '&' and use -pidfile",
      origin,
    );
  }
  // The program's own arguments may name its files from where it was started.
  Deno.chdir(startFolder);
  const started = await startAgain(Deno.execPath(), Deno.env.toObject(), READY_VARIABLE);
  return started.ready ? 0 : started.status;
}

/** The machine stands: the first process may end. */
export function announceReady(): void {
  const pipe = daemonPipe();
  if (pipe === undefined) return;
  Deno.env.delete(READY_VARIABLE);
  becomeDaemon(pipe);
}
