/**
 * `moa img snapshot`: lists, takes, applies and deletes internal snapshots.
 *
 * A snapshot is named by its tag; where one is applied, by its id before that, as qemu-img does.
 *
 * @module
 */
import { errnoNumber, errnoText } from "../../base/errno.ts";
import { NS_PER_S } from "../../base/units.ts";
import { BlockError, type BlockNode, errnoOf, type SnapshotInfo } from "../../block/mod.ts";
import { snapshotHeader, snapshotRow } from "../../monitor/format/mod.ts";
import { type Program } from "../common/program.ts";
import { addObject } from "../common/objects.ts";
import { makeGraph, openImage } from "./images.ts";

const SPEC = {
  short: "la:c:d:hqU",
  long: {
    help: { is: "h", takesValue: false },
    object: { is: "object", takesValue: true },
    "image-opts": { is: "image-opts", takesValue: false },
    "force-share": { is: "U", takesValue: false },
  },
};

/** Runs the subcommand. */
export async function snapshot(program: Program, args: readonly string[]): Promise<number> {
  const { options, operands } = program.getopt(args, SPEC);
  const has = (name: string) => options.some(({ is }) => is === name);
  if (has("h")) {
    program.out(await (await import("./help.ts")).helpText(program));
    return 0;
  }
  const actions = options.filter(({ is }) => "lacd".includes(is));
  if (actions.length > 1) program.usage("Cannot mix '-l', '-a', '-c', '-d'");
  for (const { is, value } of options) if (is === "object") addObject(program, value);
  const [filename] = operands;
  if (filename === undefined || operands.length !== 1) program.usage("Expecting one image file name");
  const action = actions[0];

  await using graph = makeGraph(program);
  const node = await openImage(program, graph, filename, {
    format: undefined,
    imageOpts: has("image-opts"),
    writable: action !== undefined && action.is !== "l",
    forceShare: has("U"),
  });
  switch (action?.is) {
    case "l":
      list(program, node);
      return 0;
    case "c":
      return await take(program, node, action.value, graph.clocks.host.nowNs());
    case "a":
      return await apply(program, node, action.value);
    case "d":
      return await remove(program, node, action.value);
    default:
      return 0;
  }
}

function list(program: Program, node: BlockNode): void {
  const snapshots = node.driver.snapshots?.list() ?? [];
  if (snapshots.length === 0) return;
  program.out(`Snapshot list:\n${snapshotHeader()}${snapshots.map((one) => snapshotRow(one)).join("")}`);
}

/** `host` time in nanoseconds becomes the snapshot's date. */
async function take(program: Program, node: BlockNode, name: string, nowNs: number): Promise<number> {
  return await attempt(program, `Could not create snapshot '${name}': `, async () => {
    const store = node.driver.snapshots;
    if (store === undefined) throw unsupported();
    await store.create({
      name,
      vmStateBytes: 0,
      dateSeconds: Math.floor(nowNs / NS_PER_S),
      // The host tells microseconds.
      dateNanoseconds: Math.floor(nowNs % NS_PER_S / 1000) * 1000,
      vmClockNs: 0,
      icount: 0,
    });
  }, (error) => {
    const errno = errnoOf(error);
    return `-${errnoNumber(errno)} (${errnoText(errno)})`;
  });
}

async function apply(program: Program, node: BlockNode, name: string): Promise<number> {
  const prefix = `Could not apply snapshot '${name}': `;
  const store = node.driver.snapshots;
  if (store === undefined) {
    program.error(`${prefix}Block driver does not support snapshots`);
    return 1;
  }
  const found = find(store.list(), name);
  if (found === undefined) {
    program.error(`${prefix}Failed to load snapshot: ${errnoText("ENOENT")}`);
    return 1;
  }
  return await attempt(program, prefix, () => store.apply(found.id));
}

async function remove(program: Program, node: BlockNode, name: string): Promise<number> {
  const prefix = `Could not delete snapshot '${name}': `;
  const store = node.driver.snapshots;
  const found = store?.list().find((one) => one.name === name);
  if (store === undefined || found === undefined) {
    program.error(`${prefix}snapshot not found`);
    return 1;
  }
  return await attempt(program, prefix, () => store.delete(found.id));
}

function find(snapshots: readonly SnapshotInfo[], name: string): SnapshotInfo | undefined {
  return snapshots.find(({ id }) => id === name) ?? snapshots.find((one) => one.name === name);
}

async function attempt(
  program: Program,
  prefix: string,
  body: () => Promise<void>,
  words: (error: BlockError) => string = (error) => error.message,
): Promise<number> {
  try {
    await body();
    return 0;
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    program.error(prefix + words(error));
    return 1;
  }
}

function unsupported(): BlockError {
  return new BlockError({ kind: "state", text: errnoText("ENOTSUP"), errno: "ENOTSUP" });
}
