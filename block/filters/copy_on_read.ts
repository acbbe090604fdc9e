/**
 * `copy-on-read`: what a read finds only in the backing chain below is copied into the image below.
 *
 * With `bottom`, only what lies in the images down to that one (itself included) is copied.
 *
 * Source: qapi/block-core.json, BlockdevOptionsCor.
 *
 * @module
 */
import type { IoVector } from "../../base/io_vector.ts";
import { isAllocatedAbove, layersAbove } from "../chain.ts";
import type { DriverDefinition } from "../driver.ts";
import { BlockError } from "../errors.ts";
import type { BlockNode } from "../node.ts";
import type { BlockdevOptionsCopyOnRead } from "../options/blockdev.ts";
import { Permission, type PermissionPair } from "../permissions.ts";
import { Filter } from "./filter.ts";

class CopyOnReadDriver extends Filter {
  readonly #bottom: BlockNode | undefined;

  constructor(below: BlockNode, bottom: BlockNode | undefined) {
    super("copy-on-read", below);
    this.#bottom = bottom;
  }

  override read(at: number, into: IoVector): Promise<void> {
    return this.#bottom === undefined ? this.filtered.copyUp(at, into) : this.#readDownTo(this.#bottom, at, into);
  }

  writeCompressed(at: number, from: IoVector): Promise<void> {
    return this.filtered.writeCompressed(at, from);
  }

  childPermissions(_role: string, { used, shared }: PermissionPair): PermissionPair {
    const { writeUnchanged } = Permission;
    return { used: used | writeUnchanged, shared: shared | writeUnchanged };
  }

  async #readDownTo(bottom: BlockNode, at: number, into: IoVector): Promise<void> {
    const end = Math.min(at + into.length, this.size);
    for (let position = at; position < end;) {
      const run = await isAllocatedAbove(this.filtered, bottom.backing, position, end - position);
      const part = into.slice(position - at, run.lengthBytes);
      await (run.allocated ? this.filtered.copyUp(position, part) : this.filtered.read(position, part));
      position += run.lengthBytes;
    }
  }
}

function bottomOf(below: BlockNode, name: string): BlockNode {
  const found = layersAbove(below).find((layer) => layer.name === name);
  if (found !== undefined) return found;
  throw new BlockError({ kind: "option", option: "bottom", text: `Bottom node '${name}' not found` });
}

/** The `copy-on-read` filter. */
export const copyOnReadFilter: DriverDefinition<BlockdevOptionsCopyOnRead> = {
  name: "copy-on-read",
  kind: "filter",
  overFile: true,
  async open(options, context) {
    const below = await context.openChild("file", options.file);
    if (context.readOnly) {
      throw new BlockError({ kind: "permission", node: below.name, text: "Block node is read-only" });
    }
    const { bottom } = options;
    return new CopyOnReadDriver(below, bottom === undefined ? undefined : bottomOf(below, bottom));
  },
};
