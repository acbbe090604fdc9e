/**
 * `moa img map`: where the bytes of a disk lie, layer by layer.
 *
 * Runs are printed as they are found, those that go on joined, so that an image of any size takes no memory.
 *
 * @module
 */
import { BlockError, type BlockNode, blockStatus, errnoOf } from "../../block/mod.ts";
import { errnoText } from "../../base/errno.ts";
import { type Program } from "../common/program.ts";
import { addObject } from "../common/objects.ts";
import { makeGraph, openImage, outputFormat } from "./images.ts";
import { sizeArgument } from "./numbers.ts";

const SPEC = {
  short: "f:s:l:hU",
  long: {
    help: { is: "h", takesValue: false },
    format: { is: "f", takesValue: true },
    output: { is: "output", takesValue: true },
    object: { is: "object", takesValue: true },
    "image-opts": { is: "image-opts", takesValue: false },
    "force-share": { is: "U", takesValue: false },
    "start-offset": { is: "s", takesValue: true },
    "max-length": { is: "l", takesValue: true },
  },
};

/** One row of the map. */
interface MapEntry {
  readonly start: number;
  readonly length: number;
  readonly depth: number;
  readonly present: boolean;
  readonly zero: boolean;
  readonly data: boolean;
  readonly offset: number | undefined;
  readonly filename: string;
}

/** Runs the subcommand. */
export async function map(program: Program, args: readonly string[]): Promise<number> {
  const { options, operands } = program.getopt(args, SPEC);
  const last = (name: string) => options.findLast(({ is }) => is === name)?.value;
  const has = (name: string) => options.some(({ is }) => is === name);
  if (has("h")) {
    program.out(await (await import("./help.ts")).helpText(program));
    return 0;
  }
  let start = 0;
  let most = Infinity;
  for (const { is, value } of options) {
    if (is === "object") addObject(program, value);
    if (is === "s") start = sizeArgument(program, "start offset", value);
    if (is === "l") most = sizeArgument(program, "max length", value);
  }
  const [filename] = operands;
  if (filename === undefined || operands.length !== 1) program.usage("Expecting one image file name");
  const output = outputFormat(program, last("output") ?? "human");

  await using graph = makeGraph(program);
  const node = await openImage(program, graph, filename, {
    format: last("f"),
    imageOpts: has("image-opts"),
    forceShare: has("U"),
  });
  const print = output === "json" ? jsonPrinter(program) : humanPrinter(program);
  try {
    await walk(node, start, Math.min(node.size, start + most), print.row);
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    program.fail(`Could not read file metadata: ${errnoText(errnoOf(error))}`);
  }
  print.end();
  return 0;
}

/** Calls `row` for each run between `start` and `end`; once with an empty one where there is nothing between. */
async function walk(node: BlockNode, start: number, end: number, row: (entry: MapEntry) => void): Promise<void> {
  const none = { depth: 0, present: false, zero: false, data: false, offset: undefined, filename: "" };
  let current: MapEntry = { start, length: 0, ...none };
  for (let at = start; at < end;) {
    const status = await blockStatus(node, at, end - at);
    const next: MapEntry = {
      start: at,
      length: status.lengthBytes,
      depth: status.depth,
      present: status.allocated,
      zero: status.zero,
      data: status.data,
      offset: status.hostOffset,
      filename: status.file?.filename ?? "",
    };
    at += next.length;
    if (current.length === 0) current = next;
    else if (goesOn(current, next)) current = { ...current, length: current.length + next.length };
    else {
      row(current);
      current = next;
    }
  }
  row(current);
}

function goesOn(first: MapEntry, next: MapEntry): boolean {
  return first.depth === next.depth && first.present === next.present && first.zero === next.zero &&
    first.data === next.data && first.filename === next.filename &&
    (first.offset === undefined ? next.offset === undefined : next.offset === first.offset + first.length);
}

interface Printer {
  row(entry: MapEntry): void;
  end(): void;
}

/** One object a line; the keys' order is map's own. */
function jsonPrinter(program: Program): Printer {
  let before = "[";
  return {
    row(entry) {
      const { start, length, depth, present, zero, data, offset } = entry;
      const where = offset === undefined ? "" : `, "offset": ${offset}`;
      program.out(
        `${before}{ "start": ${start}, "length": ${length}, "depth": ${depth}, "present": ${present}, ` +
          `"zero": ${zero}, "data": ${data}${where}}`,
      );
      before = ",\n";
    },
    end: () => program.out("]\n"),
  };
}

/** Stored bytes only, with the file that they are in. */
function humanPrinter(program: Program): Printer {
  const column = (value: number) => (value === 0 ? "0" : `0x${value.toString(16)}`).padEnd(16);
  program.out(`${"Offset".padEnd(16)}${"Length".padEnd(16)}${"Mapped to".padEnd(16)}File\n`);
  return {
    row({ start, length, zero, data, offset, filename }) {
      if (!data) return;
      if (offset === undefined) program.fail("File contains external, encrypted or compressed clusters.");
      if (!zero) program.out(`${column(start)}${column(length)}${column(offset)}${filename}\n`);
    },
    end: () => {},
  };
}
