/** Drives and nodes as `query-block` and its kin tell them. Source: qapi/block-core.json. @module */
import {
  bool,
  int,
  list,
  newer,
  number,
  oneOf,
  optional,
  recursive,
  str,
  struct,
  type Type,
  union,
} from "../../schema/qapi/types.ts";
import { imageInfo } from "./images.ts";

const dirtyInfo = struct({
  name: optional(str),
  count: int,
  granularity: int,
  recording: bool,
  busy: bool,
  persistent: bool,
  inconsistent: optional(bool),
});

export const detectZeroes = oneOf("off", "on", "unmap");

/** QAPI's BlockDeviceInfo. */
export const deviceInfo = struct({
  file: str,
  "node-name": optional(str),
  active: newer(bool),
  ro: bool,
  drv: str,
  backing_file: optional(str),
  backing_file_depth: int,
  encrypted: bool,
  detect_zeroes: detectZeroes,
  bps: int,
  bps_rd: int,
  bps_wr: int,
  iops: int,
  iops_rd: int,
  iops_wr: int,
  image: imageInfo,
  bps_max: optional(int),
  bps_rd_max: optional(int),
  bps_wr_max: optional(int),
  iops_max: optional(int),
  iops_rd_max: optional(int),
  iops_wr_max: optional(int),
  bps_max_length: optional(int),
  bps_rd_max_length: optional(int),
  bps_wr_max_length: optional(int),
  iops_max_length: optional(int),
  iops_rd_max_length: optional(int),
  iops_wr_max_length: optional(int),
  iops_size: optional(int),
  group: optional(str),
  cache: struct({ writeback: bool, direct: bool, "no-flush": bool }),
  write_threshold: int,
  "dirty-bitmaps": optional(list(dirtyInfo)),
});

export const blockInfo = struct({
  device: str,
  qdev: optional(str),
  type: str,
  removable: bool,
  locked: bool,
  inserted: optional(deviceInfo),
  tray_open: optional(bool),
  "io-status": optional(oneOf("ok", "failed", "nospace")),
});

const timedStats = struct({
  interval_length: int,
  min_rd_latency_ns: int,
  max_rd_latency_ns: int,
  avg_rd_latency_ns: int,
  min_wr_latency_ns: int,
  max_wr_latency_ns: int,
  avg_wr_latency_ns: int,
  min_flush_latency_ns: int,
  max_flush_latency_ns: int,
  avg_flush_latency_ns: int,
  avg_rd_queue_depth: number,
  avg_wr_queue_depth: number,
});

const histogram = optional(struct({ boundaries: list(int), bins: list(int) }));

/** QAPI's BlockDeviceStats. */
export const deviceStats = struct({
  rd_bytes: int,
  wr_bytes: int,
  unmap_bytes: int,
  rd_operations: int,
  wr_operations: int,
  flush_operations: int,
  unmap_operations: int,
  rd_total_time_ns: int,
  wr_total_time_ns: int,
  flush_total_time_ns: int,
  unmap_total_time_ns: int,
  wr_highest_offset: int,
  rd_merged: int,
  wr_merged: int,
  unmap_merged: int,
  idle_time_ns: optional(int),
  failed_rd_operations: int,
  failed_wr_operations: int,
  failed_flush_operations: int,
  failed_unmap_operations: int,
  invalid_rd_operations: int,
  invalid_wr_operations: int,
  invalid_flush_operations: int,
  invalid_unmap_operations: int,
  account_invalid: bool,
  account_failed: bool,
  timed_stats: list(timedStats),
  rd_latency_histogram: histogram,
  wr_latency_histogram: histogram,
  flush_latency_histogram: histogram,
});

/** QEMU's drivers, by name. */
export const blockdevDriver = oneOf(
  "blkdebug",
  "blklogwrites",
  "blkreplay",
  "blkverify",
  "bochs",
  "cloop",
  "compress",
  "copy-before-write",
  "copy-on-read",
  "dmg",
  "file",
  "snapshot-access",
  "ftp",
  "ftps",
  "gluster",
  "host_cdrom",
  "host_device",
  "http",
  "https",
  "iscsi",
  "luks",
  "nbd",
  "nfs",
  "null-aio",
  "null-co",
  "nvme",
  "parallels",
  "preallocate",
  "qcow",
  "qcow2",
  "qed",
  "quorum",
  "raw",
  "rbd",
  "replication",
  "ssh",
  "throttle",
  "vdi",
  "vhdx",
  "vmdk",
  "vpc",
  "vvfat",
);

const fileStats = struct({ "discard-nb-ok": int, "discard-nb-failed": int, "discard-bytes-ok": int });
const nvmeStats = struct({ "completion-errors": int, "aligned-accesses": int, "unaligned-accesses": int });

/** QAPI's BlockStats, by the node or drive that they are of. */
export interface BlockStatsValue {
  readonly device?: string;
  readonly qdev?: string;
  readonly "node-name"?: string | undefined;
  readonly stats: NonNullable<typeof deviceStats.infer>;
  readonly "driver-specific"?: object | undefined;
  readonly parent?: BlockStatsValue | undefined;
  readonly backing?: BlockStatsValue | undefined;
}

export const blockStats = recursive<BlockStatsValue>((self: Type<BlockStatsValue>) =>
  struct({
    device: optional(str),
    qdev: optional(str),
    "node-name": optional(str),
    stats: deviceStats,
    "driver-specific": optional(
      union(struct({ driver: blockdevDriver }), "driver", {
        file: fileStats,
        host_device: fileStats,
        nvme: nvmeStats,
      }),
    ),
    parent: optional(self),
    backing: optional(self),
  })
);

const permission = oneOf("consistent-read", "write", "write-unchanged", "resize");

export const debugGraph = struct({
  nodes: list(struct({ id: int, type: oneOf("block-backend", "block-job", "block-driver"), name: str })),
  edges: list(
    struct({ parent: int, child: int, name: str, perm: list(permission), "shared-perm": list(permission) }),
  ),
});
