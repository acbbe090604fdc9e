/**
 * What drives and nodes there are, and what they have done.
 *
 * Source: qapi/block-core.json.
 *
 * @module
 */
import {
  type BackendStatistics,
  bitmapInfos,
  type BlockBackend,
  type BlockNode,
  type LatencyHistogram,
  visibleNode,
} from "../../../block/mod.ts";
import { backingChain, imageInfo as describeImage } from "../../format/image_info.ts";
import { bool, empty, list, optional, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { blockInfo, blockStats, type BlockStatsValue, deviceInfo, type deviceStats } from "../types/block.ts";
import { limitMembers } from "../types/throttle.ts";
import type { ImageInfoValue } from "../types/images.ts";
import { snapshotValue } from "./internal_snapshots.ts";

type DeviceInfo = NonNullable<typeof deviceInfo.infer>;
type DeviceStats = NonNullable<typeof deviceStats.infer>;

/** QAPI's ImageInfo of a node by itself. */
async function imageValue(node: BlockNode): Promise<ImageInfoValue> {
  const info = await describeImage(node);
  const snapshots = info.snapshots.map(snapshotValue);
  return {
    filename: info.filename,
    format: info.format,
    "dirty-flag": info.dirty,
    "actual-size": info.actualSizeBytes,
    "virtual-size": info.virtualSizeBytes,
    "cluster-size": info.clusterSizeBytes,
    encrypted: info.encrypted ? true : undefined,
    "backing-filename": info.backingFile,
    "full-backing-filename": info.backingFile === undefined ? undefined : info.fullBackingFile ?? info.backingFile,
    "backing-filename-format": info.backingFormat,
    snapshots: snapshots.length === 0 ? undefined : snapshots,
    "format-specific": info.specific === undefined ? undefined : { type: info.format, data: info.specific },
  };
}

async function imageChain(chain: readonly BlockNode[]): Promise<ImageInfoValue> {
  const [first, ...rest] = chain;
  const image = await imageValue(first!);
  return rest.length === 0 ? image : { ...image, "backing-image": await imageChain(rest) };
}

/** QAPI's BlockDeviceInfo; `flat`: without the images behind. */
export async function describeNode(
  node: BlockNode,
  flat: boolean,
  strict: boolean,
  writeback = true,
): Promise<DeviceInfo> {
  const chain = backingChain(node);
  const image = await imageChain(flat ? chain.slice(0, 1) : chain);
  const bitmaps = bitmapInfos(node).map((one) => ({
    name: one.name,
    count: one.dirtyBytes,
    granularity: one.granularityBytes,
    recording: one.recording,
    busy: one.busy,
    persistent: one.persistent,
    inconsistent: one.inconsistent ? true : undefined,
  }));
  return {
    file: node.filename,
    "node-name": node.name,
    active: strict ? undefined : node.inactive === undefined,
    ro: (node.inactive ?? node).readOnly,
    drv: node.driver.name,
    backing_file: chain[1]?.filename,
    backing_file_depth: flat ? 0 : chain.length - 1,
    encrypted: image["encrypted"] === true,
    detect_zeroes: node.detectZeroes,
    ...NO_LIMITS,
    image,
    cache: { writeback, direct: node.cacheDirect, "no-flush": node.cacheNoFlush },
    write_threshold: node.writeThreshold?.bytes ?? 0,
    "dirty-bitmaps": bitmaps.length === 0 ? undefined : bitmaps,
  };
}

const NO_LIMITS = { bps: 0, bps_rd: 0, bps_wr: 0, iops: 0, iops_rd: 0, iops_wr: 0 } as const;

/** Drives that somebody can see: those with a name or a device. */
function visible(backends: readonly BlockBackend[]): BlockBackend[] {
  return backends.filter(({ name, device }) => name !== "" || device !== undefined);
}

export const queryBlock = qmpCommand({
  name: "query-block",
  summary: "Drives with their media.",
  data: empty,
  returns: list(blockInfo),
  async run({ backends, strict }) {
    const infos: NonNullable<typeof blockInfo.infer>[] = [];
    for (const backend of visible(backends.list())) {
      const { device } = backend;
      const node = backend.node && visibleNode(backend.node);
      infos.push({
        device: backend.name,
        qdev: device === undefined ? undefined : device.id || device.path,
        type: "unknown",
        removable: device === undefined || (device.removable ?? false),
        locked: device?.isMediumLocked() ?? false,
        inserted: node === undefined ? undefined : {
          ...await describeNode(node, false, strict, backend.writeCacheEnabled),
          ...limitMembers(backend.throttling),
        },
        tray_open: device?.removable === true ? backend.isTrayOpen : undefined,
        "io-status": device === undefined ? undefined : backend.ioStatus,
      });
    }
    return infos;
  },
});

export const queryNamedBlockNodes = qmpCommand({
  name: "query-named-block-nodes",
  summary: "All nodes, the newest first.",
  data: struct({ flat: optional(bool) }),
  returns: list(deviceInfo),
  async run({ graph, strict }, { flat = false }) {
    const infos: DeviceInfo[] = [];
    for (const node of graph.nodes.toReversed()) infos.push(await describeNode(node, flat, strict));
    return infos;
  },
});

function statsOf(stats: BackendStatistics | undefined, highest: number, nowNs: number): DeviceStats {
  const { read, write, flush, unmap } = stats ?? NOTHING_DONE;
  return {
    rd_bytes: read.bytes,
    wr_bytes: write.bytes,
    unmap_bytes: unmap.bytes,
    rd_operations: read.operations,
    wr_operations: write.operations,
    flush_operations: flush.operations,
    unmap_operations: unmap.operations,
    rd_total_time_ns: read.totalTimeNs,
    wr_total_time_ns: write.totalTimeNs,
    flush_total_time_ns: flush.totalTimeNs,
    unmap_total_time_ns: unmap.totalTimeNs,
    wr_highest_offset: highest,
    rd_merged: read.merged,
    wr_merged: write.merged,
    unmap_merged: unmap.merged,
    idle_time_ns: stats?.idleNs(nowNs),
    failed_rd_operations: read.failed,
    failed_wr_operations: write.failed,
    failed_flush_operations: flush.failed,
    failed_unmap_operations: unmap.failed,
    invalid_rd_operations: read.invalid,
    invalid_wr_operations: write.invalid,
    invalid_flush_operations: flush.invalid,
    invalid_unmap_operations: unmap.invalid,
    account_invalid: stats?.accountInvalid ?? false,
    account_failed: stats?.accountFailed ?? false,
    timed_stats: [],
    rd_latency_histogram: histogramOf(stats?.histograms.read),
    wr_latency_histogram: histogramOf(stats?.histograms.write),
    flush_latency_histogram: histogramOf(stats?.histograms.flush),
  };
}

function histogramOf(histogram: LatencyHistogram | undefined) {
  return histogram && { boundaries: histogram.boundariesNs, bins: histogram.bins };
}

const NONE = { bytes: 0, operations: 0, totalTimeNs: 0, merged: 0, failed: 0, invalid: 0 } as const;
const NOTHING_DONE = { read: NONE, write: NONE, flush: NONE, unmap: NONE } as const;

/** A node's own: requests are counted by drives, so that it knows how far it was written. */
function nodeStats(node: BlockNode, deep: boolean, nowNs: number): BlockStatsValue {
  const child = (role: string) => node.children.find((edge) => edge.role === role)?.node;
  const file = child("file") ?? child("filtered");
  const backing = child("backing");
  return {
    "node-name": node.name,
    stats: statsOf(undefined, node.writeHighestOffset, nowNs),
    ...(node.driver.name === "file" || node.driver.name === "host_device"
      ? { "driver-specific": { driver: node.driver.name, ...NO_DISCARDS } }
      : {}),
    ...(file === undefined ? {} : { parent: nodeStats(file, deep, nowNs) }),
    ...(backing === undefined || !deep ? {} : { backing: nodeStats(backing, deep, nowNs) }),
  };
}

const NO_DISCARDS = { "discard-nb-ok": 0, "discard-nb-failed": 0, "discard-bytes-ok": 0 } as const;

export const queryBlockstats = qmpCommand({
  name: "query-blockstats",
  summary: "Requests, bytes and times of each drive, or of each node.",
  data: struct({ "query-nodes": optional(bool) }),
  returns: list(blockStats),
  run({ graph, backends }, { "query-nodes": nodes = false }) {
    const nowNs = graph.clocks.realtime.nowNs();
    if (nodes) return graph.nodes.map((node) => nodeStats(node, false, nowNs));
    return visible(backends.list()).map((backend): BlockStatsValue => {
      const { device, node } = backend;
      const below = node === undefined ? {} : nodeStats(node, true, nowNs);
      return {
        ...below,
        device: backend.name,
        ...(device === undefined ? {} : { qdev: device.id || device.path }),
        stats: statsOf(backend.stats, node?.writeHighestOffset ?? 0, nowNs),
      };
    });
  },
});
