/**
 * `moa storage-daemon`, known as `qemu-storage-daemon`: disks without a machine, and QMP over them.
 *
 * Options are carried out in their order. The program then lives until a client says `quit` or a signal comes, and closes
 * all images; whoever hangs up or sends nonsense ends nothing.
 *
 * Source: behaviour of qemu-storage-daemon 7.2.
 *
 * @module
 */
import { HostClock } from "../../base/clocks.ts";
import { HostRandom } from "../../base/random.ts";
import { TraceEvents } from "../../base/trace.ts";
import { ChardevSet, type StandardStreams } from "../../machine/mod.ts";
import { PACKAGE_VERSION, qemuVersionText, StorageHost } from "../../monitor/mod.ts";
import { Exit, type Program } from "../common/program.ts";
import { CommandLineError } from "../system/arguments.ts";
import { announceReady, daemonize, daemonPipe } from "../system/daemon.ts";
import { PidFile } from "../system/pid_file.ts";
import { type DaemonOption, readArguments } from "./arguments.ts";
import { helpText } from "./help.ts";
import { carryOut } from "./options.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Runs one command line without the program's name; resolves to the exit status. */
export async function main(program: Program, args: readonly string[], streams?: StandardStreams): Promise<number> {
  try {
    const options = readArguments(args);
    const daemonOption = first(options, program);
    if (daemonOption !== undefined && daemonPipe() === undefined) return await daemonize(program, daemonOption.origin);
    return await serve(options, program, { isDaemon: daemonOption !== undefined, streams: streams ?? Deno });
  } catch (error) {
    if (error instanceof Exit) return error.code;
    if (!(error instanceof CommandLineError)) throw error;
    program.error(error.origin === undefined ? error.message : `${error.origin}: ${error.message}`);
    if (error.hint !== undefined) program.line(error.hint);
    if (error.advice !== undefined && !program.strict) program.line(error.advice);
    return 1;
  }
}

/** What is looked at before all others: help, version; the wish to be a daemon is handed back. @throws {Exit} */
function first(options: readonly DaemonOption[], program: Program): DaemonOption | undefined {
  for (const { name } of options) {
    if (name === "help") program.out(helpText(program));
    else if (name === "version") program.out(versionText(program));
    else continue;
    throw new Exit(0);
  }
  return options.find(({ name }) => name === "daemonize");
}

function versionText(program: Program): string {
  const version = `qemu-storage-daemon version ${qemuVersionText()}`;
  if (program.strict) return `${version}\nCopyright (c) 2003-2022 Fabrice Bellard and the QEMU Project developers\n`;
  return `${PACKAGE_VERSION}, which answers as ${version}\n`;
}

async function serve(
  options: readonly DaemonOption[],
  program: Program,
  how: { readonly isDaemon: boolean; readonly streams: StandardStreams },
): Promise<number> {
  await using resources = new AsyncDisposableStack();
  const realtime = new HostClock();
  const trace = new TraceEvents();
  trace.sink = (line) => program.line(line);
  const host = resources.use(
    new StorageHost({
      clocks: { virtual: realtime, realtime, host: new HostClock({ sinceEpoch: true }) },
      random: new HostRandom(),
      trace,
      chardevs: new ChardevSet({
        streams: how.streams,
        clock: realtime,
        note: (text) => program.error(text),
        isDaemon: how.isDaemon,
      }),
      strict: program.strict,
      warn: (text) => program.error(text),
      notice: (text) => program.line(text),
      formatting: (text) => program.outAtOnce(`${text}\n`),
    }),
  );
  let failed = false;
  const onFailure = (error: unknown) => {
    failed = true;
    program.error(error instanceof Error ? error.stack ?? error.message : String(error));
    void host.quit().catch(() => {});
  };
  for (const signal of SIGNALS) {
    const caught = () => void host.quit().catch(() => {});
    Deno.addSignalListener(signal, caught);
    resources.defer(() => Deno.removeSignalListener(signal, caught));
  }
  for (const option of options) await carryOut(option, { program, host, trace, resources, onFailure });
  host.chardevs.start();
  const pidfile = options.findLast(({ name }) => name === "pidfile")?.value;
  if (pidfile !== undefined) resources.use(new PidFile(pidfile));
  announceReady();
  await host.closed;
  return failed ? 1 : 0;
}
