/**
 * `moa img check`: is an image consistent, and what can be repaired.
 *
 * Exit status: 0 consistent, 1 the check could not be done, 2 corrupt, 3 only leaks, 63 the format has no check.
 *
 * @module
 */
import { errnoText } from "../../base/errno.ts";
import { BlockError, type BlockNode, type CheckResult } from "../../block/mod.ts";
import { Exit, type Program } from "../common/program.ts";
import { addObject } from "../common/objects.ts";
import { cacheMode, makeGraph, openImage, outputFormat } from "./images.ts";
import { type Json, prettyJson } from "./json.ts";

const SPEC = {
  short: "hf:r:T:qU",
  long: {
    help: { is: "h", takesValue: false },
    format: { is: "f", takesValue: true },
    repair: { is: "r", takesValue: true },
    output: { is: "output", takesValue: true },
    object: { is: "object", takesValue: true },
    "image-opts": { is: "image-opts", takesValue: false },
    "force-share": { is: "U", takesValue: false },
  },
};

const NOT_SUPPORTED = 63;

/** Runs the subcommand. */
export async function check(program: Program, args: readonly string[]): Promise<number> {
  const { options, operands } = program.getopt(args, SPEC);
  const last = (name: string) => options.findLast(({ is }) => is === name)?.value;
  const has = (name: string) => options.some(({ is }) => is === name);
  if (has("h")) {
    program.out(await (await import("./help.ts")).helpText(program));
    return 0;
  }
  const repair = last("r");
  if (repair !== undefined && repair !== "leaks" && repair !== "all") {
    program.usage(`Unknown option value for -r (expecting 'leaks' or 'all'): ${repair}`);
  }
  for (const { is, value } of options) if (is === "object") addObject(program, value);
  const [filename] = operands;
  if (filename === undefined || operands.length !== 1) program.usage("Expecting one image file name");
  const output = outputFormat(program, last("output") ?? "human");
  const cache = cacheMode(last("T") ?? "writeback");
  if (cache === undefined) program.fail(`Invalid source cache option: ${last("T")}`);

  await using graph = makeGraph(program);
  const node = await openImage(program, graph, filename, {
    format: last("f"),
    imageOpts: has("image-opts"),
    writable: repair !== undefined,
    forceShare: has("U"),
    forCheck: true,
    cache,
  });
  const say = (text: string) => {
    if (!has("q")) program.out(text);
  };
  let result = await runCheck(program, node, repair ?? "none");
  const fixed = { corruptions: result.corruptionsFixed, leaks: result.leaksFixed };
  if (fixed.corruptions + fixed.leaks > 0) {
    if (output === "human") {
      say(
        "The following inconsistencies were found and repaired:\n\n" +
          `    ${fixed.leaks} leaked clusters\n    ${fixed.corruptions} corruptions\n\n` +
          "Double checking the fixed image now...\n",
      );
    }
    result = await runCheck(program, node, "none");
  }
  if (output === "human") say(humanText(result));
  else say(`${prettyJson(toJson(filename, node.driver.name, result, fixed))}\n`);
  if (result.checkErrors > 0) program.fail("Check failed");
  return result.corruptions > 0 ? 2 : result.leaks > 0 ? 3 : 0;
}

/** One check; its findings go to standard error as they come. @throws {Exit} */
async function runCheck(program: Program, node: BlockNode, fix: "none" | "leaks" | "all"): Promise<CheckResult> {
  if (node.driver.check === undefined) {
    program.error("This image format does not support checks");
    throw new Exit(NOT_SUPPORTED);
  }
  try {
    const result = await node.driver.check({ fix });
    for (const [index, message] of result.messages.entries()) {
      if (result.reports?.has(index)) program.error(message);
      else program.line(message);
    }
    if (result.failure === undefined) return result;
    if (result.failure.report !== undefined) program.error(result.failure.report);
    return program.fail(`Check failed: ${errnoText(result.failure.errno)}`);
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    return program.fail(`Check failed: ${error.message}`);
  }
}

function humanText(result: CheckResult): string {
  let text = "";
  if (result.corruptions + result.leaks + result.checkErrors === 0) text += "No errors were found on the image.\n";
  if (result.corruptions > 0) {
    text += `\n${result.corruptions} errors were found on the image.\n` +
      "Data may be corrupted, or further writes to the image may corrupt it.\n";
  }
  if (result.leaks > 0) {
    text += `\n${result.leaks} leaked clusters were found on the image.\n` +
      "This means waste of disk space, but no harm to data.\n";
  }
  if (result.checkErrors > 0) text += `\n${result.checkErrors} internal errors have occurred during the check.\n`;
  const total = result.totalClusters ?? 0;
  const allocated = result.allocatedClusters ?? 0;
  if (total > 0 && allocated > 0) {
    const percent = (part: number, whole: number) => `${twoDecimals(part * 100 / whole)}%`;
    text += `${allocated}/${total} = ${percent(allocated, total)} allocated, ` +
      `${percent(result.fragmentedClusters ?? 0, allocated)} fragmented, ` +
      `${percent(result.compressedClusters ?? 0, allocated)} compressed clusters\n`;
  }
  if ((result.imageEndOffset ?? 0) > 0) text += `Image end offset: ${result.imageEndOffset}\n`;
  return text;
}

/** C's `%.2f`: what lies in the middle goes to the even digit, where `toFixed` goes up. */
function twoDecimals(value: number): string {
  const hundredths = value * 100;
  const whole = Math.floor(hundredths);
  if (hundredths - whole !== 0.5) return value.toFixed(2);
  return ((whole % 2 === 0 ? whole : whole + 1) / 100).toFixed(2);
}

/** QEMU's ImageCheck; counts of zero are left out. */
function toJson(
  filename: string,
  format: string,
  result: CheckResult,
  fixed: { corruptions: number; leaks: number },
): Json {
  const some = (count: number | undefined) => count === undefined || count === 0 ? undefined : count;
  return {
    filename,
    format,
    "check-errors": result.checkErrors,
    "image-end-offset": some(result.imageEndOffset),
    corruptions: some(result.corruptions),
    leaks: some(result.leaks),
    "corruptions-fixed": some(fixed.corruptions),
    "leaks-fixed": some(fixed.leaks),
    "total-clusters": some(result.totalClusters),
    "allocated-clusters": some(result.allocatedClusters),
    "fragmented-clusters": some(result.fragmentedClusters),
    "compressed-clusters": some(result.compressedClusters),
  };
}
