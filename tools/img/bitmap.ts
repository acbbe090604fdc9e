/**
 * `moa img bitmap`: what an image keeps of which of its parts have changed.
 *
 * Several actions on one bitmap are done in the order in which they are given; what has been done stays when a later one
 * fails.
 *
 * @module
 */
import {
  addBitmap,
  BlockError,
  type BlockNode,
  clearBitmap,
  disableBitmap,
  enableBitmap,
  mergeBitmaps,
  removeBitmap,
} from "../../block/mod.ts";
import { Exit, type Program } from "../common/program.ts";
import { addObject } from "../common/objects.ts";
import { makeGraph, openImage } from "./images.ts";
import { sizeArgument } from "./numbers.ts";

type Action = "add" | "remove" | "clear" | "enable" | "disable" | "merge";

const ACTIONS: readonly string[] = ["add", "remove", "clear", "enable", "disable", "merge"] satisfies Action[];

const SPEC = {
  short: "hb:F:f:g:",
  long: {
    help: { is: "h", takesValue: false },
    object: { is: "object", takesValue: true },
    "image-opts": { is: "image-opts", takesValue: false },
    add: { is: "add", takesValue: false },
    remove: { is: "remove", takesValue: false },
    clear: { is: "clear", takesValue: false },
    enable: { is: "enable", takesValue: false },
    disable: { is: "disable", takesValue: false },
    merge: { is: "merge", takesValue: true },
  },
};

/** Runs the subcommand. */
export async function bitmap(program: Program, args: readonly string[]): Promise<number> {
  const { options, operands } = program.getopt(args, SPEC);
  const last = (name: string) => options.findLast(({ is }) => is === name)?.value;
  const has = (name: string) => options.some(({ is }) => is === name);
  if (has("h")) {
    program.out(await (await import("./help.ts")).helpText(program));
    return 0;
  }
  let granularityBytes = 0;
  for (const { is, value } of options) {
    if (is === "object") addObject(program, value);
    if (is === "g") granularityBytes = sizeArgument(program, "granularity", value);
  }
  const actions = options.filter(({ is }) => ACTIONS.includes(is));
  const [filename, name] = operands;
  if (actions.length > 0 && (filename === undefined || name === undefined || operands.length !== 2)) {
    program.fail("Expecting filename and bitmap name");
  }
  if (filename === undefined || name === undefined || actions.length === 0) {
    program.fail("Need at least one of --add, --remove, --clear, --enable, --disable, or --merge");
  }
  if (granularityBytes > 0 && !has("add")) program.fail("granularity only supported with --add");
  if (has("F") && !has("b")) program.fail("-F only supported with -b");
  if (has("b") && !has("merge")) program.fail("Merge bitmap source file only supported with --merge");

  await using graph = makeGraph(program);
  const node = await openImage(program, graph, filename, {
    format: last("f"),
    imageOpts: has("image-opts"),
    writable: true,
  });
  const sourceName = last("b");
  const source = sourceName === undefined
    ? node
    : await openImage(program, graph, sourceName, { format: last("F"), imageOpts: false });
  for (const { is, value } of actions) {
    try {
      await act(is as Action, { node, name, source, other: value, granularityBytes });
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      program.report(`Operation ${is} on bitmap ${name} failed: `, error);
      throw new Exit(1);
    }
  }
  return 0;
}

/** What an action is about. */
interface Subject {
  readonly node: BlockNode;
  readonly name: string;
  /** Where the bitmap `other` is that is merged. */
  readonly source: BlockNode;
  readonly other: string;
  /** 0 for the default. */
  readonly granularityBytes: number;
}

async function act(action: Action, subject: Subject): Promise<void> {
  const { node, name, source, other, granularityBytes } = subject;
  switch (action) {
    case "add":
      await addBitmap(node, { name, persistent: true, ...(granularityBytes > 0 ? { granularityBytes } : {}) });
      return;
    case "remove":
      return await removeBitmap(node, name);
    case "clear":
      return clearBitmap(node, name);
    case "enable":
      return enableBitmap(node, name);
    case "disable":
      return disableBitmap(node, name);
    case "merge":
      return mergeBitmaps(node, name, [{ node: source, name: other }]);
  }
}
