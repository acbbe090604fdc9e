/**
 * Jobs that copy a disk: mirror, which follows the guest, and backup, which keeps a moment.
 *
 * The `blockdev-` commands take a target that is open; the `drive-` commands make or open one.
 *
 * Source: qapi/block-core.json; docs/interop/live-block-operations.
 *
 * @module
 */
import { isPowerOfTwo } from "../../../base/bits.ts";
import { KiB, MiB } from "../../../base/units.ts";
import {
  type BlockGraph,
  type BlockNode,
  createBackup,
  type DirtyBitmap,
  drained,
  type JobGroup,
  setBacking,
  startMirror,
  visibleNode,
} from "../../../block/mod.ts";
import { MonitorError } from "../../errors.ts";
import { bool, type Infer, int, oneOf, optional, str, struct, uint32 } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { onError, syncMode } from "../types/jobs.ts";
import { changeTogether, type Prepare, type PreparedChange } from "./actions.ts";
import { jobOptions, makeImage, rootNode } from "./chains.ts";

const MIN_GRANULARITY_BYTES = KiB / 2;
const MAX_GRANULARITY_BYTES = 64 * MiB;
const MAX_WORKERS = 2 ** 31 - 1;

const errorMembers = { "on-source-error": optional(onError), "on-target-error": optional(onError) };
const endMembers = { "auto-finalize": optional(bool), "auto-dismiss": optional(bool) };
const mirrorMembers = {
  speed: optional(int),
  granularity: optional(uint32),
  "buf-size": optional(int),
  ...errorMembers,
};
const copyMode = optional(oneOf("background", "write-blocking"));

const blockdevMirrorData = struct({
  "job-id": optional(str),
  device: str,
  target: str,
  replaces: optional(str),
  sync: syncMode,
  ...mirrorMembers,
  "filter-node-name": optional(str),
  "copy-mode": copyMode,
  ...endMembers,
});

type MirrorData = Omit<Infer<typeof blockdevMirrorData>, "target">;

function checkGranularity(granularity: number): void {
  if (granularity === 0) return;
  if (granularity < MIN_GRANULARITY_BYTES || granularity > MAX_GRANULARITY_BYTES) {
    throw new MonitorError("Parameter 'granularity' expects a value in range [512B, 64MB]");
  }
  if (!isPowerOfTwo(granularity)) throw new MonitorError("Parameter 'granularity' expects a power of 2");
}

/** The node that the target is to take the place of: nothing that guests see may change by that. */
function replacedNode(graph: BlockGraph, source: BlockNode, name: string): BlockNode {
  const node = graph.find(name);
  if (node === undefined) throw new MonitorError(`Failed to find node with node-name='${name}'`);
  for (let below: BlockNode | undefined = source; below !== undefined; below = filtered(below)) {
    if (below === node) return node;
  }
  throw new MonitorError(
    `Cannot replace '${name}' by a node mirrored from '${source.name}', because it cannot be guaranteed that doing ` +
      "so would not lead to an abrupt change of visible data",
  );
}

/** What a filter lies over. */
function filtered(node: BlockNode): BlockNode | undefined {
  return node.kind === "filter" ? node.children[0]?.node : undefined;
}

interface MirrorTarget {
  readonly target: BlockNode;
  readonly unmap?: boolean | undefined;
  readonly targetBacking?: BlockNode | undefined;
  readonly releaseTarget?: boolean;
}

async function mirror(graph: BlockGraph, source: BlockNode, data: MirrorData, how: MirrorTarget): Promise<void> {
  const { granularity = 0, sync, replaces } = data;
  checkGranularity(granularity);
  graph.jobs.refuseBusy(source, "mirror");
  graph.jobs.refuseBusy(how.target, "mirror");
  const replaced = replaces === undefined ? undefined : replacedNode(graph, source, replaces);
  if (sync === "incremental" || sync === "bitmap") throw new MonitorError(`Sync mode '${sync}' not supported`);
  if ((data["buf-size"] ?? 0) < 0) throw new MonitorError("Invalid parameter 'buf-size'");
  if (source === how.target) throw new MonitorError("Can't mirror node into itself");
  await startMirror(graph, {
    ...jobOptions(graph, source, data),
    ...how,
    source,
    sync: sync === "top" && source.backing === undefined ? "full" : sync,
    replaces: replaced,
    granularityBytes: granularity || undefined,
    bufferBytes: data["buf-size"],
    copyMode: data["copy-mode"],
    onSourceError: data["on-source-error"],
    onTargetError: data["on-target-error"],
  });
}

