/**
 * `moa img convert`: one or several images become a new one, in another format, compressed, or without what its backing
 * file has.
 *
 * A target that was made here is removed when something fails or SIGINT, SIGTERM or SIGHUP comes, and a qcow2 target
 * does not open before it is whole. `-W` is taken: pieces are written in
 * the order of the disk all the same.
 *
 * @module
 */
import { isHelpOption, OptionError, parseOptionPairs } from "../../base/keyval.ts";
import {
  advise,
  type BlockEdge,
  BlockError,
  type BlockGraph,
  type BlockNode,
  createImage,
  type CreateValues,
  creationDrivers,
  nestOptions,
  type OptionTree,
  parseCreateOptions,
} from "../../block/mod.ts";
import { Exit, type Program } from "../common/program.ts";
import { checkSourceBitmaps, checkTargetBitmaps, copyBitmaps } from "./convert_bitmaps.ts";
import { type ConvertOptions, readConvertOptions } from "./convert_options.ts";
import { bytesToCopy, copyDisk, type CopyPlan } from "./copier.ts";
import { Offload } from "./copy_ways.ts";
import { listOptions } from "./create.ts";
import { cacheMode, closeImage, keepForWriting, keepUnchanged, makeGraph, openImage } from "./images.ts";
import { NewFile } from "./new_file.ts";
import { Progress, progressWish } from "./progress.ts";
import { showSnapshot } from "./snapshot_param.ts";
import { SourceDisk } from "./source_disk.ts";

/** What is written where nothing says how large a unit is. */
const PLAIN_UNIT_BYTES = 4096;
const COMPRESSED_DEPTH = 4;

/** Runs the subcommand. */
export async function convert(program: Program, args: readonly string[]): Promise<number> {
  const wish = progressWish(program, args);
  const options = readConvertOptions(program, wish.args);
  if (options.help) {
    program.out(await (await import("./help.ts")).helpText(program));
    return 0;
  }
  await using graph = makeGraph(program);
  const { target, optionTexts } = options;
  if (optionTexts.some((text) => text.split(/(?<!,),(?!,)/).some(isHelpOption))) {
    return await listOptions(program, graph, options.targetFormat ?? "raw", target);
  }
  if (target === undefined) program.fail("Must specify image file name");
  using progress = new Progress(program, options.progress, 1, { operation: "convert", form: wish.form });
  progress.set(0);
  const sources = await openSources(program, graph, options);
  const sizeBytes = sources.reduce((bytes, node) => bytes + node.size, 0);
  const values = await creationValues(program, graph, options, target);
  const overlay = (values["backing_file"] ?? options.backingFile) !== undefined;
  const early = checkCombinations(program, options, { sources, values, overlay });
  if (early !== undefined) return early;
  await checkCompression(program, graph, options, values);

  await using file = new NewFile(target);
  const cache = cacheMode(options.cache);
  if (cache === undefined) program.fail(`Invalid cache option: ${options.cache}`);
  if (!options.skipCreate) await create(program, graph, file, options, target, { ...values, size: sizeBytes });
  const sink = await openImage(program, graph, target, {
    format: options.targetFormat,
    imageOpts: options.targetImageOpts,
    writable: true,
    discard: options.sparseBytes > 0,
    cache,
    more: keySecrets(values),
  });
  const writer = await keepForWriting(program, graph, sink, target);
  if (sink.size < sizeBytes) program.fail("output file is smaller than input file");
  if (options.bitmaps) checkTargetBitmaps(program, sink);
  const preallocated = (values["preallocation"] ?? "off") !== "off";
  const plan = await makePlan(program, options, { sources, sink, overlay, preallocated, file, progress });
  if (!options.skipCreate) {
    await file.hide(sink);
    if (sink.driver.name === "qcow2") advise(sink, "grows");
    if (sink.driver.name === "raw") advise(sink, "fills-holes");
  }
  await copyDisk(program, plan);
  file.throwIfInterrupted();
  if (options.bitmaps) await copyBitmaps(program, sources[0]!, sink);
  await finish(program, graph, file, writer, options.compress);
  progress.set(100);
  return 0;
}

