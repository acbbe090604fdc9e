/**
 * The block graph of one machine or tool: all nodes by name, who uses which, and when each is closed.
 *
 * A node lives while somebody refers to it: an edge from above, or a hold taken by {@link BlockGraph.open}. What a node
 * brought with it (its file, its backing chain) goes when the node goes. How a description becomes nodes is in `open.ts`.
 *
 * @module
 */
import type { Clocks } from "../base/clocks.ts";
import { Events } from "../base/events.ts";
import type { Random } from "../base/random.ts";
import { TraceEvents } from "../base/trace.ts";
import { closedDriver } from "./closed.ts";
import type { SecretSource } from "./crypto/secret_source.ts";
import { suspendWithin } from "./drain.ts";
import type { GraphEvent, ReopenChange } from "./driver.ts";
import { builtinDrivers, type DriverTable } from "./drivers.ts";
import { ThrottleGroups } from "./throttling/groups.ts";
import { BlockError } from "./errors.ts";
import type { FdSets } from "./fd_sets.ts";
import { ObjectRegistry } from "./objects/registry.ts";
import { JobSet } from "./jobs/job_set.ts";
import type { BlockNode } from "./node.ts";
import { type ImageRequest, openReference } from "./open.ts";
import { applyPermissions, type BlockEdge, type EdgeOwner, refuseInactive, restorePermissions } from "./permissions.ts";
import type { BlockdevOptions } from "./options/blockdev.ts";
import { reopenChain } from "./reopen.ts";
import { NodeTraces } from "./traces.ts";

/** What a graph is made with. */
export interface GraphOptions {
  readonly clocks: Clocks;
  readonly random: Random;
  readonly trace?: TraceEvents;
  /** Takes messages that are no errors, one line each, without the program's name. */
  readonly warn?: (message: string) => void;
  /** Takes what QEMU prints as it is, such as the three lines on a guessed raw format; by default it goes to `warn`. */
  readonly notice?: (line: string) => void;
  /** Told of each image that a monitor's command makes: `Formatting 'F', fmt=...`; by default nobody is. */
  readonly formatting?: (line: string) => void;
  readonly drivers?: DriverTable;
  /** Makes an empty file for `snapshot=on` and tells its name; the graph removes it through the second function. */
  readonly temporary?: TemporaryFiles;
  /** Where passphrases of encrypted images are found: an `ObjectRegistry`. */
  readonly secrets?: SecretSource;
  /** Secrets and throttle groups of the user's own; takes the place of `secrets`. */
  readonly objects?: ObjectRegistry;
  /** The graph is a machine's: some of what the tools still read is refused. */
  readonly inMachine?: boolean;
  /** Descriptors that the program was given; not owned. */
  readonly fdSets?: FdSets;
}

/** Where `snapshot=on` keeps its overlays. */
export interface TemporaryFiles {
  create(): Promise<string>;
  remove(filename: string): Promise<void>;
}

/** A drive as the graph knows it. */
export interface NamedBackend {
  readonly name: string;
  readonly node: BlockNode | undefined;
}

/**
 * All nodes of one machine or tool.
 *
 * @example
 * ```ts
 * import { ManualClock } from "../base/clocks.ts";
 * import { IoVector } from "../base/io_vector.ts";
 * import { SeededRandom } from "../base/random.ts";
 * import { BlockGraph } from "./mod.ts";
 *
 * const clock = new ManualClock();
 * const clocks = { virtual: clock, realtime: clock, host: clock };
 * await using graph = new BlockGraph({ clocks, random: new SeededRandom(1) });
 * const node = await graph.open({ driver: "raw", file: { driver: "memory", size: 1024 * 1024 } });
 * await node.write(512, IoVector.of(new Uint8Array(512).fill(7)));
 * ```
 */
