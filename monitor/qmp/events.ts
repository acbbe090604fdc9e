/**
 * The events of a machine and of its disks.
 *
 * Source: qapi/run-state.json, qapi/block-core.json, qapi/block.json, qapi/qdev.json.
 *
 * @module
 */
import { bool, empty, int, oneOf, optional, str, struct, uint64 } from "../schema/qapi/types.ts";
import type { QmpEvent } from "./command.ts";
import { jobProgress, jobStatus, jobType } from "./types/jobs.ts";

const blockJob = { type: jobType, device: str, len: int, offset: int, speed: int };

const shutdownCause = oneOf(
  "none",
  "host-error",
  "host-qmp-quit",
  "host-qmp-system-reset",
  "host-signal",
  "host-ui",
  "guest-shutdown",
  "guest-reset",
  "guest-panic",
  "subsystem-reset",
  "snapshot-load",
);

/** All events, under their names. */
export const EVENTS: readonly QmpEvent[] = [
  { name: "SHUTDOWN", data: struct({ guest: bool, reason: shutdownCause }) },
  { name: "POWERDOWN", data: empty },
  { name: "RESET", data: struct({ guest: bool, reason: shutdownCause }) },
  { name: "STOP", data: empty },
  { name: "RESUME", data: empty },
  {
    name: "BLOCK_IO_ERROR",
    data: struct({
      device: str,
      "node-name": optional(str),
      operation: oneOf("read", "write"),
      action: oneOf("ignore", "report", "stop"),
      nospace: optional(bool),
      reason: str,
    }),
  },
  {
    name: "BLOCK_IMAGE_CORRUPTED",
    data: struct({
      device: str,
      "node-name": optional(str),
      msg: str,
      offset: optional(int),
      size: optional(int),
      fatal: bool,
    }),
  },
  { name: "JOB_STATUS_CHANGE", data: struct({ id: str, status: jobStatus }) },
  { name: "JOB_PROGRESS", data: jobProgress },
  { name: "BLOCK_JOB_COMPLETED", data: struct({ ...blockJob, error: optional(str) }) },
  { name: "BLOCK_JOB_CANCELLED", data: struct(blockJob) },
  { name: "BLOCK_JOB_READY", data: struct(blockJob) },
  { name: "BLOCK_JOB_PENDING", data: struct({ type: jobType, id: str }) },
  {
    name: "BLOCK_JOB_ERROR",
    data: struct({ device: str, operation: oneOf("read", "write"), action: oneOf("ignore", "report", "stop") }),
  },
  {
    name: "QUORUM_FAILURE",
    data: struct({ reference: str, "sector-num": int, "sectors-count": int }),
  },
  {
    name: "QUORUM_REPORT_BAD",
    data: struct({
      type: oneOf("read", "write", "flush"),
      error: optional(str),
      "node-name": str,
      "sector-num": int,
      "sectors-count": int,
    }),
  },
  {
    name: "BLOCK_WRITE_THRESHOLD",
    data: struct({ "node-name": str, "amount-exceeded": uint64, "write-threshold": uint64 }),
  },
  { name: "DEVICE_TRAY_MOVED", data: struct({ device: str, id: str, "tray-open": bool }) },
  { name: "DEVICE_DELETED", data: struct({ device: optional(str), path: str }) },
];
