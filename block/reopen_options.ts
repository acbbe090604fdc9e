/**
 * Reopening nodes with other options while guests use them: several at once, all or none.
 *
 * First everything is looked at: what cannot change is refused by its name. Then, while all of them are drained, children
 * are exchanged, flags and options changed, one after the other; what fails takes back what came before.
 *
 * An option that is left out goes back to its default, but for `discard`, which stays. Children that were described
 * within a node follow its flags; others have their own.
 *
 * Source: qapi/block-core.json, `blockdev-reopen`; which options change was measured with the real program.
 *
 * @module
 */
import { isWithin } from "./children.ts";
import type { ReopenChange } from "./driver.ts";
import { BlockError } from "./errors.ts";
import type { BlockGraph } from "./graph.ts";
import type { BlockNode } from "./node.ts";
import { nameNode } from "./node_filename.ts";
import { resolveAgainst } from "./options/filename.ts";
import { DRIVER_OPTIONS } from "./options/schema.ts";
import { convertOptions, isTree, type OptionTree, type OptionValue } from "./options/tree.ts";
import { Permission } from "./permissions.ts";
import { reopenChain } from "./reopen.ts";
import { drained, setChild } from "./rewire.ts";

/** What every node may change. */
const COMMON: readonly string[] = [
  "node-name",
  "discard",
  "cache",
  "read-only",
  "auto-read-only",
  "detect-zeroes",
];

/** A node with its options as they are to be. */
export interface ReopenRequest {
  readonly node: BlockNode;
  readonly options: OptionTree;
  /** Children that are not named stay as they are. */
  readonly keepsChildren?: boolean;
}

/** Another node in a role, or none. */
interface Exchange {
  readonly role: string;
  readonly to: BlockNode | undefined;
}

interface Plan extends ReopenRequest {
  readonly flags: ReopenChange;
  readonly exchanges: readonly Exchange[];
}

/** Undoes one change. */
type Undo = () => Promise<void> | void;

/** The options that a node has, with other values for those of `given`, which may be strings. @throws as options do */
export function changedOptions(node: BlockNode, given: OptionTree): OptionTree {
  const { name: driver } = node.driver;
  const rows = DRIVER_OPTIONS[driver] ?? {};
  const own = Object.entries(node.options).filter(([name]) =>
    rows[name]?.type !== "node" && rows[name]?.type !== "nodes"
  );
  const { options, unknown } = convertOptions(driver, given);
  return {
    ...Object.fromEntries(own),
    driver,
    "read-only": node.readOnly,
    "detect-zeroes": node.detectZeroes,
    ...options,
    cache: { direct: node.cacheDirect, "no-flush": node.cacheNoFlush, ...options["cache"] as OptionTree | undefined },
    ...Object.fromEntries(unknown.map((name) => [name, null])),
  };
}

/** Reopens all of them. @throws {BlockError} where one cannot be; nothing has changed then */
export async function reopenNodes(graph: BlockGraph, requests: readonly ReopenRequest[]): Promise<void> {
  const plans = requests.flatMap((request) => planNode(graph, request));
  for (const plan of plans) refuseWriters(plan, plans);
  // Nodes that are let go are closed when nothing has to be taken back any more.
  const held = [...new Set(plans.flatMap(({ node }) => [node, ...node.children.map((edge) => edge.node)]))];
  for (const node of held) graph.hold(node);
  try {
    await drained(plans.map(({ node }) => node), () => applyAll(graph, plans));
  } finally {
    for (const node of held) await graph.release(node);
  }
}

async function applyAll(graph: BlockGraph, plans: readonly Plan[]): Promise<void> {
  const undo: Undo[] = [];
  try {
    for (const plan of plans) await exchangeChildren(graph, plan, undo);
    for (const plan of inFlagOrder(plans)) await changeFlags(plan, undo);
    for (const plan of plans) await changeOptions(plan, undo);
  } catch (error) {
    for (const back of undo.reverse()) {
      try {
        await back();
      } catch {
        // The others are taken back all the same; what has failed first is told.
      }
    }
    throw error;
  }
  for (const { node, options } of plans) node.options = options;
  for (const plan of plans) await nameAnew(graph, plan);
}

