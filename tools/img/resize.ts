/**
 * `moa img resize`: gives the guest's disk another size, absolute or as a difference (`+10G`, `-19G`).
 *
 * The size is the last word of the line whatever it looks like, so that `-19G` is no option.
 *
 * @module
 */
import { OptionError } from "../../base/keyval.ts";
import { parseSizeText, SIZE_HINT } from "../../base/sizes.ts";
import { BlockError, type PreallocationMode } from "../../block/mod.ts";
import { Exit, type Program } from "../common/program.ts";
import { addObject } from "../common/objects.ts";
import { makeGraph, openImage } from "./images.ts";
import { Progress, progressWish } from "./progress.ts";

const SPEC = {
  short: "f:hq",
  long: {
    help: { is: "h", takesValue: false },
    object: { is: "object", takesValue: true },
    "image-opts": { is: "image-opts", takesValue: false },
    preallocation: { is: "preallocation", takesValue: true },
    shrink: { is: "shrink", takesValue: false },
  },
};

const PREALLOCATION: readonly string[] = ["off", "metadata", "falloc", "full"];

/** Runs the subcommand. */
export async function resize(program: Program, args: readonly string[]): Promise<number> {
  const wish = progressWish(program, args);
  if (wish.args.length < 2) program.usage("Not enough arguments");
  const { options, operands } = program.getopt(wish.args.slice(0, -1), SPEC);
  const last = (name: string) => options.findLast(({ is }) => is === name)?.value;
  const has = (name: string) => options.some(({ is }) => is === name);
  if (has("h")) {
    program.out(await (await import("./help.ts")).helpText(program));
    return 0;
  }
  for (const { is, value } of options) {
    if (is === "object") addObject(program, value);
    if (is === "preallocation" && !PREALLOCATION.includes(value)) program.fail(`Invalid preallocation mode '${value}'`);
  }
  const preallocation = (last("preallocation") ?? "off") as PreallocationMode;
  const [filename] = operands;
  if (filename === undefined || operands.length !== 1) program.usage("Expecting image file name and size");
  const change = readChange(program, wish.args.at(-1)!);

  await using graph = makeGraph(program);
  const node = await openImage(program, graph, filename, {
    format: last("f"),
    imageOpts: has("image-opts"),
    writable: true,
  });
  const current = BigInt(node.size);
  const total = BigInt.asIntN(64, change.sign === 0 ? change.bytes : current + BigInt(change.sign) * change.bytes);
  if (total <= 0n) program.fail("New image size must be positive");
  if (total <= current && preallocation !== "off") program.fail("Preallocation can only be used for growing images");
  if (total < current && !has("shrink")) {
    program.error("Use the --shrink option to perform a shrink operation.");
    return program.fail(
      "warning: Shrinking an image will delete all data beyond the shrunken image's end. " +
        "Before performing such an operation, make sure there is no important data there.",
    );
  }
  if (total > BigInt(Number.MAX_SAFE_INTEGER)) program.fail(`moa's offsets end at ${Number.MAX_SAFE_INTEGER}`);
  try {
    using progress = new Progress(program, false, 1, { operation: "resize", form: wish.form });
    progress.at(node.size, Number(total));
    await node.truncate(Number(total), { preallocation, exact: true });
    await node.flush();
    progress.set(100);
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    program.report("", error);
    return 1;
  }
  if (!has("q")) program.out("Image resized.\n");
  return 0;
}

/** The size's sign (0: it is the new size itself) and amount. @throws {Exit} */
function readChange(program: Program, text: string): { readonly sign: -1 | 0 | 1; readonly bytes: bigint } {
  const sign = text.startsWith("+") ? 1 : text.startsWith("-") ? -1 : 0;
  const amount = sign === 0 ? text : text.slice(1);
  const size = parseSizeText(amount);
  if (size.kind === "size") {
    if (size.hexSuffix) program.error(`warning: Using a multiplier suffix on hex numbers is deprecated: ${amount}`);
    return { sign, bytes: size.bytes };
  }
  const invalid = new OptionError("Parameter 'size' expects a non-negative number below 2^64", SIZE_HINT);
  const range = new OptionError(`Value '${amount}' is out of range for parameter 'size'`);
  program.report("", size.kind === "invalid" ? invalid : range);
  throw new Exit(1);
}
