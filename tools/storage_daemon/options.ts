/**
 * What each option of the storage daemon does, in the order in which they were written: a node may need the secret
 * before it, a monitor the character device before it.
 *
 * Source: behaviour of qemu-storage-daemon 7.2.
 *
 * @module
 */
import { parseBool, parseOptionPairs } from "../../base/keyval.ts";
import { type KeyvalTree, parseKeyval } from "../../base/keyval_tree.ts";
import type { TraceEvents } from "../../base/trace.ts";
import { OBJECT_TYPES, parseBlockdev, parseObject } from "../../block/mod.ts";
import { CHARDEV_KINDS, parseChardev } from "../../machine/mod.ts";
import { openControl, type StorageHost } from "../../monitor/mod.ts";
import { readEventList } from "../common/event_list.ts";
import { Exit, type Program } from "../common/program.ts";
import { CommandLineError } from "../system/arguments.ts";
import type { DaemonOption } from "./arguments.ts";

/** What options work on. */
export interface DaemonSite {
  readonly program: Program;
  readonly host: StorageHost;
  readonly trace: TraceEvents;
  /** What is closed in the end. */
  readonly resources: AsyncDisposableStack;
  /** Something broke inside of moa itself while a client was served. */
  readonly onFailure: (error: unknown) => void;
}

/** Names of errors that users cause; others are bugs. */
const OPERATING = ["BlockError", "MonitorError", "PropertyError", "OptionError", "ChardevError", "JsonError"];

/** Carries out one option. @throws {CommandLineError} with the option in front; {@link Exit} after help */
export async function carryOut(option: DaemonOption, site: DaemonSite): Promise<void> {
  try {
    await carry(option, site);
  } catch (error) {
    if (!(error instanceof Error) || !OPERATING.includes(error.name)) throw error;
    const { hint, help } = error as { readonly hint?: string; readonly help?: string };
    throw new CommandLineError(error.message, option.origin, hint, { advice: help });
  }
}

async function carry({ name, value, origin }: DaemonOption, site: DaemonSite): Promise<void> {
  switch (name) {
    case "":
      throw new CommandLineError("Unexpected argument", origin);
    case "blockdev":
      await site.host.graph.open(parseBlockdev(value));
      return;
    case "object":
      return addObject(value, site);
    case "chardev":
      return await addChardev(value, origin, site);
    case "monitor":
      return addMonitor(value, origin, site);
    case "trace":
      return setTrace(value, origin, site);
    case "export":
      return refuseExport(value, origin, site);
    case "nbd-server":
      return refuseServer(value, origin);
  }
}

function addObject(text: string, { program, host }: DaemonSite): void {
  const wanted = parseObject(text, OBJECT_TYPES);
  if (wanted.kind === "help") {
    program.out(wanted.text);
    throw new Exit(0);
  }
  host.graph.objects.add(wanted.properties, { strict: text.startsWith("{") });
}

async function addChardev(text: string, origin: string, { program, host }: DaemonSite): Promise<void> {
  const { helpWanted, warnings } = parseOptionPairs(text, "backend");
  if (helpWanted) {
    program.out(`Available chardev backend types: \n${CHARDEV_KINDS.map((kind) => `  ${kind}\n`).join("")}`);
    throw new Exit(0);
  }
  for (const warning of warnings) program.error(`${origin}: warning: ${warning}`);
  const { id, wish } = parseChardev(text);
  if (host.chardevs.find(id) !== undefined) {
    throw new CommandLineError(`attempt to add duplicate property '${id}' to object (type 'container')`, origin);
  }
  await host.chardevs.add(id, wish);
  const terminal = host.chardevs.terminalOf(id);
  if (terminal !== undefined) program.outAtOnce(`${terminal.announcement}\n`);
}

/** A tree's member that must be text. */
function textOf(tree: KeyvalTree, name: string): string | undefined {
  const value = Object.hasOwn(tree, name) ? tree[name] : undefined;
  if (value === undefined || typeof value === "string") return value;
  throw new CommandLineError(`Invalid parameter type for '${name}', expected: string`);
}