// --- looking ------------------------------------------------------------------------------------------------------

function planNode(graph: BlockGraph, request: ReopenRequest, inherited?: ReopenChange): Plan[] {
  const { node, options, keepsChildren } = request;
  const { reopening, name: driver } = node.driver;
  const hasBacking = keepsChildren !== true && node.backing !== undefined;
  if (hasBacking && DRIVER_OPTIONS[driver]?.["backing"] !== undefined && !has(options, "backing")) {
    throw stateError(`backing is missing for '${node.name}'`);
  }
  if (reopening === undefined) {
    throw stateError(`Block format '${driver}' used by node '${node.name}' does not support reopening files`);
  }
  refuseResets(node, options);
  const flags = flagsOf(node, options, inherited);
  const exchanges: Exchange[] = [];
  const within: Plan[] = [];
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || COMMON.includes(name) || reopening.options.includes(name)) continue;
    const { type } = DRIVER_OPTIONS[driver]?.[name] ?? { type: "str" };
    if (type === "node") {
      const found = planChild(graph, { node, flags, keepsChildren }, name, value);
      exchanges.push(...found.exchanges);
      within.push(...found.within);
    } else refuseChange(name, value, name === "driver" ? driver : node.options[name]);
  }
  // Checked here, so that nothing has changed where they will not do.
  reopening.prepare?.(options, exchanges.find(({ role }) => role === "file")?.to);
  return [{ node, options, flags, exchanges }, ...within];
}

function planChild(
  graph: BlockGraph,
  { node, flags, keepsChildren }: Pick<Plan, "node" | "flags"> & { readonly keepsChildren: boolean | undefined },
  role: string,
  value: OptionValue,
): { readonly exchanges: Exchange[]; readonly within: Plan[] } {
  const nothing = { exchanges: [], within: [] };
  const edge = node.children.find((one) => one.role === role);
  if (isTree(value)) {
    if (edge?.isWithin !== true) throw stateError(`Cannot change the option '${role}.driver'`);
    const inherited = { ...flags, readOnly: role === "backing" || flags.readOnly };
    const request = keepsChildren === true
      ? { node: edge.node, options: changedOptions(edge.node, value), keepsChildren }
      : { node: edge.node, options: value };
    return { exchanges: [], within: planNode(graph, request, inherited) };
  }
  const canChange = role === "backing" || (role === "file" && node.driver.reopening?.file === true);
  if (!canChange) {
    if (value === edge?.node.name) return nothing;
    throw stateError(`Cannot change the option '${role}'`);
  }
  const to = value === null ? undefined : childNamed(graph, String(value));
  if (to === edge?.node) return nothing;
  if (to !== undefined && isWithin(node, to)) {
    throw stateError(`Making '${to.name}' a ${role} child of '${node.name}' would create a cycle`);
  }
  return { exchanges: [{ role, to }], within: [] };
}

function childNamed(graph: BlockGraph, name: string): BlockNode {
  const node = graph.find(name);
  if (node === undefined) throw stateError(`Cannot find device='' nor node-name='${name}'`);
  return node;
}

/** Options that were given and cannot go back to their defaults. */
function refuseResets(node: BlockNode, options: OptionTree): void {
  const { reopening, name: driver } = node.driver;
  for (const [name, value] of Object.entries(node.options)) {
    if (value === undefined || has(options, name) || COMMON.includes(name)) continue;
    if (reopening!.options.includes(name) && reopening!.kept?.includes(name) !== true) continue;
    const { type } = DRIVER_OPTIONS[driver]?.[name] ?? { type: "str" };
    if (type === "node" || type === "nodes" || name === "filename") continue;
    throw stateError(`Option '${name}' cannot be reset to its default value`);
  }
}

function refuseChange(name: string, value: OptionValue, before: OptionValue | undefined): void {
  if (JSON.stringify(value) === JSON.stringify(before)) return;
  throw stateError(`Cannot change the option '${name}'`);
}

