/**
 * QAPI's BlockdevOptions, made of the table that `blockdev-add` is checked with.
 *
 * The check itself stays with the block layer (`block/options/tree.ts`); these types say what there is.
 *
 * Source: qapi/block-core.json.
 *
 * @module
 */
import { COMMON_OPTIONS, DRIVER_OPTIONS, type OptionRow } from "../../../block/mod.ts";
import type { JsonObject } from "../../../base/json/mod.ts";
import {
  alternate,
  type AlternateShape,
  bool,
  empty,
  int,
  list,
  type Member,
  nothing,
  oneOf,
  optional,
  str,
  struct,
  type StructShape,
  type Type,
  union,
  type UnionShape,
} from "../../schema/qapi/types.ts";
import { blockdevDriver } from "./block.ts";

const overlapFlags = struct({
  template: optional(oneOf("none", "constant", "cached", "all")),
  "main-header": optional(bool),
  "active-l1": optional(bool),
  "active-l2": optional(bool),
  "refcount-table": optional(bool),
  "refcount-block": optional(bool),
  "snapshot-table": optional(bool),
  "inactive-l1": optional(bool),
  "inactive-l2": optional(bool),
  "bitmap-directory": optional(bool),
});
const keySecret = struct({ "key-secret": optional(str) });
const blkdebugEvent = oneOf(
  ...("l1_update l1_grow_alloc_table l1_grow_write_table l1_grow_activate_table l2_load l2_update " +
    "l2_update_compressed l2_alloc_cow_read l2_alloc_write read_aio read_backing_aio read_compressed write_aio " +
    "write_compressed vmstate_load vmstate_save cow_read cow_write reftable_load reftable_grow reftable_update " +
    "refblock_load refblock_update refblock_update_part refblock_alloc refblock_alloc_hookup refblock_alloc_write " +
    "refblock_alloc_write_blocks refblock_alloc_write_table refblock_alloc_switch_table cluster_alloc " +
    "cluster_alloc_bytes cluster_free flush_to_os flush_to_disk pwritev_rmw_head pwritev_rmw_after_head " +
    "pwritev_rmw_tail pwritev_rmw_after_tail pwritev pwritev_zero pwritev_done empty_image_prepare " +
    "l1_shrink_write_table l1_shrink_free_l2_clusters cor_write cluster_alloc_space none").split(" "),
);
const permission = oneOf("consistent-read", "write", "write-unchanged", "resize");

/** Trees and lists, which the table leaves open. */
const INNER: Readonly<Record<string, Type>> = {
  cache: struct({ direct: optional(bool), "no-flush": optional(bool) }),
  encrypt: union(struct({ format: oneOf("aes", "luks") }), "format", { aes: keySecret, luks: keySecret }),
  "overlap-check": alternate("Qcow2OverlapChecks", overlapFlags, oneOf("none", "constant", "cached", "all")),
  bitmap: struct({ node: str, name: str }),
  "inject-error": list(struct({
    event: blkdebugEvent,
    state: optional(int),
    iotype: optional(oneOf("read", "write", "write-zeroes", "discard", "flush", "block-status")),
    errno: optional(int),
    sector: optional(int),
    once: optional(bool),
    immediately: optional(bool),
  })),
  "set-state": list(struct({ event: blkdebugEvent, state: optional(int), new_state: int })),
  "take-child-perms": list(permission),
  "unshare-child-perms": list(permission),
};

/** How a node is described; its members follow below, since children are described as it is. */
const options: Type<JsonObject> & UnionShape = { kind: "union", discriminator: "driver", base: empty, branches: {} };
export const blockdevOptions: Type<JsonObject> & UnionShape = options;

/** A description, or the name of a node. */
export const blockdevRef: Type<JsonObject | string> & AlternateShape = alternate("BlockdevRef", options, str);
const blockdevRefOrNull = alternate("BlockdevRefOrNull", options, str, nothing);

function typeOf(name: string, row: OptionRow): Type {
  const inner = INNER[name];
  if (inner !== undefined) return inner;
  switch (row.type) {
    case "node":
      return row.nullable === true ? blockdevRefOrNull : blockdevRef;
    case "nodes":
      return list(blockdevRef);
    case "enum":
      return oneOf(...row.values);
    case "bool":
      return bool;
    case "size":
    case "int":
      return int;
    default:
      return str;
  }
}

function membersOf(rows: Readonly<Record<string, OptionRow>>): StructShape {
  const members: Record<string, Member> = {};
  for (const [name, row] of Object.entries(rows)) {
    const features = name.startsWith("x-") ? { features: ["unstable"] } : {};
    members[name] = { type: typeOf(name, row), optional: row.required !== true, ...features };
  }
  return { kind: "struct", members };
}

const { driver: _driver, ...common } = membersOf(COMMON_OPTIONS).members;
Object.assign(options, {
  base: { kind: "struct", members: { driver: { type: blockdevDriver, optional: false }, ...common } },
  // `memory` is moa's own: clients of QEMU's protocol do not know it.
  branches: Object.fromEntries(
    Object.entries(DRIVER_OPTIONS).filter(([name]) => name !== "memory").map(([name, rows]) => [name, {
      ...membersOf(rows),
      ...("filename" in rows ? { features: ["dynamic-auto-read-only"] } : {}),
    }]),
  ),
});