async function openSources(program: Program, graph: BlockGraph, options: ConvertOptions): Promise<BlockNode[]> {
  const cache = cacheMode(options.sourceCache);
  if (cache === undefined) program.fail(`Invalid source cache option: ${options.sourceCache}`);
  const nodes: BlockNode[] = [];
  for (const name of options.sources) {
    const node = await openImage(program, graph, name, {
      format: options.sourceFormat,
      imageOpts: options.imageOpts,
      forceShare: options.forceShare,
      cache,
    });
    await keepUnchanged(graph, node);
    advise(node, "processors-are-busy");
    nodes.push(node);
  }
  if (options.snapshot === undefined) return nodes;
  if (nodes.length > 1) program.fail("No support for concatenating multiple snapshot");
  await showSnapshot(program, nodes[0]!, options.snapshot);
  return nodes;
}

/** The creation options with their types, checked as far as a format's table says. @throws {Exit} */
async function creationValues(
  program: Program,
  graph: BlockGraph,
  options: ConvertOptions,
  target: string,
): Promise<CreateValues> {
  const { targetFormat: format = "raw" } = options;
  if (options.skipCreate) return {};
  try {
    const { rows } = await creationDrivers(graph, format, target);
    const pairs = options.optionTexts.flatMap((text) => [...parseOptionPairs(text).pairs]);
    const values: Record<string, string | number | boolean> = { ...parseCreateOptions(rows, pairs) };
    const takes = (name: string) => rows.some((row) => row.name === name);
    const { backingFile, backingFormat } = options;
    if (backingFile !== undefined) {
      if (!takes("backing_file")) program.fail(`Backing file not supported for file format '${format}'`);
      values["backing_file"] = backingFile;
    }
    if (backingFormat !== undefined) {
      if (!takes("backing_fmt")) program.fail(`Backing format not supported for file format '${format}'`);
      values["backing_fmt"] = backingFormat;
    }
    if (values["backing_file"] !== undefined && values["backing_fmt"] === undefined) {
      program.fail("Use of backing file requires explicit backing format");
    }
    return values;
  } catch (error) {
    if (!(error instanceof BlockError) && !(error instanceof OptionError)) throw error;
    program.report("", error);
    throw new Exit(1);
  }
}

/** What a new image that is encrypted is opened with. */
function keySecrets(values: CreateValues): OptionTree {
  const names = ["key-secret", "encrypt.key-secret"].filter((name) => values[name] !== undefined);
  return nestOptions(names.map((name) => ({ name, value: String(values[name]) })));
}

/** The status to end with at once, or `undefined`. @throws {Exit} */
function checkCombinations(
  program: Program,
  options: ConvertOptions,
  found: { readonly sources: readonly BlockNode[]; readonly values: CreateValues; readonly overlay: boolean },
): number | undefined {
  const { sources, overlay } = found;
  if (overlay && options.targetIsZero) {
    program.error("Cannot use --target-is-zero when the destination image has a backing file");
    // qemu-img has nothing done here and calls it a success.
    return 0;
  }
  if (sources.length > 1 && overlay) {
    program.fail(
      "Having a backing file for the target makes no sense when concatenating multiple input images",
    );
  }
  if (!options.bitmaps) return undefined;
  if (sources.length > 1) program.fail("Copying bitmaps only possible with single source");
  checkSourceBitmaps(program, sources[0]!, options.skipBrokenBitmaps);
  return undefined;
}

async function checkCompression(
  program: Program,
  graph: BlockGraph,
  options: ConvertOptions,
  values: CreateValues,
): Promise<void> {
  const { targetFormat: format } = options;
  if (!options.compress || format === undefined) return;
  const definition = await graph.drivers.load(format);
  if (definition === undefined) program.fail(`Unknown file format '${format}'`);
  if (definition.compresses !== true) program.fail("Compression not supported for this file format");
  if (values["encryption"] === true || values["encrypt.format"] !== undefined) {
    program.fail("Compression and encryption not supported at the same time");
  }
  const preallocation = values["preallocation"];
  if (preallocation !== undefined && preallocation !== "off") {
    program.fail("Compression and preallocation not supported at the same time");
  }
}

