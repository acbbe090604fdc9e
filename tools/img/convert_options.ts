/**
 * The command line of `convert`, read and checked in qemu-img's order.
 *
 * @module
 */
import { MiB, SECTOR_BYTES } from "../../base/units.ts";
import type { Program } from "../common/program.ts";
import { addObject } from "../common/objects.ts";

import { sizeArgument } from "./numbers.ts";
import { optionTexts } from "./option_texts.ts";
import { snapshotParam, type SnapshotWish } from "./snapshot_param.ts";

const SPEC = {
  short: "hf:O:B:CcF:o:l:S:pt:T:qnm:WUr:",
  long: {
    help: { is: "h", takesValue: false },
    object: { is: "object", takesValue: true },
    "source-image-opts": { is: "image-opts", takesValue: false },
    "image-opts": { is: "image-opts", takesValue: false },
    "target-image-opts": { is: "target-image-opts", takesValue: false },
    "force-share": { is: "U", takesValue: false },
    "target-is-zero": { is: "target-is-zero", takesValue: false },
    salvage: { is: "salvage", takesValue: false },
    bitmaps: { is: "bitmaps", takesValue: false },
    "skip-broken-bitmaps": { is: "skip-broken-bitmaps", takesValue: false },
  },
};

const MAX_SPARSE_BYTES = 16 * MiB;
const DEFAULT_SPARSE_BYTES = 4096;

/** What is to be done. */
export interface ConvertOptions {
  readonly help: boolean;
  readonly sources: readonly string[];
  readonly target: string | undefined;
  readonly sourceFormat: string | undefined;
  /** `undefined` where the target is described by options. */
  readonly targetFormat: string | undefined;
  readonly imageOpts: boolean;
  readonly targetImageOpts: boolean;
  readonly forceShare: boolean;
  readonly backingFile: string | undefined;
  readonly backingFormat: string | undefined;
  readonly optionTexts: readonly string[];
  readonly snapshot: SnapshotWish | undefined;
  readonly sparseBytes: number;
  readonly compress: boolean;
  readonly skipCreate: boolean;
  readonly targetIsZero: boolean;
  readonly salvage: boolean;
  /** Copy inside the kernel where that can be done. */
  readonly offload: boolean;
  readonly bitmaps: boolean;
  readonly skipBrokenBitmaps: boolean;
  readonly progress: boolean;
  readonly quiet: boolean;
  readonly cache: string;
  readonly sourceCache: string;
  readonly depth: number;
  readonly rateBytes: number;
}

/** Reads `args`. @throws {Exit} */
export function readConvertOptions(program: Program, args: readonly string[]): ConvertOptions {
  const { options, operands } = program.getopt(args, SPEC);
  const last = (name: string) => options.findLast(({ is }) => is === name)?.value;
  const has = (name: string) => options.some(({ is }) => is === name);
  const quiet = has("q");
  const texts = has("h") ? [] : optionTexts(program, options);
  const numbers = has("h") ? NUMBERS : readNumbers(program, options);
  const snapshot = last("l");
  if (!has("h")) checkTogether(program, has, texts);
  const targetImageOpts = has("target-image-opts");
  return {
    help: has("h"),
    sources: operands.slice(0, -1),
    target: operands.length > 1 ? operands.at(-1) : undefined,
    sourceFormat: last("f"),
    targetFormat: last("O") ?? (targetImageOpts ? undefined : "raw"),
    imageOpts: has("image-opts"),
    targetImageOpts,
    forceShare: has("U"),
    backingFile: last("B"),
    backingFormat: last("F"),
    optionTexts: texts,
    snapshot: snapshot === undefined ? undefined : snapshotParam(program, snapshot),
    ...numbers,
    compress: has("c"),
    skipCreate: has("n"),
    targetIsZero: has("target-is-zero"),
    salvage: has("salvage"),
    offload: has("C"),
    bitmaps: has("bitmaps"),
    skipBrokenBitmaps: has("skip-broken-bitmaps"),
    progress: has("p") && !quiet,
    quiet,
    cache: last("t") ?? "unsafe",
    sourceCache: last("T") ?? "writeback",
  };
}

const NUMBERS = { sparseBytes: DEFAULT_SPARSE_BYTES, depth: 8, rateBytes: 0 };

type Options = readonly { readonly is: string; readonly value: string }[];

/** Options whose values are refused as they are met, in their order. */
function readNumbers(program: Program, options: Options): typeof NUMBERS {
  const numbers = { ...NUMBERS };
  for (const { is, value } of options) {
    switch (is) {
      case "object":
        addObject(program, value);
        break;
      case "l":
        snapshotParam(program, value);
        break;
      case "S":
        numbers.sparseBytes = sizeArgument(program, "buffer size for sparse output", value);
        if (numbers.sparseBytes % SECTOR_BYTES !== 0 || numbers.sparseBytes > MAX_SPARSE_BYTES) {
          program.fail(
            `Invalid buffer size for sparse output specified. Valid sizes are multiples of ${SECTOR_BYTES} up to ` +
              `${MAX_SPARSE_BYTES}. Select 0 to disable sparse detection (fully allocates output).`,
          );
        }
        break;
      case "m":
        numbers.depth = /^\s*\+?\d+$/.test(value) ? Number(value) : 0;
        if (numbers.depth < 1 || numbers.depth > 16) {
          program.fail("Invalid number of coroutines. Allowed number of coroutines is between 1 and 16");
        }
        break;
      case "r":
        numbers.rateBytes = sizeArgument(program, "rate limit", value);
        break;
    }
  }
  return numbers;
}

/** Options that do not go together. */
function checkTogether(program: Program, has: (name: string) => boolean, texts: readonly string[]): void {
  if (has("skip-broken-bitmaps") && !has("bitmaps")) program.fail("Use of --skip-broken-bitmaps requires --bitmaps");
  if (has("n") && texts.length > 0) program.fail("-o has no effect when skipping image creation");
  if (has("target-is-zero") && !has("n")) program.fail("--target-is-zero requires use of -n flag");
  if (has("target-image-opts") && !has("n")) program.fail("--target-image-opts requires use of -n flag");
  if (!has("C")) return;
  if (has("c")) program.fail("Cannot enable copy offloading when -c is used");
  if (has("S")) program.fail("Cannot enable copy offloading when -S is used");
  if (has("salvage")) program.fail("Cannot use copy offloading in salvaging mode");
}