export const blockdevMirror = qmpCommand({
  name: "blockdev-mirror",
  summary: "Keeps a node equal to what a drive shows, until the user has the guest go over to it.",
  data: blockdevMirrorData,
  async run({ graph }, { target: name, ...data }) {
    const source = rootNode(graph, data.device);
    await mirror(graph, source, data, { target: graph.lookup(name) });
  },
});

const newImageMode = optional(oneOf("existing", "absolute-paths"));

/** Where the target of a `drive-` command comes from. */
interface NewTarget {
  readonly target: string;
  readonly format?: string | undefined;
  readonly mode?: "existing" | "absolute-paths" | undefined;
  readonly "node-name"?: string | undefined;
  readonly sync: string;
}

/** Makes the target's image unless it exists, and opens it without a backing node; held by the caller. */
async function openTarget(graph: BlockGraph, source: BlockNode, wanted: NewTarget): Promise<BlockNode> {
  const { target: filename, mode = "absolute-paths", sync } = wanted;
  const format = wanted.format ?? (mode === "existing" ? undefined : source.driver.name);
  if (mode !== "existing") {
    const below = backingFor(source, sync);
    await makeImage(graph, {
      filename,
      format: format!,
      size: source.size,
      ...(below === undefined ? {} : { backingFile: below.filename, backingFormat: below.driver.name }),
    });
  }
  const name = wanted["node-name"];
  return await graph.openImage({
    filename,
    options: {
      ...(format === undefined ? {} : { driver: format }),
      ...(name === undefined ? {} : { "node-name": name }),
      discard: "unmap",
    },
    noBacking: sync !== "full" || mode !== "existing",
  });
}

/** What a copy that is not full lies on. */
function backingFor(source: BlockNode, sync: string): BlockNode | undefined {
  return sync === "top" ? source.backing : sync === "none" ? source : undefined;
}

const driveMirrorData = struct({
  "job-id": optional(str),
  device: str,
  target: str,
  format: optional(str),
  "node-name": optional(str),
  replaces: optional(str),
  sync: syncMode,
  mode: newImageMode,
  ...mirrorMembers,
  unmap: optional(bool),
  "copy-mode": copyMode,
  ...endMembers,
});

/** Starts a mirror as `drive-mirror` describes it. */
export async function mirrorToFile(graph: BlockGraph, data: Infer<typeof driveMirrorData>): Promise<void> {
  const source = rootNode(graph, data.device);
  graph.jobs.refuseBusy(source, "mirror");
  const sync = data.sync === "top" && source.backing === undefined ? "full" : data.sync;
  const target = await openTarget(graph, source, { ...data, sync });
  try {
    const targetBacking = backingFor(source, sync);
    await mirror(graph, source, { ...data, sync }, { target, unmap: data.unmap, targetBacking, releaseTarget: true });
  } catch (error) {
    await graph.release(target).catch(() => {});
    throw error;
  }
}

export const driveMirror = qmpCommand({
  name: "drive-mirror",
  summary: "Keeps an image file equal to what a drive shows, until the user has the guest go over to it.",
  data: driveMirrorData,
  run: ({ graph }, data) => mirrorToFile(graph, data),
});

const backupMembers = {
  sync: syncMode,
  speed: optional(int),
  bitmap: optional(str),
  "bitmap-mode": optional(oneOf("on-success", "never", "always")),
  compress: optional(bool),
  ...errorMembers,
  ...endMembers,
  "filter-node-name": optional(str),
  "x-perf": optional(
    struct({ "use-copy-range": optional(bool), "max-workers": optional(int), "max-chunk": optional(int) }),
    ["unstable"],
  ),
};

export const blockdevBackupData = struct({ "job-id": optional(str), device: str, ...backupMembers, target: str });
type BackupData = Omit<Infer<typeof blockdevBackupData>, "target">;

/** The bitmap of a backup, where there is one, and what becomes of it. */
function backupBitmap(source: BlockNode, data: BackupData): DirtyBitmap | undefined {
  const { sync, bitmap: name, "bitmap-mode": mode } = data;
  if (sync === "incremental" || sync === "bitmap") {
    if (name === undefined) throw new MonitorError(`must provide a valid bitmap name for '${sync}' sync mode`);
    if (sync === "incremental" && mode !== undefined && mode !== "on-success") {
      throw new MonitorError(`Bitmap sync mode must be 'on-success' when using sync mode 'incremental'`);
    }
  }
  if (name === undefined) {
    if (mode !== undefined) throw new MonitorError("Cannot specify bitmap sync mode without a bitmap");
    return undefined;
  }
  const bitmap = source.bitmaps.find((one) => one.name === name);
  if (bitmap === undefined) throw new MonitorError(`Bitmap '${name}' could not be found`);
  if (mode === undefined && sync !== "incremental") {
    throw new MonitorError("Bitmap sync mode must be given when providing a bitmap");
  }
  bitmap.refuseUnusable();
  if (sync === "none") throw new MonitorError("sync mode 'none' does not produce meaningful bitmap outputs");
  if (mode === "never" && sync !== "bitmap") {
    throw new MonitorError(`Bitmap sync mode 'never' has no meaningful effect when combined with sync mode '${sync}'`);
  }
  return bitmap;
}

