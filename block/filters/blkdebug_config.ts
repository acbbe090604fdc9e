/**
 * blkdebug's rules in a file: sections `[inject-error]` and `[set-state]`, each with lines `name = "value"`.
 *
 * Source: QEMU's docs/devel/testing/blkdebug.rst; the format is that of `-readconfig`.
 *
 * @module
 */
import { hostReason } from "../../base/errno.ts";
import { FileTooLargeError, readFileSync } from "../../base/read_file.ts";
import { BlockError } from "../errors.ts";
import type { BlkdebugInjectError, BlkdebugSetState } from "../options/blockdev.ts";

/** Nobody writes that many rules. */
const MAX_BYTES = 1 << 20;

const NAMES: Readonly<Record<string, readonly string[]>> = {
  "inject-error": ["event", "state", "iotype", "errno", "sector", "once", "immediately"],
  "set-state": ["event", "state", "new_state"],
};

/** Rules by kind. */
export interface BlkdebugRules {
  readonly injections: readonly BlkdebugInjectError[];
  readonly transitions: readonly BlkdebugSetState[];
}

/** Reads the file. @throws {BlockError} */
export function readRules(path: string): BlkdebugRules {
  return parseRules(contentOf(path));
}

/** Rules in the text of such a file. @throws {BlockError} for what is none */
export function parseRules(text: string): BlkdebugRules {
  const found: Record<string, Record<string, string>[]> = { "inject-error": [], "set-state": [] };
  let group: string | undefined;
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const section = /^\[([^\s\]"]+)/.exec(line);
    if (section !== null) {
      group = section[1]!;
      if (!Object.hasOwn(found, group)) throw refusal(`There is no option group '${group}'`);
      found[group]!.push({});
      continue;
    }
    // The name ends at a blank, and a value that is not quoted is an empty one.
    const name = /^\s*(\S+)/.exec(line)?.[1];
    if (name === undefined) throw refusal("parse error");
    if (group === undefined) throw refusal("no group defined");
    const value = /^\s*\S+\s*=\s*"([^"]*)"/.exec(line)?.[1] ?? "";
    if (!NAMES[group]!.includes(name)) throw refusal(`Invalid parameter '${name}'`);
    found[group]!.at(-1)![name] = checkedValue(name, value);
  }
  return {
    injections: found["inject-error"] as unknown as BlkdebugInjectError[],
    transitions: found["set-state"] as unknown as BlkdebugSetState[],
  };
}

function checkedValue(name: string, value: string): string {
  if (["state", "new_state", "errno", "sector"].includes(name) && !/^-?(0x[\da-f]+|\d+)$/i.test(value)) {
    throw refusal(`Parameter '${name}' expects a number`);
  }
  if (["once", "immediately"].includes(name) && !["on", "off"].includes(value)) {
    throw refusal(`Parameter '${name}' expects 'on' or 'off'`);
  }
  return value;
}

function contentOf(path: string): string {
  try {
    return new TextDecoder("latin1").decode(readFileSync(path, MAX_BYTES));
  } catch (error) {
    throw refusal(
      error instanceof FileTooLargeError
        ? `blkdebug config file has more than ${MAX_BYTES} bytes`
        : `Could not read blkdebug config file: ${hostReason(error)}`,
    );
  }
}

function refusal(text: string): BlockError {
  return new BlockError({ kind: "option", option: "config", text });
}
