/**
 * What the subcommands share: a graph for one command, and opening an image as qemu-img does, messages included.
 *
 * @module
 */
import { HostClock } from "../../base/clocks.ts";
import { OptionError, QemuOpts } from "../../base/keyval.ts";
import { HostRandom } from "../../base/random.ts";
import {
  ALL_PERMISSIONS,
  type BlockEdge,
  BlockError,
  BlockGraph,
  type BlockNode,
  nestOptions,
  type OptionTree,
  Permission,
} from "../../block/mod.ts";
import { objectsOf } from "../common/objects.ts";
import { Exit, type Program } from "../common/program.ts";

/** QEMU prints this one without a newline. */
const UNENDED_LINE = "Some clusters may be leaked, run 'qemu-img check -r' on the image file to fix.";

/** A graph whose messages go to the program's standard error. */
export function makeGraph(program: Program): BlockGraph {
  const realtime = new HostClock();
  return new BlockGraph({
    clocks: { virtual: realtime, realtime, host: new HostClock({ sinceEpoch: true }) },
    random: new HostRandom(),
    objects: objectsOf(program),
    warn: (message) => program.error(`warning: ${message}`),
    notice: (line) => program.strict && line === UNENDED_LINE ? program.errorText(line) : program.line(line),
  });
}

/** How an image is opened. */
export interface OpenHow {
  readonly format: string | undefined;
  readonly imageOpts: boolean;
  readonly writable?: boolean;
  readonly forceShare?: boolean;
  readonly noBacking?: boolean;
  /** Space that is of no further use may be given back. */
  readonly discard?: boolean;
  readonly forCheck?: boolean;
  /** Options besides: the secrets of an encrypted image. */
  readonly more?: OptionTree;
  /** None of its data is wanted: an encrypted image opens without its passphrase. */
  readonly metadataOnly?: boolean;
  /** The engine of the files below. */
  readonly aio?: "threads" | "native" | "io_uring";
  readonly cache?: { readonly direct: boolean; readonly noFlush: boolean };
}

/** Opens `name` and holds it. @throws {Exit} after saying `Could not open 'NAME': reason`. */
export async function openImage(
  program: Program,
  graph: BlockGraph,
  name: string,
  how: OpenHow,
): Promise<BlockNode> {
  if (how.imageOpts && how.format !== undefined) program.fail("--image-opts and --format are mutually exclusive");
  try {
    const flags: OptionTree = {
      ...how.more,
      "read-only": how.writable !== true,
      ...(how.discard ? { discard: "unmap" } : {}),
      ...(how.forceShare ? { "force-share": true } : {}),
      ...(how.cache === undefined ? {} : { cache: { direct: how.cache.direct, "no-flush": how.cache.noFlush } }),
    };
    const common = {
      noBacking: how.noBacking ?? false,
      forCheck: how.forCheck ?? false,
      metadataOnly: how.metadataOnly ?? false,
      ...(how.aio === undefined ? {} : { aio: how.aio }),
    };
    if (!how.imageOpts) {
      const driver = how.format === undefined ? {} : { driver: how.format };
      return await graph.openImage({ filename: name, options: { ...flags, ...driver }, ...common });
    }
    const pairs = QemuOpts.parse(name, { impliedKey: "file" }).remaining;
    return await graph.openImage({ options: { ...flags, ...nestOptions(pairs) }, ...common });
  } catch (error) {
    if (error instanceof OptionError) program.report("", error);
    else program.report(`Could not open '${name}': `, error);
    throw new Exit(1);
  }
}

/** Nobody may write to `node` while it is read; that it is the target too shows in the target's lock. */
export async function keepUnchanged(graph: BlockGraph, node: BlockNode): Promise<void> {
  const reader = { name: "", description: "the reader", quiesce() {}, unquiesce() {}, async settle() {} };
  const shared = ALL_PERMISSIONS & ~(Permission.write | Permission.resize);
  await graph.attach(reader, node, "root", Permission.consistentRead, shared);
}

/**
 * Holds `node`, which was opened as `name`, as the one who writes to it: refused where it is read-only after all or in
 * use. Ends with {@link closeImage}. @throws {Exit} after saying `Could not open 'NAME': reason`.
 */
export async function keepForWriting(
  program: Program,
  graph: BlockGraph,
  node: BlockNode,
  name: string,
): Promise<BlockEdge> {
  try {
    if (node.readOnly) throw new BlockError({ kind: "permission", node: node.name, text: "Block node is read-only" });
    const writer = { name: "", description: "the writer", quiesce() {}, unquiesce() {}, async settle() {} };
    const used = Permission.consistentRead | Permission.write | Permission.resize;
    return await graph.attach(writer, node, "root", used, ALL_PERMISSIONS);
  } catch (error) {
    program.report(`Could not open '${name}': `, error);
    throw new Exit(1);
  }
}

/** Closes an image that was written to; what was held back is written then. @throws {BlockError} where that fails */
export async function closeImage(graph: BlockGraph, writer: BlockEdge): Promise<void> {
  const { node } = writer;
  await graph.detach(writer);
  await graph.release(node);
}

/** Reads `-t`/`-T`: a cache mode by name. */
export function cacheMode(name: string): { direct: boolean; noFlush: boolean } | undefined {
  switch (name) {
    case "none":
    case "off":
    case "directsync":
      return { direct: true, noFlush: false };
    case "writeback":
    case "writethrough":
      return { direct: false, noFlush: false };
    case "unsafe":
      return { direct: false, noFlush: true };
    default:
      return undefined;
  }
}

/** Reads `--output=human|json`. @throws {Exit} */
export function outputFormat(program: Program, value: string): "human" | "json" {
  if (value === "human" || value === "json") return value;
  return program.fail("--output must be used with human or json as argument.");
}