export class BlockGraph implements AsyncDisposable {
  readonly clocks: Clocks;
  readonly random: Random;
  readonly drivers: DriverTable;
  readonly traces: NodeTraces;
  readonly warn: (message: string) => void;
  readonly notice: (line: string) => void;
  readonly formatting: (line: string) => void;
  /** Drives that have a name, by it, in order of making. */
  readonly backends: Map<string, NamedBackend> = new Map<string, NamedBackend>();
  readonly temporary: TemporaryFiles | undefined;
  readonly fdSets: FdSets | undefined;
  readonly secrets: SecretSource;
  readonly objects: ObjectRegistry;
  readonly inMachine: boolean;
  readonly throttleGroups: ThrottleGroups;
  /** What drivers tell, for QMP's clients. */
  readonly events: Events<{ event: GraphEvent }> = new Events<{ event: GraphEvent }>();
  readonly jobs: JobSet;
  readonly #nodes = new Map<string, BlockNode>();
  readonly #holds = new Map<BlockNode, number>();
  readonly #atClose = new Map<BlockNode, () => Promise<void>>();
  #nameCounter = 0;

  constructor(options: GraphOptions) {
    this.clocks = options.clocks;
    this.random = options.random;
    this.drivers = options.drivers ?? builtinDrivers;
    this.traces = new NodeTraces(options.trace ?? new TraceEvents());
    this.warn = options.warn ?? (() => {});
    this.notice = options.notice ?? this.warn;
    this.formatting = options.formatting ?? (() => {});
    this.temporary = options.temporary;
    this.fdSets = options.fdSets;
    this.objects = options.objects ?? new ObjectRegistry();
    this.secrets = options.secrets ?? this.objects;
    this.inMachine = options.inMachine ?? false;
    this.throttleGroups = new ThrottleGroups(options.clocks.virtual, this.objects);
    this.objects.groupExists = (name) => this.throttleGroups.find(name) !== undefined;
    this.jobs = new JobSet(this, options.clocks.realtime);
  }

