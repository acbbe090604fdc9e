/**
 * `moa img bitmap`: what an image keeps of which of its parts have changed.
 *
 * No format writes bitmaps here yet: the command line is read and the image opened, then it is refused with the name of
 * the operation, and nothing is changed.
 *
 * @module
 */
import { errnoText } from "../../base/errno.ts";
import type { BlockNode } from "../../block/mod.ts";
import type { Program } from "../common/program.ts";
import { makeGraph, openImage, refuseObject } from "./images.ts";
import { sizeArgument } from "./numbers.ts";

const ACTIONS: readonly string[] = ["add", "remove", "clear", "enable", "disable", "merge"];

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
  for (const { is, value } of options) {
    if (is === "object") refuseObject(program, value);
    if (is === "g") sizeArgument(program, "granularity", value, { min: 1 });
  }
  const actions = options.filter(({ is }) => ACTIONS.includes(is));
  const [filename, name] = operands;
  if (filename === undefined || name === undefined || operands.length !== 2) {
    if (actions.length > 0) program.fail("Expecting filename and bitmap name");
  }
  if (actions.length === 0) {
    program.fail("Need at least one of --add, --remove, --clear, --enable, --disable, or --merge");
  }
  if (has("g") && !has("add")) program.fail("granularity only supported with --add");
  if (has("F") && !has("b")) program.fail("-F only supported with -b");
  if (has("b") && !has("merge")) program.fail("Merge bitmap source file only supported with --merge");

  await using graph = makeGraph(program);
  const node = await openImage(program, graph, filename!, {
    format: last("f"),
    imageOpts: has("image-opts"),
    writable: true,
  });
  const [action] = actions;
  return program.fail(`Operation ${action!.is} on bitmap ${name} failed: ${reason(node, action!.is, name!)}`);
}

function reason(node: BlockNode, action: string, name: string): string {
  if (node.driver.name === "qcow2") return "moa does not write bitmaps into images yet";
  if (action !== "add") return `Dirty bitmap '${name}' not found`;
  return `Can't store persistent bitmaps to ${node.name}: ${errnoText("ENOTSUP")}`;
}
