/**
 * `-blockdev` and `blockdev-add`: a description of a node, checked strictly, which must have a name.
 *
 * @module
 */
import { parseKeyval } from "../../base/keyval_tree.ts";
import type { BlockdevOptions } from "./blockdev.ts";
import { parseJson } from "./json.ts";
import { checkBlockdev, isTree, optionError, type OptionTree } from "./tree.ts";

/**
 * Reads the argument of `-blockdev`: `driver=...,node-name=...` or a JSON object.
 * @throws {BlockError} `option`; {@link OptionError} where the syntax is wrong.
 */
export function parseBlockdev(text: string): BlockdevOptions {
  const json = text.startsWith("{");
  const tree = json ? parseJson(text) : parseKeyval(text, { impliedKey: "driver" }).tree as OptionTree;
  if (!isTree(tree)) throw optionError("Invalid JSON object given");
  return checkNamed(checkBlockdev(tree, { keyval: !json }));
}

/** Checks what QMP's `blockdev-add` was given. */
export function checkBlockdevAdd(tree: OptionTree): BlockdevOptions {
  return checkNamed(checkBlockdev(tree, { keyval: false }));
}

function checkNamed(options: BlockdevOptions): BlockdevOptions {
  if (options["node-name"] === undefined) throw optionError("'node-name' must be specified for the root node");
  return options;
}
