/**
 * `blkdebug`: a filter that lets requests fail on purpose, when and where rules say.
 *
 * A rule waits for an event (a point in a driver that has a name: `read_aio`, `write_aio`, `flush_to_disk`, `l2_load`)
 * in a state; `inject-error` then fails what matches its kind and sector, `set-state` changes the state. An event
 * `none` is always in force. What rules fire is the newest event's: one that comes later replaces them. Breakpoints
 * (blkdebug_breakpoints.ts) suspend the next request that comes to an event.
 *
 * Source: QEMU's docs/devel/testing/blkdebug.rst and qapi/block-core.json.
 *
 * @module
 */
import { errnoFromNumber } from "../../base/errno.ts";
import type { IoVector } from "../../base/io_vector.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import type { DriverDefinition, Extent, Reopening, RequestLimits, ZeroOptions } from "../driver.ts";
import { BlockError, ioError, type Operation } from "../errors.ts";
import type { BlockNode } from "../node.ts";
import { BlkdebugBreakpoints } from "./blkdebug_breakpoints.ts";
import type { BlkdebugInjectError, BlkdebugSetState, BlockdevOptionsBlkdebug } from "../options/blockdev.ts";
import { ALL_PERMISSIONS, Permission, type PermissionPair } from "../permissions.ts";
import { readRules } from "./blkdebug_config.ts";
import { Filter } from "./filter.ts";

/** The points that rules may name. */
const EVENTS: ReadonlySet<string> = new Set(
  ("l1_update l1_grow_alloc_table l1_grow_write_table l1_grow_activate_table l2_load l2_update l2_update_compressed " +
    "l2_alloc_cow_read l2_alloc_write read_aio read_backing_aio read_compressed write_aio write_compressed vmstate_load " +
    "vmstate_save cow_read cow_write reftable_load reftable_grow reftable_update refblock_load refblock_update " +
    "refblock_update_part refblock_alloc refblock_alloc_hookup refblock_alloc_write refblock_alloc_write_blocks " +
    "refblock_alloc_write_table refblock_alloc_switch_table cluster_alloc cluster_alloc_bytes cluster_free flush_to_os " +
    "flush_to_disk pwritev_rmw_head pwritev_rmw_after_head pwritev_rmw_tail pwritev_rmw_after_tail pwritev " +
    "pwritev_zero pwritev_done empty_image_prepare l1_shrink_write_table l1_shrink_free_l2_clusters cor_write " +
    "cluster_alloc_space none").split(" "),
);

const IO_TYPES: readonly string[] = ["read", "write", "write-zeroes", "discard", "flush", "block-status"];
const DEFAULT_KINDS = ["read", "write", "write-zeroes", "discard", "flush"];

interface Injection {
  readonly event: string;
  readonly state: number;
  readonly kinds: readonly string[];
  readonly errno: number;
  /** Bytes; `undefined`: anywhere. */
  readonly at: number | undefined;
  readonly once: boolean;
}

interface Transition {
  readonly event: string;
  readonly state: number;
  readonly next: number;
}

class BlkdebugDriver extends Filter {
  readonly reopening: Reopening = { options: [] };
  readonly breakpoints = new BlkdebugBreakpoints((event) => EVENTS.has(event));
  readonly #limits: RequestLimits;
  #injections: readonly Injection[];
  readonly #transitions: readonly Transition[];
  #active: readonly Injection[];
  #state = 1;

  readonly #taken: number;
  readonly #unshared: number;

  constructor(image: BlockNode, options: BlockdevOptionsBlkdebug) {
    super("blkdebug", image, "image");
    this.#limits = limitsOf(options);
    this.#taken = permissionBits(options["take-child-perms"]);
    this.#unshared = permissionBits(options["unshare-child-perms"]);
    this.#injections = (options["inject-error"] ?? []).map(readInjection);
    this.#transitions = (options["set-state"] ?? []).map(readTransition);
    this.#active = this.#injections.filter((rule) => rule.event === "none");
  }

  override get limits(): RequestLimits {
    return { ...super.limits, ...this.#limits };
  }

  childPermissions(_role: string, { used, shared }: PermissionPair): PermissionPair {
    return { used: used | this.#taken, shared: shared & ~this.#unshared };
  }

  override async read(at: number, into: IoVector): Promise<void> {
    await this.#pass("read", at, into.length);
    await super.read(at, into);
  }

  override async write(at: number, from: IoVector): Promise<void> {
    await this.#pass("write", at, from.length);
    await super.write(at, from);
    // The node says so only when this has returned, which would be too late to wait.
    this.breakpoints.reached("pwritev_done");
    await this.breakpoints.hold();
  }

  override async writeZeroes(at: number, length: number, how?: ZeroOptions): Promise<void> {
    await this.#pass("write-zeroes", at, length);
    await super.writeZeroes(at, length, how);
  }

  override async discard(at: number, length: number): Promise<void> {
    await this.#pass("discard", at, length);
    await super.discard(at, length);
  }

  override async flush(): Promise<void> {
    await this.#pass("flush", 0, 0);
    await super.flush();
  }

  override async status(at: number, length: number): Promise<Extent> {
    this.#check("block-status", at, length);
    return await super.status(at, length);
  }

  override allocatedBytes(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  debugEvent(name: string): void {
    const fired = this.#injections.filter((rule) => rule.event === name && this.#inState(rule.state));
    if (fired.length > 0) this.#active = fired;
    const change = this.#transitions.findLast((rule) => rule.event === name && this.#inState(rule.state));
    if (change !== undefined) this.#state = change.next;
    this.breakpoints.reached(name);
  }

  /** Lets a request through: at once, later, or not. */
  async #pass(kind: string, at: number, length: number): Promise<void> {
    await this.breakpoints.hold();
    this.#check(kind, at, length);
  }

  #inState(state: number): boolean {
    return state === 0 || state === this.#state;
  }

  #check(kind: string, at: number, length: number): void {
    const rule = this.#active.find((one) =>
      one.kinds.includes(kind) && (one.at === undefined || (length > 0 && one.at >= at && one.at < at + length))
    );
    if (rule === undefined) return;
    if (rule.once) {
      this.#active = this.#active.filter((other) => other !== rule);
      this.#injections = this.#injections.filter((other) => other !== rule);
    }
    const operation: Operation = kind === "block-status" ? "status" : kind as Operation;
    throw ioError(operation, errnoFromNumber(rule.errno), { offsetBytes: at, lengthBytes: length });
  }
}

