/**
 * Trace events of the block device under QEMU's names. Where QEMU prints a pointer, the drive's name stands.
 *
 * @module
 */
import type { TraceEvent, TraceEvents } from "../../base/trace.ts";

interface TransferFields {
  readonly device: string;
  readonly sector: number;
  readonly sectors: number;
}

/** Every event. */
export interface BlkTraces {
  readonly blkHandleRead: TraceEvent<TransferFields>;
  readonly blkHandleWrite: TraceEvent<TransferFields>;
  readonly blkComplete: TraceEvent<{ readonly device: string; readonly request: string; readonly status: number }>;
  readonly blkMerged: TraceEvent<
    {
      readonly device: string;
      readonly requests: number;
      readonly at: number;
      readonly bytes: number;
      readonly kind: "read" | "write";
    }
  >;
}

/** Declares the events, or finds them. */
export function blkTraces(events: TraceEvents): BlkTraces {
  const transfer = ({ device, sector, sectors }: TransferFields) =>
    `vdev ${device} sector ${sector} nsectors ${sectors}`;
  return {
    blkHandleRead: events.declare("virtio_blk_handle_read", transfer),
    blkHandleWrite: events.declare("virtio_blk_handle_write", transfer),
    blkComplete: events.declare(
      "virtio_blk_req_complete",
      ({ device, request, status }) => `vdev ${device} req ${request} status ${status}`,
    ),
    blkMerged: events.declare(
      "virtio_blk_submit_multireq",
      ({ device, requests, at, bytes, kind }) =>
        `vdev ${device} num_reqs ${requests} offset ${at} size ${bytes} is_write ${kind === "write"}`,
    ),
  };
}
