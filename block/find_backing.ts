/**
 * Finding a layer of a backing chain by a file's name.
 *
 * A relative name counts from the folder of each overlay in turn, as the names in headers do. Names are compared as
 * paths without `.` and `..`; links are not followed.
 *
 * @module
 */
import type { BlockNode } from "./node.ts";
import { resolveAgainst } from "./options/filename.ts";

/** A layer and the one right above it. */
export interface ChainLink {
  readonly overlay: BlockNode;
  readonly backing: BlockNode;
}

/** The layer below `top` that `filename` means; `undefined` where the chain has none. */
export function findBacking(top: BlockNode, filename: string): ChainLink | undefined {
  if (filename === "") return undefined;
  for (let overlay = top; overlay.backing !== undefined; overlay = overlay.backing) {
    const { backing } = overlay;
    if (backing.filename === filename) return { overlay, backing };
    if (filename.startsWith("json:") || overlay.filename.startsWith("json:")) continue;
    if (backing.filename.startsWith("json:")) continue;
    if (plainPath(resolveAgainst(overlay.filename, filename)) === plainPath(backing.filename)) {
      return { overlay, backing };
    }
  }
  return undefined;
}

/** A path without empty parts, `.`, and `..` where something stands before it. */
function plainPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else parts.push(part);
  }
  return (path.startsWith("/") ? "/" : "") + parts.join("/");
}
