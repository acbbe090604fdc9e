/**
 * `commit`: everything that an overlay holds goes into its backing file, and the overlay becomes empty.
 *
 * This is the synchronous form of the monitor's `commit` and of `qemu-img commit`: nobody else uses the disk meanwhile
 * (it is drained). The base grows where the overlay is larger; what cannot be emptied is left as it is, which is no
 * error: its data equals the base's.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { MiB } from "../../base/units.ts";
import { chainStatus, layersAbove } from "../chain.ts";
import { BlockError, errnoOf, ioError } from "../errors.ts";
import type { BlockGraph } from "../graph.ts";
import type { BlockNode } from "../node.ts";
import { ALL_PERMISSIONS, type BlockEdge, type EdgeOwner, Permission } from "../permissions.ts";

/** How far a job is, in bytes of the disk. */
export interface JobProgress {
  readonly done: number;
  readonly total: number;
}

export interface CommitOptions {
  readonly signal?: AbortSignal;
  /** Leave the overlay as it is: `qemu-img commit -d`. */
  readonly keepOverlay?: boolean;
  /**
   * The layer of the chain that takes the data; by default the backing node. With a deeper one, what lies between is
   * taken along and no longer describes the disk, so that the overlay is kept.
   */
  readonly base?: BlockNode;
}

const PIECE_BYTES = 2 * MiB;

/**
 * Commits `overlay` into its backing node; yields after each piece.
 *
 * @throws {BlockError} ENOTSUP without a backing file, `permission` where overlay or base may not be written, and what
 *   reading and writing throw; the overlay is whole in every case.
 */
export async function* commit(
  graph: BlockGraph,
  overlay: BlockNode,
  options: CommitOptions = {},
): AsyncGenerator<JobProgress, void, void> {
  const base = options.base ?? overlay.backing;
  if (base === undefined) {
    throw ioError("copy", "ENOTSUP", { node: overlay.name });
  }
  if (graph.jobs.list().some((job) => job.blocks(overlay) || job.blocks(base))) {
    throw ioError("copy", "EBUSY", { node: overlay.name });
  }
  const above = layersAbove(overlay, base);
  const keepOverlay = options.keepOverlay === true || above.length > 1;
  if (overlay.readOnly && !keepOverlay) {
    throw new BlockError({ kind: "permission", node: overlay.name, text: "Block node is read-only" });
  }
  // QEMU puts a node of its own in between meanwhile; the names that people see count on.
  graph.nextName();
  await overlay.drainedBegin();
  const edge = above.at(-1)!.children.find((one) => one.node === base && one.role === "backing")!;
  const undo = new AsyncDisposableStack();
  undo.defer(() => overlay.drainedEnd());
  let failed = false;
  try {
    await makeWritable(graph, edge, undo);
    if (overlay.size > base.size) await base.truncate(overlay.size);
    yield* copyAllocated(overlay, base, above.length, options.signal);
    await base.flush();
    if (!keepOverlay) await empty(overlay);
  } catch (error) {
    failed = true;
    throw error;
  } finally {
    // Of several errors the first one is told.
    await undo.disposeAsync().catch((error) => {
      if (!failed) throw firstOf(error);
    });
  }
}

/** The error that came first, where others came while things were put back. */
function firstOf(error: unknown): unknown {
  return error instanceof SuppressedError ? firstOf(error.suppressed) : error;
}

/** Runs {@link commit} to its end. */
export async function commitAll(graph: BlockGraph, overlay: BlockNode, options: CommitOptions = {}): Promise<void> {
  for await (const _progress of commit(graph, overlay, options)) {
    // Nobody watches.
  }
}

/** Copies what the first `layers` layers from `overlay` down hold. */
async function* copyAllocated(
  overlay: BlockNode,
  base: BlockNode,
  layers: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<JobProgress, void, void> {
  const total = overlay.size;
  const buffer = new Uint8Array(Math.min(PIECE_BYTES, Math.max(total, 1)));
  for (let at = 0; at < total;) {
    signal?.throwIfAborted();
    const extent = await chainStatus(overlay, at, Math.min(total - at, 64 * PIECE_BYTES));
    const run = extent.lengthBytes;
    // Where no layer holds anything, the first that is long enough says so, and the base's own zeroes show.
    const untouched = extent.depth >= layers || (!extent.present && layers === 1);
    if (untouched) at += run;
    else if (extent.kind === "zero") {
      await base.writeZeroes(at, run, { unmap: true });
      at += run;
    } else {
      const length = Math.min(run, buffer.length);
      const data = IoVector.of(buffer.subarray(0, length));
      await overlay.read(at, data);
      await base.write(at, data);
      at += length;
    }
    yield { done: at, total };
  }
}

async function empty(overlay: BlockNode): Promise<void> {
  try {
    await overlay.driver.makeEmpty?.();
    overlay.writeGeneration++;
    await overlay.flush();
  } catch (error) {
    if (errnoOf(error) !== "ENOTSUP") throw error;
  }
}

/** Lets the base be written: its own flags, what the overlay lets others do with it, and the job as its user. */
async function makeWritable(graph: BlockGraph, edge: BlockEdge, undo: AsyncDisposableStack): Promise<void> {
  const base = edge.node;
  const { used, shared } = edge;
  if (base.readOnly) {
    await graph.reopen(base, { readOnly: false });
    undo.defer(() => graph.reopen(base, { readOnly: true }));
  }
  await graph.setEdgePermissions(edge, used, ALL_PERMISSIONS);
  undo.defer(() => graph.setEdgePermissions(edge, used, shared));
  const job = await graph.attach(
    new CommitOwner(),
    base,
    "root",
    Permission.write | Permission.resize,
    ALL_PERMISSIONS,
  );
  undo.defer(() => graph.detach(job));
}

/** The job as a user of the base. */
class CommitOwner implements EdgeOwner {
  readonly name = "";
  readonly description = "block device 'commit'";
  quiesce(): void {}
  unquiesce(): void {}
  async settle(): Promise<void> {}
}