/** What a user may say of how a backup works. @throws {MonitorError} in QEMU's words */
function backupPerformance(data: BackupData) {
  const perf = data["x-perf"] ?? {};
  const workers = perf["max-workers"];
  if (workers !== undefined && (workers < 1 || workers > MAX_WORKERS)) {
    throw new MonitorError(`max-workers must be between 1 and ${MAX_WORKERS}`);
  }
  const chunk = perf["max-chunk"] ?? 0;
  if (chunk < 0) throw new MonitorError("max-chunk must be zero (which means no limit) or positive");
  return { maxWorkers: workers, maxChunkBytes: chunk, useCopyRange: perf["use-copy-range"] };
}

async function createJob(
  graph: BlockGraph,
  source: BlockNode,
  data: BackupData,
  how: { readonly target: BlockNode; readonly releaseTarget?: boolean; readonly group?: JobGroup | undefined },
): Promise<PreparedChange> {
  const bitmap = backupBitmap(source, data);
  graph.jobs.refuseBusy(source, "backup");
  graph.jobs.refuseBusy(how.target, "backup");
  if (source === how.target) throw new MonitorError("Source and target cannot be the same");
  const sync = data.sync === "incremental" ? "bitmap" : data.sync;
  const job = await createBackup(graph, {
    ...jobOptions(graph, source, data),
    ...how,
    source,
    sync: sync === "top" && source.backing === undefined ? "full" : sync,
    bitmap,
    bitmapMode: data["bitmap-mode"] ?? "on-success",
    compress: data.compress,
    ...backupPerformance(data),
    onSourceError: data["on-source-error"],
    onTargetError: data["on-target-error"],
  });
  return { commit: () => job.start(), abort: () => job.abandon() };
}

/** Starts a backup by itself: what it copies is the disk of that moment. */
function startAlone(source: BlockNode, prepare: Prepare): Promise<void> {
  return drained([source], () => changeTogether([prepare]));
}

/** Backs up to a node; `group`: with others. The source is drained. */
export function backUpToNode(
  graph: BlockGraph,
  { target: name, ...data }: Infer<typeof blockdevBackupData>,
  group?: JobGroup,
): Prepare {
  return async () => {
    const source = visibleNode(graph.lookup(data.device));
    return await createJob(graph, source, data, { target: graph.lookup(name), group });
  };
}

export const blockdevBackup = qmpCommand({
  name: "blockdev-backup",
  summary: "Copies a drive as it is now to a node, while the guest writes on.",
  data: blockdevBackupData,
  run: ({ graph }, data) => startAlone(visibleNode(graph.lookup(data.device)), backUpToNode(graph, data)),
});

export const driveBackupData = struct({
  "job-id": optional(str),
  device: str,
  ...backupMembers,
  target: str,
  format: optional(str),
  mode: newImageMode,
});

/** Backs up to an image file; `group`: with others. The source is drained. Taken back, the file stays. */
export function backUpToImage(graph: BlockGraph, data: Infer<typeof driveBackupData>, group?: JobGroup): Prepare {
  return async () => {
    const source = visibleNode(graph.lookup(data.device));
    graph.jobs.refuseBusy(source, "backup");
    const sync = data.sync === "top" && source.backing === undefined ? "full" : data.sync;
    const target = await openTarget(graph, source, { ...data, sync });
    try {
      // What the copy does not hold shows the image below it.
      const below = backingFor(source, sync);
      if (below !== undefined && target.backing === undefined) await setBacking(graph, target, below);
      return await createJob(graph, source, { ...data, sync }, { target, releaseTarget: true, group });
    } catch (error) {
      await graph.release(target).catch(() => {});
      throw error;
    }
  };
}

/** Starts a backup as `drive-backup` describes it. */
export function backUpToFile(graph: BlockGraph, data: Infer<typeof driveBackupData>): Promise<void> {
  return startAlone(visibleNode(graph.lookup(data.device)), backUpToImage(graph, data));
}

export const driveBackup = qmpCommand({
  name: "drive-backup",
  summary: "Copies a drive as it is now to an image file, while the guest writes on.",
  data: driveBackupData,
  features: ["deprecated"],
  run: ({ graph }, data) => backUpToFile(graph, data),
});
