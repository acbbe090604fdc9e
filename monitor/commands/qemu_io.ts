/**
 * `qemu-io`: its commands on a drive or a node of the running machine.
 *
 * @module
 */
import { ALL_PERMISSIONS, BlockBackend, findBreakpoints } from "../../block/mod.ts";
import { Device } from "../../devices/bus/mod.ts";
import type { MonitorContext } from "../context.ts";
import { deviceNotFound, MonitorError } from "../errors.ts";
import { type IoBackground, ioCommands, readPattern, runIoLine } from "../io/mod.ts";
import { arg } from "../schema/arguments.ts";
import { command } from "../schema/command.ts";

/** One piece of output. */
export interface IoText {
  /** `out` and `error` are what the tool writes to its own outputs, `show` and `report` go to who asked. */
  readonly to: "out" | "error" | "show" | "report";
  readonly text: string;
}

/** What a line of qemu-io came to. */
export interface IoAnswer {
  readonly ok: boolean;
  readonly texts: readonly IoText[];
}

export const qemuIo = command({
  name: "qemu-io",
  summary: "Runs a command of qemu-io on a drive, a node, or with -d the drive of a device.",
  arguments: { isDevice: arg.flag("d"), device: arg.device(), line: arg.string("qemu-io") },
  async run(context, { isDevice = false, device, line }): Promise<IoAnswer> {
    const texts: IoText[] = [];
    const { backend, temporary } = await findBackend(context, device, isDevice);
    const { io: background } = context;
    background.listen((text) => void texts.push({ to: "out", text }));
    try {
      const ok = await runIoLine({
        backend,
        clock: context.machine.clocks.realtime,
        table: ioCommands(),
        background,
        output: {
          print: (text) => void texts.push({ to: "out", text }),
          error: (text) => void texts.push({ to: "error", text }),
          show: (text) => void texts.push({ to: "show", text }),
          report: (text) => void texts.push({ to: "report", text }),
        },
        readFile: readPattern,
      }, line);
      await endedOrSuspended(background, backend);
      return { ok, texts };
    } finally {
      background.listen(undefined);
      background.speaker = undefined;
      // A request that is suspended has to be resumed first.
      if (temporary && background.count > 0) leave(background, backend);
      else if (temporary) await backend[Symbol.asyncDispose]();
    }
  },
  hmp: {
    names: "qemu-io",
    parameters: '[-d] [device] "[command]"',
    help:
      "run a qemu-io command on a block device\n\t\t\t-d: [device] is a device ID rather than a drive ID or node name",
    print: (output, { texts }) => {
      for (const { to, text } of texts) {
        if (to === "out") output.host(text);
        else if (to === "error") output.hostError(text);
        else output.print(to === "show" ? text : `${text}\n`);
      }
    },
  },
});

/** Waits for requests in the background, unless some stand at a breakpoint: what those say comes with a later command. */
async function endedOrSuspended(background: IoBackground, backend: BlockBackend): Promise<void> {
  const points = findBreakpoints(backend.node);
  while (background.count > 0 && (points?.suspendedCount ?? 0) === 0) {
    await Promise.race([background.settled(), ...(points === undefined ? [] : [points.nextStop()])]);
  }
}

/** Closes `backend` when its requests have ended. */
function leave(background: IoBackground, backend: BlockBackend): void {
  void background.settled().then(() => backend[Symbol.asyncDispose]());
}

/** The drive to work on; one of its own where a node is named. */
async function findBackend(
  { machine }: MonitorContext,
  name: string,
  isDevice: boolean,
): Promise<{ backend: BlockBackend; temporary: boolean }> {
  if (isDevice) {
    const node = name.startsWith("/") ? machine.objects.find(name) : machine.objects.peripheral.child(name);
    if (!(node?.value instanceof Device)) throw deviceNotFound(name);
    const { path } = node;
    const backend = machine.backends.list().find(({ device }) => device?.path === path);
    if (backend === undefined) throw new MonitorError(`Device '${name}' is not a block device`);
    return { backend, temporary: false };
  }
  const backend = machine.backends.find(name);
  if (backend !== undefined) return { backend, temporary: false };
  const node = machine.graph.find(name);
  if (node === undefined) throw new MonitorError(`Cannot find device='' nor node-name='${name}'`);
  const own = new BlockBackend({ graph: machine.graph, used: 0, shared: ALL_PERMISSIONS });
  await own.insertMedium(node);
  return { backend: own, temporary: true };
}