/** @throws {CommandLineError} for a member that is not among `known` */
function refuseOthers(tree: KeyvalTree, known: readonly string[]): void {
  const unknown = Object.keys(tree).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new CommandLineError(`Parameter '${unknown}' is unexpected`);
}

/** Adds the option to an error that has none. */
function placed<T>(origin: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof CommandLineError) || error.origin !== undefined) throw error;
    throw new CommandLineError(error.message, origin, error.hint, { advice: error.advice });
  }
}

function addMonitor(text: string, origin: string, { host, resources, onFailure }: DaemonSite): void {
  placed(origin, () => {
    const { tree } = parseKeyval(text, { impliedKey: "chardev" });
    const mode = textOf(tree, "mode") ?? "control";
    const pretty = parseBool(textOf(tree, "pretty") ?? "off", "pretty");
    if (mode !== "control" && mode !== "readline") {
      throw new CommandLineError(`Parameter 'mode' does not accept value '${mode}'`);
    }
    const chardev = textOf(tree, "chardev");
    if (chardev === undefined) throw new CommandLineError("Parameter 'chardev' is missing");
    refuseOthers(tree, ["id", "mode", "pretty", "chardev"]);
    const device = host.chardevs.find(chardev);
    if (device === undefined) throw new CommandLineError(`chardev "${chardev}" not found`);
    if (mode === "readline") throw new CommandLineError("Only QMP is supported");
    resources.use(openControl(host.qmpServer, device, { pretty, onFailure }));
  });
}

function setTrace(text: string, origin: string, { program, trace }: DaemonSite): void {
  for (const { name, value } of parseOptionPairs(text, "enable").pairs) {
    if (!["enable", "events", "file"].includes(name)) throw new CommandLineError(`Invalid parameter '${name}'`, origin);
    if (name === "file") throw new CommandLineError("traces go to standard error here; redirect that", origin);
    const patterns = name === "enable" ? [value] : readEventList(value, (why) => new CommandLineError(why, origin));
    for (const pattern of patterns) {
      if (pattern === "help" || pattern === "?") {
        for (const event of trace.list()) program.out(`${event.name}\n`);
        throw new Exit(0);
      }
      const found = trace.set(pattern, true);
      if (found === 0 && !/[*?]/.test(pattern)) {
        program.error(`${origin}: warning: trace event '${pattern}' does not exist`);
      }
    }
  }
}

const EXPORTS = ["nbd", "vhost-user-blk", "fuse", "vduse-blk"];

/** What is wrong with it is told as QEMU tells it; then that there are no exports. */
function refuseExport(text: string, origin: string, { host }: DaemonSite): never {
  return placed(origin, () => {
    const { tree } = parseKeyval(text, { impliedKey: "type" });
    const type = textOf(tree, "type");
    if (type === undefined) throw new CommandLineError("Parameter 'type' is missing");
    if (!EXPORTS.includes(type)) throw new CommandLineError(`Parameter 'type' does not accept value '${type}'`);
    for (const name of ["id", "node-name"]) {
      if (textOf(tree, name) === undefined) throw new CommandLineError(`Parameter '${name}' is missing`);
    }
    const node = textOf(tree, "node-name")!;
    if (host.graph.find(node) === undefined) {
      throw new CommandLineError(`Cannot find device='' nor node-name='${node}'`);
    }
    throw new CommandLineError(`not available in moa: there are no '${type}' exports yet`);
  });
}

function refuseServer(text: string, origin: string): never {
  return placed(origin, () => {
    const { tree } = parseKeyval(text);
    const { addr } = tree;
    if (typeof addr !== "object" || Array.isArray(addr)) throw new CommandLineError("Parameter 'addr' is missing");
    const type = textOf(addr, "type");
    if (type === undefined) throw new CommandLineError("Parameter 'addr.type' is missing");
    if (!["inet", "unix", "vsock", "fd"].includes(type)) {
      throw new CommandLineError(`Parameter 'type' does not accept value '${type}'`);
    }
    throw new CommandLineError("not available in moa: there is no NBD server yet");
  });
}