/** Values are strings where they came from `-drive`. */
function numberOf(value: number | string | undefined, otherwise: number): number {
  return value === undefined ? otherwise : Number(value);
}

function readInjection(rule: BlkdebugInjectError): Injection {
  const sector = numberOf(rule.sector, -1);
  return {
    event: rule.event,
    state: numberOf(rule.state, 0),
    kinds: rule.iotype === undefined ? DEFAULT_KINDS : [rule.iotype],
    errno: numberOf(rule.errno, 5),
    at: sector < 0 ? undefined : sector * SECTOR_BYTES,
    once: rule.once === true || rule.once === "on",
  };
}

function readTransition(rule: BlkdebugSetState): Transition {
  return { event: rule.event, state: numberOf(rule.state, 0), next: numberOf(rule.new_state, 1) };
}

const PERMISSION_BITS: Readonly<Record<string, number>> = {
  "consistent-read": Permission.consistentRead,
  write: Permission.write,
  "write-unchanged": Permission.writeUnchanged,
  resize: Permission.resize,
};

function permissionBits(names: readonly string[] = []): number {
  let bits = 0;
  for (const name of names) {
    const bit = PERMISSION_BITS[name];
    if (bit === undefined) {
      throw new BlockError({ kind: "option", text: `invalid parameter value: ${name}` });
    }
    bits |= bit;
  }
  return bits & ALL_PERMISSIONS;
}

function limitsOf(options: BlockdevOptionsBlkdebug): RequestLimits {
  const align = options.align ?? 1;
  if (align < 1 || !Number.isInteger(Math.log2(align))) {
    throw new BlockError({ kind: "option", option: "align", text: `Cannot meet constraints with align ${align}` });
  }
  const given: [keyof RequestLimits, number | undefined][] = [
    ["maxTransferBytes", options["max-transfer"]],
    ["zeroAlignBytes", options["opt-write-zero"]],
    ["maxZeroBytes", options["max-write-zero"]],
    ["discardAlignBytes", options["opt-discard"]],
    ["maxDiscardBytes", options["max-discard"]],
  ];
  for (const [name, unit] of [["max-transfer", align], ["opt-write-zero", align], ["opt-discard", align]] as const) {
    checkMultiple(name, options[name], unit);
  }
  checkMultiple("max-write-zero", options["max-write-zero"], Math.max(align, options["opt-write-zero"] ?? 0));
  checkMultiple("max-discard", options["max-discard"], Math.max(align, options["opt-discard"] ?? 0));
  return { alignBytes: align, ...Object.fromEntries(given.filter(([, value]) => value !== undefined)) };
}

function checkMultiple(name: string, value: number | undefined, unitBytes: number): void {
  if (value === undefined || value % unitBytes === 0) return;
  throw new BlockError({ kind: "option", option: name, text: `Cannot meet constraints with ${name} ${value}` });
}

/** The `blkdebug` filter. */
export const blkdebug: DriverDefinition<BlockdevOptionsBlkdebug> = {
  name: "blkdebug",
  kind: "filter",
  parseFilename(filename) {
    const rest = filename.slice("blkdebug:".length);
    const colon = rest.indexOf(":");
    if (!filename.startsWith("blkdebug:") || colon < 0) return { image: { filename } };
    const config = rest.slice(0, colon);
    return { ...(config === "" ? {} : { config }), image: { filename: rest.slice(colon + 1) } };
  },
  async open(options, context) {
    const named = options.config === undefined ? { injections: [], transitions: [] } : readRules(options.config);
    const injections = [...named.injections, ...options["inject-error"] ?? []];
    const transitions = [...named.transitions, ...options["set-state"] ?? []];
    for (const rule of [...injections, ...transitions]) {
      if (typeof rule?.event !== "string") {
        throw new BlockError({ kind: "option", option: "event", text: "Missing event name for rule" });
      }
      if (!EVENTS.has(rule.event)) {
        throw new BlockError({ kind: "option", option: "event", text: `invalid parameter value: ${rule.event}` });
      }
    }
    for (const { iotype } of injections) {
      if (iotype !== undefined && !IO_TYPES.includes(iotype)) {
        throw new BlockError({ kind: "option", option: "iotype", text: `invalid parameter value: ${iotype}` });
      }
    }
    const image = await context.openChild("image", options.image);
    return new BlkdebugDriver(image, { ...options, "inject-error": injections, "set-state": transitions });
  },
};
