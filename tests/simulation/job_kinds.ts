/**
 * The kinds of job that are simulated, and how each begins: what it copies, and onto which image.
 *
 * @module
 */
import { SeededRandom } from "../../base/random.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import {
  type BitmapMode,
  type BlockBackend,
  type BlockGraph,
  DirtyBitmap,
  type Job,
  type JobErrorPolicy,
  startBackup,
  startCommit,
  startMirror,
  startStream,
} from "../../block/mod.ts";
import { imageOf, layersOf, openLayer, OVER_MID, OVER_TOP, SECTORS, TARGET } from "./job_world.ts";

/** Every kind of job that is simulated. */
export const JOB_KINDS = [
  "stream",
  "stream to base",
  "commit",
  "active commit",
  "mirror",
  "mirror, blocking",
  "mirror, top",
  "mirror, none",
  "mirror, replaces",
  "backup",
  "backup, compressed",
  "backup, top",
  "backup, none",
  "backup, incremental",
] as const;
export type JobKind = (typeof JOB_KINDS)[number];

/** What a job is begun with. */
export interface Beginning {
  readonly graph: BlockGraph;
  readonly drive: BlockBackend;
  readonly kind: JobKind;
  /** Of the run: what is chosen by it alone leaves older seeds as they were. */
  readonly seed: number;
  readonly policies: readonly [source: JobErrorPolicy, target: JobErrorPolicy];
  /** What an incremental backup copies. */
  readonly bitmap: DirtyBitmap | undefined;
}

const GRANULARITIES = [512, 4096, 65536, undefined] as const;
const BITMAP_MODES = ["on-success", "never", "always"] as const;

/** The image that a job of this kind copies to, where that is not a layer of the chain. */
export function targetOf(kind: JobKind): string | undefined {
  if (kind === "mirror, top" || kind === "backup, top") return OVER_MID;
  if (kind === "mirror, none" || kind === "backup, none") return OVER_TOP;
  return kind.startsWith("mirror") || kind.startsWith("backup") ? TARGET : undefined;
}

/** Whether the guest's disk has a filter over it, which the job reads. */
export function hasFilter(kind: JobKind): boolean {
  return kind === "mirror, replaces";
}

/** A bitmap of everything, for incremental backups. */
export function newBitmap(seed: number): DirtyBitmap {
  const granularityBytes = GRANULARITIES[seed % GRANULARITIES.length] ?? 2048;
  const bitmap = new DirtyBitmap({ name: "changes", sizeBytes: SECTORS * SECTOR_BYTES, granularityBytes });
  markAll(bitmap);
  return bitmap;
}

export function markAll(bitmap: DirtyBitmap): void {
  bitmap.set(0, bitmap.sizeBytes);
}

/** What becomes of the bitmap of incremental backups. */
export function bitmapModeOf(seed: number): BitmapMode {
  return BITMAP_MODES[seed % BITMAP_MODES.length]!;
}

/** Begins the job, unless what it needs is gone already. @throws {BlockError} */
export async function beginJob(beginning: Beginning): Promise<Job | undefined> {
  const { graph, drive, kind, seed, policies: [onSourceError, onTargetError] } = beginning;
  const [top, mid, base] = layersOf(drive);
  const common = {
    id: "job",
    autoDismiss: false,
    onSourceError,
    onTargetError,
    onError: onSourceError,
    ...limit(seed),
  };
  if (kind === "stream") return await startStream(graph, top!, common);
  if (kind === "stream to base") {
    return base === undefined ? undefined : await startStream(graph, top!, { ...common, base });
  }
  if (kind === "commit") {
    return base === undefined ? undefined : await startCommit(graph, { ...common, overlay: top!, top: mid!, base });
  }
  if (kind === "active commit") {
    const target = base ?? mid;
    if (target === undefined) return undefined;
    return await startMirror(graph, { ...common, source: top!, target, sync: "full", type: "commit" });
  }
  if (imageOf(drive) !== "top") return undefined;
  return kind.startsWith("mirror") ? await beginMirror(beginning, common) : await beginBackup(beginning, common);
}

/** A limit that a job of one seed in five has. */
function limit(seed: number): { readonly speed?: number } {
  return seed % 5 === 4 ? { speed: 2 ** (14 + new SeededRandom(seed).below(8)) } : {};
}

interface Common {
  readonly id: string;
  readonly autoDismiss: boolean;
}

async function beginMirror({ graph, drive, kind, seed }: Beginning, common: Common): Promise<Job> {
  const [top, mid] = layersOf(drive);
  const isPart = kind === "mirror, top" || kind === "mirror, none";
  // The filter stays, with another image below it.
  const replaces = kind === "mirror, replaces" ? { source: drive.node!, replaces: top! } : {};
  const target = await openLayer(graph, targetOf(kind)!, isPart ? null : undefined);
  return await startMirror(graph, {
    ...common,
    source: top!,
    ...replaces,
    target,
    releaseTarget: true,
    sync: kind === "mirror, top" ? "top" : kind === "mirror, none" ? "none" : "full",
    copyMode: kind === "mirror, blocking" || ((isPart || kind === "mirror, replaces") && seed % 2 === 0)
      ? "write-blocking"
      : "background",
    targetBacking: isPart ? (kind === "mirror, top" ? mid : top) : undefined,
    granularityBytes: GRANULARITIES[seed % GRANULARITIES.length],
    unmap: seed % 3 > 0,
  });
}

async function beginBackup({ graph, drive, kind, seed, bitmap }: Beginning, common: Common): Promise<Job> {
  const [top] = layersOf(drive);
  const target = await openLayer(graph, targetOf(kind)!, kind === "backup, none" ? top!.name : undefined);
  const options = { ...common, source: top!, target, releaseTarget: true };
  if (kind === "backup, incremental") {
    const how = { sync: "bitmap", bitmapMode: bitmapModeOf(seed), compress: seed % 7 === 0 } as const;
    return await startBackup(graph, { ...options, ...how, bitmap });
  }
  const sync = kind === "backup, top" ? "top" : kind === "backup, none" ? "none" : "full";
  return await startBackup(graph, { ...options, sync, compress: kind === "backup, compressed" });
}
