/**
 * `moa img measure`: how large the file of a new image will be, for a size or for a disk that is there.
 *
 * @module
 */
import { OptionError, parseOptionPairs } from "../../base/keyval.ts";
import { BlockError, type MeasureResult, mergeCreateOptions, parseCreateOptions } from "../../block/mod.ts";
import { type Program } from "../common/program.ts";
import { addObject } from "../common/objects.ts";
import { makeGraph, openImage, outputFormat } from "./images.ts";
import { prettyJson } from "./json.ts";
import { sizeArgument } from "./numbers.ts";
import { optionTexts } from "./option_texts.ts";
import { Progress, progressWish } from "./progress.ts";
import { showSnapshot, snapshotParam } from "./snapshot_param.ts";

const SPEC = {
  short: "hf:l:o:O:U",
  long: {
    help: { is: "h", takesValue: false },
    "image-opts": { is: "image-opts", takesValue: false },
    object: { is: "object", takesValue: true },
    output: { is: "output", takesValue: true },
    size: { is: "size", takesValue: true },
    "force-share": { is: "U", takesValue: false },
  },
};

/** Runs the subcommand. */
export async function measure(program: Program, args: readonly string[]): Promise<number> {
  const wish = progressWish(program, args);
  const { options, operands } = program.getopt(wish.args, SPEC);
  const last = (name: string) => options.findLast(({ is }) => is === name)?.value;
  const has = (name: string) => options.some(({ is }) => is === name);
  if (has("h")) {
    program.out(await (await import("./help.ts")).helpText(program));
    return 0;
  }
  const texts = optionTexts(program, options);
  let size: number | undefined;
  for (const { is, value } of options) {
    if (is === "object") addObject(program, value);
    if (is === "size") size = sizeArgument(program, "image size", value);
    if (is === "l") snapshotParam(program, value);
    if (is === "output") outputFormat(program, value);
  }
  const [filename, ...more] = operands;
  if (more.length > 0) program.fail("At most one filename argument is allowed.");
  if (filename === undefined && (has("image-opts") || has("f") || has("l"))) {
    program.fail("--image-opts, -f, and -l require a filename argument.");
  }
  if (filename === undefined && size === undefined) {
    program.fail("Either --size N or one filename must be specified.");
  }
  if (filename !== undefined && size !== undefined) {
    program.fail("--size N cannot be used together with a filename.");
  }

  await using graph = makeGraph(program);
  const node = filename === undefined ? undefined : await openImage(program, graph, filename, {
    format: last("f"),
    imageOpts: has("image-opts"),
    forceShare: has("U"),
  });
  const snapshot = last("l");
  if (node !== undefined && snapshot !== undefined) {
    await showSnapshot(program, node, snapshotParam(program, snapshot));
  }
  const format = last("O") ?? "raw";
  const definition = await graph.drivers.load(format);
  if (definition === undefined) program.fail(`Unknown file format '${format}'`);
  if (definition.createOptions === undefined) {
    program.fail(`Format driver '${format}' does not support image creation`);
  }
  const protocol = await graph.drivers.load("file");
  const rows = mergeCreateOptions(definition, protocol);
  try {
    const values = parseCreateOptions(rows, texts.flatMap((text) => [...parseOptionPairs(text).pairs]));
    if (definition.measure === undefined) {
      program.fail(`Block driver '${format}' does not support size measurement`);
    }
    using progress = new Progress(program, false, 1, { operation: "measure", form: wish.form });
    const sizeBytes = size ?? node!.size;
    progress.at(0, sizeBytes);
    const result = await definition.measure(values, {
      sizeBytes,
      secrets: graph.secrets,
      ...(node === undefined ? {} : { node }),
    });
    progress.set(100);
    program.out(last("output") === "json" ? `${prettyJson(toJson(result))}\n` : toText(result));
    return 0;
  } catch (error) {
    if (!(error instanceof BlockError) && !(error instanceof OptionError)) throw error;
    program.report("", error);
    if (isAboutOptions(error)) program.error(`Invalid options for file format '${format}'`);
    return 1;
  }
}

/** Options that no driver has seen, rather than values that one of them refuses. */
function isAboutOptions(error: Error): boolean {
  if (error.message.endsWith("is required for cipher")) return false;
  return /^(?:Invalid parameter|Parameter|Value) '/.test(error.message);
}

function toText({ requiredBytes, fullyAllocatedBytes, bitmapsBytes }: MeasureResult): string {
  return `required size: ${requiredBytes}\nfully allocated size: ${fullyAllocatedBytes}\n` +
    (bitmapsBytes === undefined ? "" : `bitmaps size: ${bitmapsBytes}\n`);
}

function toJson({ requiredBytes, fullyAllocatedBytes, bitmapsBytes }: MeasureResult) {
  return { required: requiredBytes, "fully-allocated": fullyAllocatedBytes, bitmaps: bitmapsBytes };
}
