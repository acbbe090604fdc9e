/**
 * `moa img dd`: copies blocks of one image into a new one.
 *
 * Everything is written, zeroes too. Left out, as in qemu-img: `conv=`, `seek=` and the like.
 *
 * @module
 */
import { errnoText } from "../../base/errno.ts";
import { IoVector } from "../../base/io_vector.ts";
import { MiB } from "../../base/units.ts";
import { OptionError } from "../../base/keyval.ts";
import { BlockError, type BlockGraph, type BlockNode, createImage, creationDrivers, errnoOf } from "../../block/mod.ts";
import { Exit, type Program } from "../common/program.ts";
import { addObject } from "../common/objects.ts";
import { closeImage, keepForWriting, keepUnchanged, makeGraph, openImage } from "./images.ts";
import { sizeArgument } from "./numbers.ts";
import { NewFile } from "./new_file.ts";
import { Progress, progressWish } from "./progress.ts";
import { Turns } from "./turns.ts";

const SPEC = {
  short: "hf:O:U",
  long: {
    help: { is: "h", takesValue: false },
    object: { is: "object", takesValue: true },
    "image-opts": { is: "image-opts", takesValue: false },
    "force-share": { is: "U", takesValue: false },
  },
};

const PIECE_BYTES = MiB;

/** What the operands say. */
interface Operands {
  readonly input: string;
  readonly output: string;
  readonly blockBytes: number;
  readonly count: number;
  readonly skip: number;
}

/** Runs the subcommand. */
export async function dd(program: Program, args: readonly string[]): Promise<number> {
  const wish = progressWish(program, args);
  const { options, operands } = program.getopt(wish.args, SPEC);
  const last = (name: string) => options.findLast(({ is }) => is === name)?.value;
  const has = (name: string) => options.some(({ is }) => is === name);
  if (has("h")) {
    program.out(await (await import("./help.ts")).helpText(program));
    return 0;
  }
  for (const { is, value } of options) if (is === "object") addObject(program, value);
  const { input, output, blockBytes, count, skip } = readOperands(program, operands);

  await using graph = makeGraph(program);
  const source = await openImage(program, graph, input, {
    format: last("f"),
    imageOpts: has("image-opts"),
    forceShare: has("U"),
  });
  await keepUnchanged(graph, source);
  const end = Math.min(source.size, count * blockBytes);
  const start = skip * blockBytes;
  const format = last("O") ?? "raw";
  await using target = new NewFile(output);
  await create(program, graph, format, output, Math.max(end - start, 0), target);
  const sink = await openImage(program, graph, output, { format, imageOpts: false, writable: true });
  const writer = await keepForWriting(program, graph, sink, output);
  await target.hide(sink);
  using progress = new Progress(program, false, 1, { operation: "dd", form: wish.form });
  if (start > end) program.error(`${input}: cannot skip to specified offset`);
  await copy(program, target, source, sink, {
    start,
    end,
    stepBytes: Math.max(blockBytes, blocksIn(blockBytes)),
    progress,
  });
  await target.show(sink);
  await closeImage(graph, writer);
  target.keep();
  return 0;
}

/** As many blocks as make a good request: what is written is the same. */
function blocksIn(blockBytes: number): number {
  return Math.floor(PIECE_BYTES / blockBytes) * blockBytes;
}

function readOperands(program: Program, words: readonly string[]): Operands {
  const given = new Map<string, string>();
  const numbers = { bs: 512, count: Infinity, skip: 0 };
  for (const word of words) {
    const [, name, value] = /^([^=]*)(?:=([\s\S]*))?$/.exec(word)!;
    if (value === undefined) program.fail(`unrecognized operand ${name}`);
    if (name === "if" || name === "of") given.set(name, value);
    else if (name === "bs") numbers.bs = sizeArgument(program, "bs", value, { min: 1, max: 2 ** 31 - 1 });
    else if (name === "count" || name === "skip") numbers[name] = sizeArgument(program, name, value);
    else program.fail(`unrecognized operand ${name}`);
  }
  const [input, output] = [given.get("if"), given.get("of")];
  if (input === undefined || output === undefined) program.fail("Must specify both input and output files");
  return { input, output, blockBytes: numbers.bs, count: numbers.count, skip: numbers.skip };
}

async function create(
  program: Program,
  graph: BlockGraph,
  format: string,
  filename: string,
  size: number,
  target: NewFile,
): Promise<void> {
  if (graph.drivers.load(format) === undefined) program.fail("Unknown file format");
  try {
    await creationDrivers(graph, format, filename);
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    program.fail(error.message);
  }
  try {
    await target.replace(() => createImage(graph, { filename, format, size }));
  } catch (error) {
    if (!(error instanceof BlockError) && !(error instanceof OptionError)) throw error;
    program.report(`${filename}: error while creating output image: `, error);
    throw new Exit(1);
  }
}

async function copy(
  program: Program,
  target: NewFile,
  source: BlockNode,
  sink: BlockNode,
  range: { readonly start: number; readonly end: number; readonly stepBytes: number; readonly progress: Progress },
): Promise<void> {
  const buffer = new Uint8Array(Math.min(range.stepBytes, Math.max(range.end - range.start, 0)));
  const turns = new Turns();
  const attempt = async (what: string, body: () => Promise<void>) => {
    try {
      await body();
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      program.fail(`error while ${what}: ${errnoText(errnoOf(error))}`);
    }
  };
  for (let at = range.start; at < range.end;) {
    target.throwIfInterrupted();
    const length = Math.min(buffer.length, range.end - at);
    const data = IoVector.of(buffer.subarray(0, length));
    await attempt("reading from input image file", () => source.read(at, data));
    await attempt("writing to output image file", () => sink.write(at - range.start, data));
    at += length;
    range.progress.at(at - range.start, range.end - range.start);
    await turns.take();
  }
}
