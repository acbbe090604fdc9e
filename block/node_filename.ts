/**
 * The name by which a node is shown: a plain path where that path alone opens the same disk, else `json:{...}`.
 *
 * @module
 */
import type { DriverDefinition } from "./driver.ts";
import type { BlockNode } from "./node.ts";
import { formatJson } from "./options/json.ts";
import { DRIVER_OPTIONS } from "./options/schema.ts";
import type { OptionTree, OptionValue } from "./options/tree.ts";

/** Gives `node`, which is open, its name; `headerBacking` is the backing file that the image itself names. */
export async function nameNode(
  node: BlockNode,
  definition: DriverDefinition,
  options: OptionTree,
  headerBacking: string | undefined,
): Promise<void> {
  const driver = definition.name;
  const full: Record<string, OptionValue> = { driver };
  let plain = true;
  for (const [name, row] of Object.entries(DRIVER_OPTIONS[driver] ?? {})) {
    const value = options[name];
    if (row.strong !== true || value === undefined || row.type === "node" || row.type === "nodes") continue;
    // QEMU takes them from a table in which the newest comes first.
    for (const [flat, one] of flatten(name, value).reverse()) {
      // The image itself says how it is encrypted.
      if (flat !== "encrypt.format") full[flat] = one;
    }
    if (name !== "filename" && name !== "config") plain = false;
  }
  for (const edge of node.children) {
    if (edge.role === "backing") continue;
    // `children.0`: one of a list.
    const [role, index] = edge.role.split(".") as [string, string | undefined];
    if (index === undefined) full[role] = edge.node.fullOptions;
    else full[role] = [...full[role] as OptionTree[] | undefined ?? [], edge.node.fullOptions];
  }
  const backing = node.child("backing");
  const header = headerBacking ?? (options["backing"] === undefined ? undefined : await headerName(node));
  if (backing?.filename !== header) {
    full["backing"] = backing === undefined ? null : backing.fullOptions;
    plain = false;
  }
  node.fullOptions = full;
  node.exactFilename = exactName(node, definition, full, plain);
  node.filename = node.exactFilename || `json:${formatJson(full)}`;
}

/** The path that alone opens the same disk; empty where there is none. */
function exactName(node: BlockNode, { name, sharesName }: DriverDefinition, full: OptionTree, plain: boolean): string {
  const childName = (role: string) => node.child(role)?.exactFilename ?? "";
  if (name === "blkverify") {
    const [raw, test] = [childName("raw"), childName("test")];
    return raw === "" || test === "" ? "" : `blkverify:${raw}:${test}`;
  }
  if (!plain) return "";
  if (name === "blkdebug") {
    const image = childName("image");
    return image === "" ? "" : `blkdebug:${full["config"] ?? ""}:${image}`;
  }
  if (node.kind === "protocol") {
    if (typeof full["filename"] === "string") return full["filename"];
    return name.startsWith("null-") ? `${name}://` : "";
  }
  if (sharesName === true) return childName("file");
  return node.kind === "format" && node.child("file")?.kind !== "format" ? childName("file") : "";
}

/** Lists are named by index: `inject-error.0.event`. */
function flatten(name: string, value: OptionValue): [string, OptionValue][] {
  if (typeof value !== "object" || value === null) return [[name, value]];
  return Object.entries(value).flatMap(([inner, one]) => flatten(`${name}.${inner}`, one ?? null));
}

async function headerName(node: BlockNode): Promise<string | undefined> {
  return (await node.driver.info?.())?.backingFile;
}
