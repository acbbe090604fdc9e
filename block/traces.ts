/**
 * The block layer's trace events, under QEMU's names; nodes and backends stand where QEMU prints pointers.
 *
 * @module
 */
import { type TraceEvent, TraceEvents } from "../base/trace.ts";

/** A request at a node. */
export interface NodeRequestFields {
  readonly node: string;
  readonly at: number;
  readonly length: number;
}

/** A request at a backend. */
export interface BackendRequestFields extends NodeRequestFields {
  readonly backend: string;
}

function nodeText(fields: NodeRequestFields): string {
  return `bs ${fields.node} offset ${fields.at} bytes ${fields.length} flags 0x0`;
}

function backendText(fields: BackendRequestFields): string {
  return `blk ${fields.backend} bs ${fields.node} offset ${fields.at} bytes ${fields.length} flags 0x0`;
}

/** The events that nodes emit. */
export class NodeTraces {
  readonly read: TraceEvent<NodeRequestFields>;
  readonly write: TraceEvent<NodeRequestFields>;
  readonly writeZeroes: TraceEvent<NodeRequestFields>;
  readonly blkRead: TraceEvent<BackendRequestFields>;
  readonly blkWrite: TraceEvent<BackendRequestFields>;
  readonly open: TraceEvent<{ node: string; filename: string; format: string }>;

  constructor(events: TraceEvents) {
    this.open = events.declare(
      "bdrv_open_common",
      ({ node, filename, format }) => `bs ${node} filename "${filename}" flags 0x0 format_name "${format}"`,
    );
    this.read = events.declare("bdrv_co_preadv_part", nodeText);
    this.write = events.declare("bdrv_co_pwritev_part", nodeText);
    this.writeZeroes = events.declare("bdrv_co_pwrite_zeroes", nodeText);
    this.blkRead = events.declare("blk_co_preadv", backendText);
    this.blkWrite = events.declare("blk_co_pwritev", backendText);
  }

  /** Events that nobody can switch on: for a node outside a machine. */
  static none(): NodeTraces {
    return new NodeTraces(new TraceEvents());
  }
}