function has(options: OptionTree, name: string): boolean {
  return Object.hasOwn(options, name) && options[name] !== undefined;
}

function flagsOf(node: BlockNode, options: OptionTree, inherited?: ReopenChange): ReopenChange {
  const cache = (options["cache"] ?? {}) as { readonly direct?: boolean; readonly "no-flush"?: boolean };
  const detectZeroes = options["detect-zeroes"];
  const discards = options["discard"] === undefined ? node.discardEnabled : options["discard"] === "unmap";
  if (detectZeroes === "unmap" && !discards) {
    throw stateError("setting detect-zeroes to unmap is not allowed without setting discard operation to unmap");
  }
  return {
    readOnly: (options["read-only"] as boolean | undefined) ?? inherited?.readOnly ?? false,
    cacheDirect: cache.direct ?? inherited?.cacheDirect ?? false,
    cacheNoFlush: cache["no-flush"] ?? inherited?.cacheNoFlush ?? false,
  };
}

/** Users that write go on doing so, but for those that are to be read-only themselves. */
function refuseWriters({ node, flags }: Plan, plans: readonly Plan[]): void {
  if (!flags.readOnly || node.readOnly) return;
  const writes = node.parents.some(({ owner, used }) =>
    (used & (Permission.write | Permission.writeUnchanged)) !== 0 &&
    !plans.some((other) => (other.node as unknown) === owner && other.flags.readOnly)
  );
  if (writes) throw stateError(`Read-only block node '${node.name}' cannot support read-write users`);
}

// --- changing -----------------------------------------------------------------------------------------------------

async function exchangeChildren(graph: BlockGraph, { node, exchanges }: Plan, undo: Undo[]): Promise<void> {
  if (!node.readOnly) await node.flush();
  for (const { role, to } of exchanges) {
    const before = node.child(role);
    const order = node.children.map((edge) => edge.role);
    await setChild(graph, node, role, to);
    undo.push(async () => {
      await setChild(graph, node, role, before);
      node.children.sort((a, b) => order.indexOf(a.role) - order.indexOf(b.role));
    });
  }
}

/** Who gives up writing does so before what lies below; who takes it up does so after. */
function inFlagOrder(plans: readonly Plan[]): readonly Plan[] {
  const toReading = plans.filter(({ flags }) => flags.readOnly).sort((a, b) => b.node.depth - a.node.depth);
  const others = plans.filter(({ flags }) => !flags.readOnly).sort((a, b) => a.node.depth - b.node.depth);
  return [...toReading, ...others];
}

async function changeFlags({ node, flags }: Plan, undo: Undo[]): Promise<void> {
  const old = { readOnly: node.readOnly, cacheDirect: node.cacheDirect, cacheNoFlush: node.cacheNoFlush };
  if (Object.entries(flags).every(([name, value]) => old[name as keyof typeof old] === value)) return;
  await reopenChain(node, flags);
  undo.push(() => reopenChain(node, old));
}

async function changeOptions({ node, options }: Plan, undo: Undo[]): Promise<void> {
  const { reopening } = node.driver;
  const { options: before, detectZeroes, discardEnabled } = node;
  await reopening!.prepare?.(options, node.child("file"))();
  undo.push(async () => {
    Object.assign(node, { detectZeroes, discardEnabled });
    await reopening!.prepare?.(before, node.child("file"))();
  });
  node.detectZeroes = (options["detect-zeroes"] ?? "off") as typeof detectZeroes;
  if (options["discard"] !== undefined) node.discardEnabled = options["discard"] === "unmap";
  node.refreshLimits();
}

/** Names a node as its options and children are now. */
async function nameAnew(graph: BlockGraph, { node }: Plan): Promise<void> {
  const definition = await graph.drivers.load(node.driver.name);
  const header = (await node.driver.info?.())?.backingFile;
  const place = node.child("file")?.exactFilename ?? "";
  const meant = header === undefined || place === "" ? header : resolveAgainst(place, header);
  if (definition !== undefined) await nameNode(node, definition, node.options, meant);
}

function stateError(text: string): BlockError {
  return new BlockError({ kind: "state", text });
}
