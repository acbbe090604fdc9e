/**
 * The files of `-trace events=`: a pattern of events a line; what begins with `#` is a comment.
 *
 * @module
 */
import { hostReason } from "../../base/errno.ts";
import { readFileSync } from "../../base/read_file.ts";
import { MiB } from "../../base/units.ts";

const MAX_BYTES = 4 * MiB;

/** The patterns in a file. @throws an error in QEMU's words, made by `refuse` */
export function readEventList(filename: string, refuse: (text: string) => Error): string[] {
  try {
    const text = new TextDecoder().decode(readFileSync(filename, MAX_BYTES));
    return text.split("\n").map((line) => line.trim()).filter((line) => /^[^#]/.test(line));
  } catch (error) {
    throw refuse(`Could not open '${filename}': ${hostReason(error)}`);
  }
}
