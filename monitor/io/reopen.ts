/**
 * `reopen`: changes flags and options of the open image, by way of what `blockdev-reopen` does; what is not named stays.
 *
 * @module
 */
import { OptionError, parseBool, QemuOpts } from "../../base/keyval.ts";
import {
  type BlockBackend,
  BlockError,
  type BlockNode,
  cacheMode,
  changedOptions,
  nestOptions,
  type OptionTree,
  Permission,
  reopenNodes,
} from "../../block/mod.ts";
import { explain } from "../errors.ts";
import { type IoCall, type IoCommand, type IoContext, usage } from "./command.ts";
import { REOPEN_HELP } from "./long_help.ts";

/** What is to become of the image. */
interface Wishes {
  readonly options: OptionTree;
  readonly writeCache?: boolean;
}

class ReopenRefusal extends Error {
  override readonly name = "ReopenRefusal";
}

export const reopen: IoCommand = {
  name: "reopen",
  parameters: "[(-r|-w)] [-c cache] [-o options]",
  help: "reopens an image with new options",
  longHelp: REOPEN_HELP,
  minArguments: 0,
  options: "rwc:o:",
  run: changeOptions,
};

async function changeOptions(io: IoContext, call: IoCall): Promise<boolean> {
  const { backend } = io;
  const node = backend.node!;
  try {
    const wishes = readWishes(io, call, node);
    if (wishes === undefined) return usage(io, call);
    await reopenNodes(backend.graph, [{ node, options: wishes.options, keepsChildren: true }]);
    if (wishes.writeCache !== undefined) backend.writeCacheEnabled = wishes.writeCache;
    return true;
  } catch (error) {
    if (!(error instanceof BlockError) && !(error instanceof OptionError) && !(error instanceof ReopenRefusal)) {
      throw error;
    }
    io.output.report(explain(error).text);
    return false;
  }
}

/** What the line asks for; `undefined` where it has a word too many. */
function readWishes({ backend, output }: IoContext, call: IoCall, node: BlockNode): Wishes | undefined {
  const mode = call.value("c");
  const cache = mode === undefined ? undefined : cacheMode(mode);
  if (mode !== undefined && cache === undefined) throw new ReopenRefusal(`Invalid cache option: ${mode}`);
  const readOnly = call.has("r") ? true : call.has("w") ? false : undefined;
  if (call.has("r") && call.has("w")) throw new ReopenRefusal("Only one -r/-w option may be given");
  if (call.words.length > 0) return undefined;
  const text = call.value("o");
  const options = text === undefined ? undefined : QemuOpts.parse(text);
  for (const warning of options?.warnings ?? []) output.report(`warning: ${warning}`);
  const pairs = options?.remaining ?? [];
  const given = new Map(pairs.map(({ name, value }) => [name, value]));
  if (readOnly !== undefined && given.has("read-only")) {
    throw new ReopenRefusal("Cannot set both -r/-w and 'read-only'");
  }
  if (cache !== undefined && (given.has("cache.direct") || given.has("cache.no-flush"))) {
    throw new ReopenRefusal("Cannot set both -c and the cache options");
  }
  for (const { name, value } of pairs) checkPair(backend, node, name, value);
  const discard = given.get("discard");
  const tree = nestOptions([
    ...pairs.filter(({ name }) => name !== "node-name" && name !== "discard"),
    ...(discard === undefined ? [] : [{ name: "discard", value: DISCARDS[discard]! }]),
  ]);
  return {
    options: changedOptions(node, {
      ...(readOnly === undefined ? {} : { "read-only": readOnly }),
      ...(cache === undefined ? {} : { cache: { direct: cache.direct, "no-flush": cache.noFlush } }),
      ...tree,
    }),
    ...(cache === undefined ? {} : { writeCache: cache.writeback }),
  };
}

/** Other spellings that `discard` has here. */
const DISCARDS: Readonly<Record<string, string>> = { on: "unmap", unmap: "unmap", off: "ignore", ignore: "ignore" };

function checkPair(backend: BlockBackend, node: BlockNode, name: string, value: string): void {
  const refuse = () => {
    throw new ReopenRefusal(`Cannot change the option '${name.slice(name.lastIndexOf(".") + 1)}'`);
  };
  switch (name) {
    case "read-only":
      // `-r` has the drive read only, this the node alone.
      if (parseBool(value, name) && !node.readOnly && !isDevices(backend)) {
        throw new ReopenRefusal(`Read-only block node '${node.name}' cannot support read-write users`);
      }
      return;
    case "detect-zeroes":
      if (value !== "off" && value !== "on" && value !== "unmap") {
        throw new ReopenRefusal(`Invalid parameter '${value}'`);
      }
      return;
    case "discard":
      if (DISCARDS[value] === undefined) throw new ReopenRefusal("Invalid discard option");
      return;
    case "node-name":
      if (value !== node.name) refuse();
  }
}

/** A drive of a machine, whose users are asked by what they do. */
function isDevices(backend: BlockBackend): boolean {
  return backend.node!.parents.some(({ owner, used }) => owner === backend && (used & Permission.consistentRead) !== 0);
}
