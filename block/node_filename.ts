/**
 * The name by which a node is shown: a plain path where that path alone opens the same disk, else `json:{...}`.
 *
 * @module
 */
import type { BlockNode } from "./node.ts";
import { formatJson } from "./options/json.ts";
import { DRIVER_OPTIONS } from "./options/schema.ts";
import type { OptionTree, OptionValue } from "./options/tree.ts";

/** Gives `node`, which is open, its name; `headerBacking` is the backing file that the image itself names. */
export async function nameNode(
  node: BlockNode,
  driver: string,
  options: OptionTree,
  headerBacking: string | undefined,
): Promise<void> {
  const full: Record<string, OptionValue> = { driver };
  let plain = true;
  for (const [name, row] of Object.entries(DRIVER_OPTIONS[driver] ?? {})) {
    const value = options[name];
    if (row.strong !== true || value === undefined || row.type === "node") continue;
    for (const [flat, one] of flatten(name, value)) {
      // The image itself says how it is encrypted.
      if (flat !== "encrypt.format") full[flat] = one;
    }
    if (name !== "filename") plain = false;
  }
  for (const edge of node.children) {
    if (edge.role === "backing") continue;
    full[edge.role] = edge.node.fullOptions;
  }
  const backing = node.child("backing");
  const header = headerBacking ?? (options["backing"] === undefined ? undefined : await headerName(node));
  if (backing?.filename !== header) {
    full["backing"] = backing === undefined ? null : backing.fullOptions;
    plain = false;
  }
  node.fullOptions = full;
  const file = node.child("file");
  if (node.kind === "protocol" && plain) {
    if (typeof full["filename"] === "string") node.exactFilename = full["filename"];
    else if (driver.startsWith("null-")) node.exactFilename = `${driver}://`;
  } else if (driver === "blkdebug" && plain) {
    const image = node.child("image")?.exactFilename ?? "";
    if (image !== "") node.exactFilename = `blkdebug::${image}`;
  } else if (node.kind === "format" && plain && file !== undefined && file.kind !== "format") {
    node.exactFilename = file.exactFilename;
  }
  node.filename = node.exactFilename || `json:${formatJson(full)}`;
}

/** Lists are named by index: `inject-error.0.event`. */
function flatten(name: string, value: OptionValue): [string, OptionValue][] {
  if (typeof value !== "object" || value === null) return [[name, value]];
  return Object.entries(value).flatMap(([inner, one]) => flatten(`${name}.${inner}`, one ?? null));
}

async function headerName(node: BlockNode): Promise<string | undefined> {
  return (await node.driver.info?.())?.backingFile;
}
