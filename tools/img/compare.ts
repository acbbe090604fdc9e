/**
 * `moa img compare`: whether two images hold the same disk.
 *
 * Exit status: 0 the same, 1 different, 2 an image could not be opened, 3 where data lies could not be read, 4 data could
 * not be read; 1 too for a command line that makes no sense.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { LargeMemory } from "../../base/host/large.ts";
import { errnoText } from "../../base/errno.ts";
import { IoVector, isZero } from "../../base/io_vector.ts";
import { MiB, SECTOR_BYTES } from "../../base/units.ts";
import { advise, BlockError, type BlockNode, type BlockStatus, blockStatus, errnoOf } from "../../block/mod.ts";
import { Exit, type Program } from "../common/program.ts";
import { addObject } from "../common/objects.ts";
import { cacheMode, makeGraph, openImage } from "./images.ts";
import { Progress, progressWish } from "./progress.ts";

const SPEC = {
  short: "hf:F:T:pqsU",
  long: {
    help: { is: "h", takesValue: false },
    object: { is: "object", takesValue: true },
    "image-opts": { is: "image-opts", takesValue: false },
    "force-share": { is: "U", takesValue: false },
  },
};

const SAME = 0;
const DIFFERENT = 1;
const NOT_OPENED = 2;
const NO_STATUS = 3;
const NOT_READ = 4;
const PIECE_BYTES = MiB;
/** Microtasks until a request has come from the image down to the kernel. */
const HAND_OVER_TURNS = 8;

/** One of the two images, with memory for a piece of it. */
interface Side {
  readonly node: BlockNode;
  readonly filename: string;
  readonly buffer: Uint8Array;
}

/** What both sides share. */
interface Comparison {
  readonly program: Program;
  readonly say: (text: string) => void;
  readonly progress: Progress;
  readonly strict: boolean;
}

/** Runs the subcommand. */
export async function compare(program: Program, args: readonly string[]): Promise<number> {
  const wish = progressWish(program, args);
  const { options, operands } = program.getopt(wish.args, SPEC);
  const last = (name: string) => options.findLast(({ is }) => is === name)?.value;
  const has = (name: string) => options.some(({ is }) => is === name);
  if (has("h")) {
    program.out(await (await import("./help.ts")).helpText(program));
    return 0;
  }
  for (const { is, value } of options) if (is === "object") openingFailure(() => addObject(program, value));
  const [first, second] = operands;
  if (first === undefined || second === undefined || operands.length !== 2) {
    program.usage("Expecting two image file names");
  }
  using progress = new Progress(program, has("p") && !has("q"), 2, { operation: "compare", form: wish.form });
  const cache = cacheMode(last("T") ?? "writeback");
  if (cache === undefined) {
    program.error(`Invalid source cache option: ${last("T")}`);
    return NOT_OPENED;
  }
  using memory = LargeMemory.map(2 * PIECE_BYTES);
  await using graph = makeGraph(program);
  const open = async (filename: string, format: string | undefined): Promise<Side> => {
    const how = { format, imageOpts: has("image-opts"), forceShare: has("U"), cache };
    try {
      const node = await openImage(program, graph, filename, how);
      return { node, filename, buffer: memory.take(PIECE_BYTES) };
    } catch (error) {
      throw error instanceof Exit ? new Exit(NOT_OPENED) : error;
    }
  };
  const one = await open(first, last("f"));
  const other = await open(second, last("F"));
  advise(other.node, "large-reads-aside");
  const say = (text: string) => {
    if (!has("q")) program.out(text);
  };
  return await compareSides({ program, say, progress, strict: has("s") }, one, other);
}

/** What fails before there are images has their status. */
function openingFailure(body: () => void): void {
  try {
    body();
  } catch (error) {
    throw error instanceof Exit && error.code !== 0 ? new Exit(NOT_OPENED) : error;
  }
}

