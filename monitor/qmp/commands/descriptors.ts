/**
 * Descriptors that somebody else opened: sets of them, told and dropped.
 *
 * Descriptors that come with a request (SCM_RIGHTS) are not received, since Deno's sockets do not hand them out:
 * `add-fd` and `getfd` answer what QEMU answers where none came. The way in is `-add-fd`.
 *
 * Source: qapi/misc.json.
 *
 * @module
 */
import { MonitorError } from "../../errors.ts";
import { empty, int, list, optional, str, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";

function noneCame(): never {
  throw new MonitorError("No file descriptor supplied via SCM_RIGHTS");
}

export const addFd = qmpCommand({
  name: "add-fd",
  summary: "Adds a descriptor that came with the request to a set; none can come here.",
  data: struct({ "fdset-id": optional(int), opaque: optional(str) }),
  returns: struct({ "fdset-id": int, fd: int }),
  run: () => noneCame(),
});

export const removeFd = qmpCommand({
  name: "remove-fd",
  summary: "Drops a set of descriptors, or one of them; who has opened it keeps it.",
  data: struct({ "fdset-id": int, fd: optional(int) }),
  run({ graph }, { "fdset-id": set, fd }) {
    if (graph.fdSets !== undefined) return graph.fdSets.remove(set, fd);
    throw new MonitorError(`File descriptor named 'fdset-id:${set}${fd === undefined ? "" : `, fd:${fd}`}' not found`);
  },
});

export const queryFdsets = qmpCommand({
  name: "query-fdsets",
  summary: "The sets of descriptors that files called /dev/fdset/N are taken from.",
  data: empty,
  returns: list(struct({ "fdset-id": int, fds: list(struct({ fd: int, opaque: optional(str) })) })),
  run: ({ graph }) => (graph.fdSets?.list ?? []).map(({ set, members }) => ({ "fdset-id": set, fds: members })),
});

export const getfd = qmpCommand({
  name: "getfd",
  summary: "Keeps a descriptor that came with the request under a name; none can come here.",
  data: struct({ fdname: str }),
  run(_context, { fdname }) {
    if (/^\d/.test(fdname)) throw new MonitorError("Parameter 'fdname' expects a name not starting with a digit");
    noneCame();
  },
});

export const closefd = qmpCommand({
  name: "closefd",
  summary: "Closes a descriptor that getfd kept: there is none.",
  data: struct({ fdname: str }),
  run(_context, { fdname }): never {
    throw new MonitorError(`File descriptor named '${fdname}' not found`);
  },
});
