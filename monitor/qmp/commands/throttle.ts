/**
 * Limits on what drives may do.
 *
 * Source: qapi/block-core.json.
 *
 * @module
 */
import { type BlockBackend, limitsAnything, limitsOf } from "../../../block/mod.ts";
import { MonitorError } from "../../errors.ts";
import { int, optional, str, struct } from "../../schema/qapi/types.ts";
import { qmpCommand } from "../command.ts";
import { limitNumbers } from "../types/throttle.ts";
import { driveOf } from "./media.ts";

/** Numbers by the protocol's names. */
export type LimitValues = Readonly<Record<string, unknown>>;

/** Limits a drive as `values` say; all zeroes: no more. The drive stays in its group where none is named. */
export function setLimits(backend: BlockBackend, values: LimitValues, group: string | undefined): void {
  if (backend.node === undefined) throw new MonitorError("Device has no medium");
  const limits = limitsOf(limitNumbers(values));
  if (!limitsAnything(limits)) return backend.setThrottling(undefined);
  const { device, name } = backend;
  backend.setThrottling({
    group: group ?? backend.throttling?.group ?? (name || device?.id || device?.path || ""),
    limits,
  });
}

export const blockSetIoThrottle = qmpCommand({
  name: "block_set_io_throttle",
  summary: "Limits bytes and requests a second of a drive, or of its group.",
  data: struct({
    device: optional(str, ["deprecated"]),
    id: optional(str),
    bps: int,
    bps_rd: int,
    bps_wr: int,
    iops: int,
    iops_rd: int,
    iops_wr: int,
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
  }),
  run: (context, { device, id, group, ...values }) => setLimits(driveOf(context, device, id), values, group),
});