async function compareSides(context: Comparison, one: Side, other: Side): Promise<number> {
  const { say, progress } = context;
  const common = Math.min(one.node.size, other.node.size);
  const total = Math.max(one.node.size, other.node.size);
  progress.set(0);
  if (context.strict && common !== total) {
    say("Strict mode: Image size mismatch!\n");
    return DIFFERENT;
  }
  const ahead = [new StatusCursor(context, one), new StatusCursor(context, other)] as const;
  for (let at = 0; at < common;) {
    const a = await ahead[0].at(at);
    const b = await ahead[1].at(at);
    let length = Math.min(a.lengthBytes, b.lengthBytes, common - at);
    if (context.strict && !sameStatus(a, b)) {
      say(`Strict mode: Offset ${at} block status mismatch!\n`);
      return DIFFERENT;
    }
    const bothZero = a.zero && b.zero;
    if (!bothZero && (a.allocated || b.allocated)) {
      length = Math.min(length, PIECE_BYTES);
      const [bytes, others] = await readBoth(context, a.allocated ? one : undefined, b.allocated ? other : undefined, {
        at,
        length,
      });
      const differs = firstDifference(bytes, others);
      if (differs >= 0) {
        say(`Content mismatch at offset ${at + differs}!\n`);
        return DIFFERENT;
      }
    }
    at += length;
    progress.at(at, total);
  }
  if (common !== total) {
    say("Warning: Image size mismatch!\n");
    const longer = one.node.size > other.node.size ? one : other;
    const differs = await firstDataBehind(context, longer, common);
    if (differs >= 0) {
      say(`Content mismatch at offset ${differs}!\n`);
      return DIFFERENT;
    }
  }
  say("Images are identical.\n");
  return SAME;
}

/** Whether the longer image is all zeroes where the other has ended: the offset of the first sector that is not, or -1. */
async function firstDataBehind(context: Comparison, side: Side, from: number): Promise<number> {
  const { size } = side.node;
  const cursor = new StatusCursor(context, side);
  for (let at = from; at < size;) {
    const status = await cursor.at(at);
    let length = status.lengthBytes;
    if (status.allocated && !status.zero) {
      length = Math.min(length, PIECE_BYTES);
      const differs = firstDifference(await readPiece(context, side, at, length), undefined);
      if (differs >= 0) return at + differs;
    }
    at += length;
    context.progress.at(at, size);
  }
  return -1;
}

/** The status of an image from front to back; what was asked once is not asked again. */
class StatusCursor {
  readonly #context: Comparison;
  readonly #side: Side;
  #start = 0;
  #status: BlockStatus | undefined;

  constructor(context: Comparison, side: Side) {
    this.#context = context;
    this.#side = side;
  }

  async at(at: number): Promise<BlockStatus> {
    const known = this.#status;
    if (known !== undefined && at < this.#start + known.lengthBytes) {
      const skipped = at - this.#start;
      return skipped === 0 ? known : { ...known, lengthBytes: known.lengthBytes - skipped };
    }
    const { node, filename } = this.#side;
    try {
      this.#status = await blockStatus(node, at, node.size - at);
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      this.#context.program.error(`Sector allocation test failed for ${filename}`);
      throw new Exit(NO_STATUS);
    }
    this.#start = at;
    return this.#status;
  }
}

function sameStatus(a: BlockStatus, b: BlockStatus): boolean {
  return a.data === b.data && a.zero === b.zero && a.allocated === b.allocated &&
    (a.hostOffset === undefined) === (b.hostOffset === undefined);
}

/** What the two have at `at`, of the one that holds something there at least: the second where only it does. */
async function readBoth(
  context: Comparison,
  one: Side | undefined,
  other: Side | undefined,
  { at, length }: { readonly at: number; readonly length: number },
): Promise<[Uint8Array, Uint8Array | undefined]> {
  // The second image is read by another thread while this one reads the first: that one begins sooner.
  const others = other === undefined ? undefined : readPiece(context, other, at, length);
  others?.catch(() => {});
  if (one === undefined) return [await others!, undefined];
  if (others !== undefined) { for (let turn = 0; turn < HAND_OVER_TURNS; turn++) await undefined; }
  const bytes = await readPiece(context, one, at, length);
  return [bytes, await others];
}

async function readPiece(context: Comparison, side: Side, at: number, length: number): Promise<Uint8Array> {
  const bytes = side.buffer.subarray(0, length);
  try {
    await side.node.read(at, IoVector.of(bytes));
    return bytes;
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    context.program.error(`Error while reading offset ${at} of ${side.filename}: ${errnoText(errnoOf(error))}`);
    throw new Exit(NOT_READ);
  }
}

/** The offset of the first sector in which the bytes differ, from zeroes where there are no others; or -1. */
function firstDifference(bytes: Uint8Array, others: Uint8Array | undefined): number {
  if (others === undefined ? isZero(bytes) : equal(bytes, others)) return -1;
  let length = bytes.length;
  let start = 0;
  // Halves, until one sector is left: the first half that differs has the first sector that does.
  while (length > SECTOR_BYTES) {
    const half = Math.ceil(length / 2 / SECTOR_BYTES) * SECTOR_BYTES;
    const left = bytes.subarray(start, start + half);
    const same = others === undefined ? isZero(left) : equal(left, others.subarray(start, start + half));
    if (same) start += half;
    length = same ? length - half : half;
  }
  return start;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
