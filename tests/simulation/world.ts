/**
 * A simulated machine's disk: made as its features ask for, opened through the real block graph over simulated files.
 *
 * @module
 */
import { ManualClock } from "../../base/clocks.ts";
import { IoVector } from "../../base/io_vector.ts";
import { SeededRandom } from "../../base/random.ts";
import { KiB, SECTOR_BYTES } from "../../base/units.ts";
import { BlockGraph, type BlockNode, createImage, type CreateValues, type OptionTree } from "../../block/mod.ts";
import type { Features } from "./features.ts";
import { SimulatedDisk } from "./disk.ts";
import type { SimulatedHost } from "./host.ts";
import { sectorBytes } from "./model.ts";

export const DISK_NAME = "disk.qcow2";
export const DATA_NAME = "data";
const BASE_NAME = "base";

/** Sectors of the disk and of its backing file at the beginning. */
export interface Geometry {
  readonly sectors: number;
  readonly backingSectors: number;
}

/** Small enough to be read after every crash, large enough for more than one L2 table where clusters are small. */
export function geometryOf(features: Features, seed: number): Geometry {
  const { clusterBytes, backing } = features;
  const kibibytes = clusterBytes > 65536
    ? 2.5 * clusterBytes / KiB
    : clusterBytes === 512
    ? 72
    : clusterBytes < 4096
    ? 96
    : clusterBytes < 65536
    ? 112
    : 256;
  // The last cluster of most disks is not whole.
  const sectors = kibibytes * KiB / SECTOR_BYTES + seed % 3 * 3;
  const part = backing === "shorter" ? 0.6 : 1;
  return { sectors, backingSectors: backing === "none" ? 0 : Math.floor(sectors * part) };
}

/** A graph over the host's files; messages of repairs are of no interest. */
export function openGraph(host: SimulatedHost, clock = new ManualClock()): BlockGraph {
  const clocks = { virtual: clock, realtime: clock, host: clock };
  return new BlockGraph({ clocks, random: new SeededRandom(1), drivers: host.drivers, warn: () => {} });
}

/** How the guest's disk is opened. */
export function openOptions(features: Features): OptionTree {
  const { discard, caches, clusterBytes, overlapCheck } = features;
  const passes = discard === "pass all" || discard === "pass none"
    ? Object.fromEntries(["request", "snapshot", "other"].map((by) => [`pass-discard-${by}`, discard === "pass all"]))
    : {};
  const small = caches === "too small"
    ? { "l2-cache-size": 1024, "l2-cache-entry-size": 512, "refcount-cache-size": clusterBytes }
    : {};
  const overlap = overlapCheck === "cached" ? {} : { "overlap-check": overlapCheck };
  return { driver: "qcow2", discard: discard === "ignore" ? "ignore" : "unmap", ...passes, ...small, ...overlap };
}

/** Opens the disk; the graph closes it. */
export function openDisk(graph: BlockGraph, options: OptionTree): Promise<BlockNode> {
  return graph.openImage({ filename: DISK_NAME, options });
}

/** Makes the disk, which is empty. */
export async function makeDisk(host: SimulatedHost, features: Features, geometry: Geometry): Promise<void> {
  await using graph = openGraph(host);
  const values: CreateValues = {
    compat: features.compat,
    cluster_size: features.clusterBytes,
    refcount_bits: features.refcountBits,
    lazy_refcounts: features.lazyRefcounts,
    preallocation: features.preallocation,
    ...(features.compression === "zstd" ? { compression_type: "zstd" } : {}),
    ...(features.extendedL2 ? { extended_l2: true } : {}),
    ...(features.dataFile === "none" ? {} : { data_file: DATA_NAME, data_file_raw: features.dataFile === "raw" }),
  };
  const backing = geometry.backingSectors === 0
    ? {}
    : { backingFile: BASE_NAME, backingFormat: backingFormat(features) };
  const size = geometry.sectors * SECTOR_BYTES;
  await createImage(graph, { filename: DISK_NAME, format: "qcow2", size, values, ...backing });
}

function backingFormat(features: Features): "qcow2" | "raw" {
  return features.backing === "qcow2" ? "qcow2" : "raw";
}

/** Makes the backing file, where there is one: its sectors have value 1. */
export async function makeBacking(host: SimulatedHost, features: Features, geometry: Geometry): Promise<void> {
  const { backingSectors: sectors } = geometry;
  if (sectors === 0) return;
  await using graph = openGraph(host);
  const format = backingFormat(features);
  const values = format === "qcow2" ? { values: { cluster_size: 2048 } } : {};
  await createImage(graph, { filename: BASE_NAME, format, size: sectors * SECTOR_BYTES, ...values });
  const base = await graph.openImage({ filename: BASE_NAME, options: { driver: format } });
  await base.write(0, IoVector.of(sectorBytes(0, sectors, 1)));
  await graph.release(base);
  for (const [name, content] of host.contents()) host.files.set(name, new SimulatedDisk(content));
}

/** The image's version, as its creation option names it. */
export async function compatOf(node: BlockNode): Promise<string> {
  const info = await node.driver.info!();
  return String(info.specific?.["compat"]);
}
