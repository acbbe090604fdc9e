/**
 * `reopen`: changes flags and options of the open image; what cannot change is refused by its name before anything does.
 *
 * What can: `-r`, `-w`, `-c`, and of `-o` read-only, cache.direct, cache.no-flush, detect-zeroes and lazy-refcounts. An
 * option that is named with the value that it has is no change.
 *
 * @module
 */
import { OptionError, QemuOpts } from "../../base/keyval.ts";
import { BlockError, type BlockGraph, type BlockNode, cacheMode, type ReopenChange } from "../../block/mod.ts";
import { type IoCall, type IoContext, usage } from "../../monitor/io/mod.ts";
import type { Program } from "../common/program.ts";

/** What is to become of the image. */
interface Wishes {
  /** The node is to be read-only, but not its user, as `-r` would have it. */
  readonly refusesWriters?: boolean;
  readonly change: Partial<ReopenChange>;
  readonly writeCache?: boolean;
  readonly detectZeroes?: "off" | "on" | "unmap";
}

class ReopenRefusal extends Error {}

/** Runs the command. */
export async function changeOptions(
  program: Program,
  graph: BlockGraph,
  io: IoContext,
  call: IoCall,
): Promise<boolean> {
  const { backend } = io;
  const node = backend.node!;
  try {
    const wishes = readWishes(program, call, node);
    if (wishes === undefined) return usage(io, call);
    if (wishes.refusesWriters && !node.readOnly) {
      throw new ReopenRefusal(`Read-only block node '${node.name}' cannot support read-write users`);
    }
    await graph.reopen(node, wishes.change);
    if (wishes.writeCache !== undefined) backend.writeCacheEnabled = wishes.writeCache;
    if (wishes.detectZeroes !== undefined) node.detectZeroes = wishes.detectZeroes;
    return true;
  } catch (error) {
    if (!(error instanceof BlockError) && !(error instanceof OptionError) && !(error instanceof ReopenRefusal)) {
      throw error;
    }
    program.report("", error);
    return false;
  }
}

/** What the line asks for; `undefined` where it has a word too many. */
function readWishes(program: Program, call: IoCall, node: BlockNode): Wishes | undefined {
  const mode = call.value("c");
  const cache = mode === undefined ? undefined : cacheMode(mode);
  if (mode !== undefined && cache === undefined) throw new ReopenRefusal(`Invalid cache option: ${mode}`);
  const readOnly = call.has("r") ? true : call.has("w") ? false : undefined;
  if (call.has("r") && call.has("w")) throw new ReopenRefusal("Only one -r/-w option may be given");
  if (call.words.length > 0) return undefined;
  const text = call.value("o");
  const options = text === undefined ? undefined : QemuOpts.parse(text);
  for (const warning of options?.warnings ?? []) program.error(`warning: ${warning}`);
  const pairs = options?.remaining ?? [];
  const names = pairs.map(({ name }) => name);
  if (readOnly !== undefined && names.includes("read-only")) {
    throw new ReopenRefusal("Cannot set both -r/-w and 'read-only'");
  }
  if (cache !== undefined && (names.includes("cache.direct") || names.includes("cache.no-flush"))) {
    throw new ReopenRefusal("Cannot set both -c and the cache options");
  }
  const given: Given = { change: {} };
  for (const { name, value } of pairs) readOption(node, name, value, given);
  return {
    ...given,
    change: {
      readOnly: readOnly ?? node.readOnly,
      ...(cache === undefined ? {} : { cacheDirect: cache.direct, cacheNoFlush: cache.noFlush }),
      ...given.change,
    },
    ...(cache === undefined ? {} : { writeCache: cache.writeback }),
  };
}

interface Given {
  refusesWriters?: boolean;
  change: Partial<ReopenChange>;
  detectZeroes?: "off" | "on" | "unmap";
}

function readOption(node: BlockNode, name: string, value: string, into: Given): void {
  const { change } = into;
  switch (name) {
    case "read-only":
      into.change = { ...change, readOnly: onOff(name, value) };
      into.refusesWriters = onOff(name, value);
      return;
    case "cache.direct":
      into.change = { ...change, cacheDirect: onOff(name, value) };
      return;
    case "cache.no-flush":
      into.change = { ...change, cacheNoFlush: onOff(name, value) };
      return;
    case "auto-read-only":
      onOff(name, value);
      return;
    case "lazy-refcounts":
      if (node.driver.name !== "qcow2") break;
      into.change = { ...change, lazyRefcounts: onOff(name, value) };
      return;
    case "detect-zeroes":
      if (value !== "off" && value !== "on" && value !== "unmap") {
        throw new ReopenRefusal(`Invalid parameter '${value}'`);
      }
      into.detectZeroes = value;
      return;
    case "discard":
      if (!["on", "off", "unmap", "ignore"].includes(value)) throw new ReopenRefusal("Invalid discard option");
      if ((value === "on" || value === "unmap") === node.discardEnabled) return;
      break;
    case "driver":
      if (value === node.driver.name) return;
      break;
    case "node-name":
      if (value === node.name) return;
      break;
    case "file.filename":
      if (value === node.child("file")?.filename) return;
  }
  throw new ReopenRefusal(`Cannot change the option '${name.slice(name.lastIndexOf(".") + 1)}'`);
}

function onOff(name: string, value: string): boolean {
  if (value === "on" || value === "off") return value === "on";
  throw new ReopenRefusal(`Parameter '${name}' expects 'on' or 'off'`);
}
