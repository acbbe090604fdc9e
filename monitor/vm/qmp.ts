/**
 * The machine protocol of one machine: its commands for scripts, and its events for all clients.
 *
 * @module
 */
import type { Machine, MachineEvents } from "../../machine/mod.ts";
import type { BlockGraph, JobEvents } from "../../block/mod.ts";
import type { HmpMonitor } from "../hmp/monitor.ts";
import { allQmpCommands, type QmpCommands, QmpServer } from "../qmp/mod.ts";
import { paceMembers } from "../qmp/types/jobs.ts";
import type { Infer } from "../schema/qapi/types.ts";

/** The names of the protocol's commands. */
export type QmpName = keyof QmpCommands;
/** What command `Name` takes. */
export type QmpData<Name extends QmpName> = Infer<QmpCommands[Name]["data"]>;
/** What command `Name` answers. */
export type QmpResult<Name extends QmpName> = QmpCommands[Name] extends { readonly returns?: infer R } ? Infer<R>
  : void;

/** The machine's events that clients hear. */
const TOLD = [
  "STOP",
  "RESUME",
  "RESET",
  "SHUTDOWN",
  "POWERDOWN",
  "BLOCK_IO_ERROR",
  "DEVICE_TRAY_MOVED",
  "DEVICE_DELETED",
] as const satisfies readonly (keyof MachineEvents)[];

/** Those of jobs. */
const TOLD_OF_JOBS = [
  "JOB_STATUS_CHANGE",
  "BLOCK_JOB_COMPLETED",
  "BLOCK_JOB_CANCELLED",
  "BLOCK_JOB_READY",
  "BLOCK_JOB_PENDING",
  "BLOCK_JOB_ERROR",
] as const satisfies readonly (keyof JobEvents)[];

/** The server over `machine`, whose commands take turns with those of `hmp`. */
export function qmpServer(machine: Machine, hmp: HmpMonitor): QmpServer {
  const { strict, quit, chardevs } = hmp.context([]);
  const { clocks } = machine.graph;
  const server = new QmpServer({
    context: {
      graph: machine.graph,
      backends: machine.backends,
      chardevs,
      machine,
      registry: allQmpCommands({ strict }),
      strict,
      quit,
      hmp,
    },
    exclusive: (work) => hmp.exclusive(work),
    nowNs: () => clocks.host.nowNs(),
    realtime: clocks.realtime,
  });
  for (const name of TOLD) machine.events.on(name, (data) => server.emit(name, data));
  tellOfStorage(machine.graph, server);
  return server;
}

/** Lets clients hear of jobs and nodes. */
export function tellOfStorage(graph: BlockGraph, server: QmpServer): void {
  for (const name of TOLD_OF_JOBS) graph.jobs.events.on(name, (data) => server.emit(name, data));
  if (server.tells("JOB_PROGRESS")) {
    graph.jobs.events.on(
      "TARGET_INCOMPLETE",
      ({ id, type, target }) => graph.warn(`${type} job '${id}' has not come to its end: '${target}' is incomplete`),
    );
    graph.jobs.events.on("JOB_PROGRESS", ({ id, done, total, ...pace }) =>
      server.emit("JOB_PROGRESS", {
        id,
        "current-progress": done,
        "total-progress": total,
        ...paceMembers(pace),
      }));
  }
  graph.events.on("event", ({ name, data }) => {
    if (name !== "BLOCK_IMAGE_CORRUPTED") return server.emit(name, data);
    // Which drive has the image is not known below.
    const drive = [...graph.backends.values()].find(({ node }) => node?.name === data["node-name"]);
    server.emit(name, { device: drive?.name ?? "", ...data });
  });
}