async function create(
  program: Program,
  graph: BlockGraph,
  file: NewFile,
  options: ConvertOptions,
  filename: string,
  values: CreateValues,
): Promise<void> {
  const { targetFormat: format = "raw" } = options;
  try {
    await file.replace(() => createImage(graph, { filename, format, values, unsafe: true }));
  } catch (error) {
    if (!(error instanceof BlockError) && !(error instanceof OptionError)) throw error;
    program.report(`${filename}: error while converting ${format}: `, error);
    throw new Exit(1);
  }
}

/** The least that the target allocates: a part of its cluster where it has such, but for compressed ones. */
function clusterOf(sink: BlockNode, clusterBytes: number | undefined, compress: boolean): number | undefined {
  const { zeroAlignBytes } = sink.driver.limits;
  if (clusterBytes === undefined || compress || zeroAlignBytes === undefined) return clusterBytes;
  return Math.min(clusterBytes, Math.max(zeroAlignBytes, PLAIN_UNIT_BYTES));
}

async function makePlan(
  program: Program,
  options: ConvertOptions,
  parts: {
    readonly sources: readonly BlockNode[];
    readonly sink: BlockNode;
    readonly overlay: boolean;
    readonly preallocated: boolean;
    readonly file: NewFile;
    readonly progress: Progress;
  },
): Promise<CopyPlan> {
  const { sources, sink, overlay, file, progress } = parts;
  const info = await sink.driver.info?.();
  const clusterBytes = clusterOf(sink, info?.clusterSizeBytes, options.compress);
  if (options.compress && sink.driver.writeCompressed === undefined) {
    program.fail("Compression not supported for this file format");
  }
  const plainBytes = Math.min(PLAIN_UNIT_BYTES, options.sparseBytes || PLAIN_UNIT_BYTES);
  // Room that nobody has written decrypts to noise.
  const isGarbled = info?.encrypted === true && (clusterBytes === undefined || parts.preallocated);
  const backingBytes = options.skipCreate ? Infinity : sink.backing?.size ?? Infinity;
  let done = 0;
  let total = 0;
  const source = new SourceDisk(sources, overlay ? { backingBytes } : undefined);
  const plan: CopyPlan = {
    source,
    target: sink,
    // Clusters that are there already take what is less than one of them.
    unitBytes: clusterBytes === undefined || (parts.preallocated && !options.compress) ? plainBytes : clusterBytes,
    compressed: options.compress,
    sparseBytes: options.sparseBytes,
    startsZero: ((!options.skipCreate && !isGarbled && startsZero(sink)) || options.targetIsZero) && !overlay,
    salvage: options.salvage ? (options.quiet ? "quiet" : "warn") : "off",
    // A piece is many clusters, which are deflated side by side already.
    depth: options.compress ? Math.min(options.depth, COMPRESSED_DEPTH) : options.depth,
    rateBytes: options.rateBytes,
    offload: options.offload ? new Offload(source, sink) : undefined,
    check: () => file.throwIfInterrupted(),
    progress: (bytes) => {
      done += bytes;
      progress.at(done, total);
    },
  };
  total = progress.wanted ? await bytesToCopy(program, plan) : plan.source.sizeBytes;
  return plan;
}

/** Whether what was not written to a new image reads as zeroes: for plain ones, whether what they lie in does. */
function startsZero(node: BlockNode): boolean {
  const below = node.plain ? node.child("file") : undefined;
  return below === undefined ? node.driver.startsZero !== false : startsZero(below);
}

/** Ends the target: its last bytes, its header, its node. @throws {Exit} */
async function finish(
  program: Program,
  graph: BlockGraph,
  file: NewFile,
  writer: BlockEdge,
  compressed: boolean,
): Promise<void> {
  const sink = writer.node;
  try {
    if (compressed) await sink.driver.endCompressed?.();
    await file.show(sink);
    await closeImage(graph, writer);
    file.keep();
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    program.fail(`error while writing: ${error.message}`);
  }
}
