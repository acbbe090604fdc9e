/**
 * qemu-io's commands that suspend requests at points with names: break, wait_break, resume, remove_break. They work where
 * there is blkdebug below the image.
 *
 * @module
 */
import { type Errno, errnoText } from "../../base/errno.ts";
import { type Breakpoints, findBreakpoints } from "../../block/mod.ts";
import { type IoCommand, type IoContext, IoRefusal } from "./command.ts";

/** A command that says `FAILURE: reason` where there are no breakpoints, or no such one. */
function breakpoint(
  what: Pick<IoCommand, "name" | "parameters" | "help" | "immediate">,
  failure: string,
  work: (io: IoContext, points: Breakpoints, words: readonly string[]) => boolean | Promise<boolean>,
): IoCommand {
  const count = what.parameters!.split(" ").length;
  return {
    ...what,
    minArguments: count,
    maxArguments: count,
    async run(io, { words }) {
      const points = findBreakpoints(io.backend.node);
      if (points !== undefined && await work(io, points, words)) return true;
      const reason: Errno = points === undefined ? "ENOTSUP" : "ENOENT";
      io.output.print(`${failure.replace("%", words.at(-1)!)}: ${errnoText(reason)}\n`);
      return false;
    },
  };
}

export const breakAt: IoCommand = breakpoint(
  {
    name: "break",
    parameters: "event tag",
    help: "sets a breakpoint on event and tags the stopped request as tag",
    immediate: true,
  },
  "Could not set breakpoint",
  (io, points, [event, tag]) => points.set(event!, tag!, (text) => io.background.announce(text)),
);

export const removeBreak: IoCommand = breakpoint(
  { name: "remove_break", parameters: "tag", help: "remove a breakpoint by tag", immediate: true },
  "Could not remove breakpoint %",
  (_, points, [tag]) => points.remove(tag!),
);

export const resume: IoCommand = breakpoint(
  { name: "resume", parameters: "tag", help: "resumes the request tagged as tag", immediate: true },
  "Could not resume request",
  (_, points, [tag]) => points.resume(tag!),
);

export const waitBreak: IoCommand = breakpoint(
  { name: "wait_break", parameters: "tag", help: "waits for the suspension of a request" },
  "Could not wait for %",
  async (io, points, [tag]) => {
    while (!points.isSuspended(tag!)) {
      // qemu-io waits for ever where nothing runs that is not suspended, and nobody else asks for anything.
      if (io.alone === true && io.background.count <= points.suspendedCount) {
        throw new IoRefusal(`No request is under way that could be suspended as '${tag}'`);
      }
      await Promise.race([points.nextStop(), ...(io.alone === true ? [io.background.one()] : [])]);
    }
    return true;
  },
);
