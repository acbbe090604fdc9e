/**
 * Sizes on the command line, with qemu-img's two ways to refuse one.
 *
 * @module
 */
import { parseSizeText } from "../../base/sizes.ts";
import { Exit, type Program } from "../common/program.ts";

const INT64_MAX = (1n << 63n) - 1n;

/** Reads `text` as the size called `what`, in bytes. @throws {Exit} after saying what it may be. */
export function sizeArgument(
  program: Program,
  what: string,
  text: string,
  range: { readonly min?: number; readonly max?: number } = {},
): number {
  const size = parseSizeText(text);
  if (size.kind === "invalid") {
    program.error(`Invalid ${what} specified. You may use k, M, G, T, P or E suffixes for`);
    program.error("kilobytes, megabytes, gigabytes, terabytes, petabytes and exabytes.");
    throw new Exit(1);
  }
  if (size.kind === "size" && size.hexSuffix) {
    program.error(`warning: Using a multiplier suffix on hex numbers is deprecated: ${text}`);
  }
  const min = BigInt(range.min ?? 0);
  const max = range.max === undefined ? INT64_MAX : BigInt(range.max);
  if (size.kind === "range" || size.bytes > max || size.bytes < min) {
    program.fail(`Invalid ${what} specified. Must be between ${min} and ${max}.`);
  }
  if (size.bytes > BigInt(Number.MAX_SAFE_INTEGER)) {
    program.fail(`Invalid ${what} specified. moa's offsets end at ${Number.MAX_SAFE_INTEGER}.`);
  }
  return Number(size.bytes);
}