  /** All nodes, the oldest first. `query-named-block-nodes` lists them the other way round. */
  get nodes(): readonly BlockNode[] {
    return [...this.#nodes.values()];
  }

  find(name: string): BlockNode | undefined {
    return this.#nodes.get(name);
  }

  /** The node of a name, or of the drive of that name. @throws {BlockError} where there is neither. */
  lookup(name: string): BlockNode {
    const node = this.#nodes.get(name) ?? this.backends.get(name)?.node;
    if (node !== undefined) return node;
    const text = `Cannot find device='${name}' nor node-name='${name}'`;
    throw new BlockError({ kind: "state", text, errno: "ENODEV" });
  }

  /**
   * Opens a tree of nodes as `-blockdev` describes it, or finds a node by name, and holds it for the caller.
   * @throws {BlockError}
   */
  open(options: BlockdevOptions | string, how: { readonly signal?: AbortSignal } = {}): Promise<BlockNode> {
    return this.openImage({ options, ...how });
  }

  /** Opens by file name, as `-drive` and the tools do: prefixes, `json:`, probing. Holds the node for the caller. */
  async openImage(request: ImageRequest): Promise<BlockNode> {
    const node = await openReference(this, request);
    this.hold(node);
    return node;
  }

  /** Keeps the node open until {@link release}. */
  hold(node: BlockNode): void {
    this.#holds.set(node, (this.#holds.get(node) ?? 0) + 1);
  }

  /** Ends one hold; the node is closed when it was the last reference. */
  async release(node: BlockNode): Promise<void> {
    const holds = this.#holds.get(node) ?? 0;
    if (holds <= 1) this.#holds.delete(node);
    else this.#holds.set(node, holds - 1);
    await this.closeIfUnused(node);
  }

  /** Whether the caller of {@link open} still holds the node. */
  isHeld(node: BlockNode): boolean {
    return this.#holds.has(node);
  }

  /** Joins a user to a node. @throws {BlockError} `permission` where that conflicts with another user. */
  async attach(
    owner: EdgeOwner,
    node: BlockNode,
    role: string,
    used: number,
    shared: number,
  ): Promise<BlockEdge> {
    refuseInactive(owner, this.#isNode(owner), node, role, used);
    const edge: BlockEdge = { role, owner, node, used, shared };
    node.parents.push(edge);
    // From here on the node tells its new user when it drains.
    if (node.quiesced) owner.quiesce();
    try {
      await applyPermissions(node);
    } catch (error) {
      node.parents.splice(node.parents.indexOf(edge), 1);
      if (node.quiesced) owner.unquiesce();
      await restorePermissions(node);
      throw error;
    }
    return edge;
  }

  /** Changes what a user does with a node and lets others do. */
  async setEdgePermissions(edge: BlockEdge, used: number, shared: number): Promise<void> {
    const before = { used: edge.used, shared: edge.shared };
    Object.assign(edge, { used, shared });
    try {
      await applyPermissions(edge.node);
    } catch (error) {
      Object.assign(edge, before);
      await restorePermissions(edge.node);
      throw error;
    }
  }

  /** Takes a user off a node, which is closed when it was the last. */
  async detach(edge: BlockEdge): Promise<void> {
    const { node, owner } = edge;
    const index = node.parents.indexOf(edge);
    if (index < 0) return;
    node.parents.splice(index, 1);
    if (node.quiesced) owner.unquiesce();
    await this.closeIfUnused(node);
    if (this.#nodes.get(node.name) === node) await restorePermissions(node);
  }

  /**
   * Changes flags of a node and of the file below it while they are open; all stays as it was when it throws.
   * @throws {BlockError} where the host, another user or the format stands against it.
   */
  async reopen(node: BlockNode, change: Partial<ReopenChange>): Promise<void> {
    await node.drainedBegin();
    try {
      await reopenChain(node, change);
    } finally {
      node.drainedEnd();
    }
  }

  /** Runs `clean` after the node was closed. */
  atClose(node: BlockNode, clean: () => Promise<void>): void {
    this.#atClose.set(node, clean);
  }

  /** A name as QEMU makes them: `#block`, a counter, two random digits. */
  nextName(): string {
    const digits = this.random.below(100).toString().padStart(2, "0");
    return `#block${this.#nameCounter++}${digits}`;
  }

  /** Enters a node that is being opened under its name. @throws {BlockError} where the name is taken. */
  enter(node: BlockNode): void {
    if (this.#nodes.has(node.name)) {
      throw new BlockError({ kind: "state", text: `Duplicate nodes with node-name='${node.name}'` });
    }
    this.#nodes.set(node.name, node);
  }

  /** Closes a node whatever refers to it, then what only it referred to. Part of opening that failed, and of the end. */
  async closeNode(node: BlockNode): Promise<void> {
    if (this.#nodes.get(node.name) !== node) return;
    this.#nodes.delete(node.name);
    this.#holds.delete(node);
    let failure: unknown;
    const suspended = suspendWithin(node);
    try {
      await node.settle();
      await node.flush();
    } catch (error) {
      // An image that was found broken has no medium any more, and who found out has said so.
      if (!(error instanceof BlockError) || error.errno !== "ENOMEDIUM") failure = error;
    }
    for (const driver of suspended) driver.resume?.();
    const { driver } = node;
    try {
      await driver[Symbol.asyncDispose]();
    } catch (error) {
      failure ??= error;
    }
    node.attachDriver(closedDriver);
    for (const edge of node.children.splice(0).reverse()) {
      await this.detach(edge).catch((error) => failure ??= error);
    }
    const clean = this.#atClose.get(node);
    this.#atClose.delete(node);
    await clean?.();
    if (failure !== undefined) throw failure;
  }

  /** Closes all nodes, users first. @throws the first error that a driver met; all are closed all the same. */
  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    await this.jobs.cancelAll();
    this.#holds.clear();
    while (this.#nodes.size > 0) {
      const nodes = this.nodes;
      const node = nodes.findLast((one) => !one.parents.some((edge) => this.#isNode(edge.owner))) ?? nodes.at(-1)!;
      node.parents.length = 0;
      await this.closeNode(node).catch((error) => failures.push(error));
    }
    if (failures.length > 0) throw failures[0];
  }

  #isNode(owner: EdgeOwner): boolean {
    return this.#nodes.get(owner.name) as EdgeOwner | undefined === owner;
  }

  /** Closes a node that nobody refers to. */
  async closeIfUnused(node: BlockNode): Promise<void> {
    if (this.#nodes.get(node.name) === node && node.parents.length === 0 && !this.#holds.has(node)) {
      await this.closeNode(node);
    }
  }
}
