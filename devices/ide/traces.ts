/**
 * Trace events of the IDE controller under QEMU's names. Where QEMU prints a pointer, the bus's or drive's name stands.
 *
 * @module
 */
import type { TraceEvent, TraceEvents } from "../../base/trace.ts";

interface PortFields {
  readonly port: number;
  readonly register: string;
  readonly value: number;
  readonly bus: string;
  readonly drive: string;
}

interface DataFields {
  readonly port: number;
  readonly value: number;
  readonly bus: string;
  readonly drive: string;
}

/** Every event of a channel and its drives. */
export interface IdeTraces {
  readonly portRead: TraceEvent<PortFields>;
  readonly portWrite: TraceEvent<PortFields>;
  readonly statusRead: TraceEvent<DataFields>;
  readonly controlWrite: TraceEvent<{ readonly port: number; readonly value: number; readonly bus: string }>;
  readonly dataReadW: TraceEvent<DataFields>;
  readonly dataWriteW: TraceEvent<DataFields>;
  readonly dataReadL: TraceEvent<DataFields>;
  readonly dataWriteL: TraceEvent<DataFields>;
  readonly execCommand: TraceEvent<
    { readonly bus: string; readonly drive: string; readonly code: number; readonly name: string }
  >;
  readonly sectorRead: TraceEvent<{ readonly lba: number; readonly sectors: number }>;
  readonly sectorWrite: TraceEvent<{ readonly lba: number; readonly sectors: number }>;
  readonly dma: TraceEvent<
    { readonly drive: string; readonly lba: number; readonly sectors: number; readonly name: string }
  >;
  readonly reset: TraceEvent<{ readonly drive: string }>;
  readonly cancel: TraceEvent<object>;
  readonly busReset: TraceEvent<object>;
  readonly atapiCommand: TraceEvent<{ readonly drive: string; readonly code: number; readonly name: string }>;
  readonly atapiPacket: TraceEvent<{ readonly drive: string; readonly limit: number; readonly packet: Uint8Array }>;
  readonly atapiRead: TraceEvent<
    { readonly drive: string; readonly method: "pio" | "dma"; readonly lba: number; readonly sectors: number }
  >;
  readonly atapiError: TraceEvent<{ readonly drive: string; readonly key: number; readonly asc: number }>;
  readonly atapiReply: TraceEvent<{ readonly drive: string; readonly left: number; readonly done: number }>;
  readonly atapiReplyNew: TraceEvent<{ readonly drive: string; readonly status: number }>;
  readonly atapiReplyLimit: TraceEvent<{ readonly drive: string; readonly limit: number }>;
  readonly atapiReplyEnd: TraceEvent<{ readonly drive: string; readonly status: number }>;
  readonly atapiCheckStatus: TraceEvent<{ readonly drive: string }>;
  readonly atapiReadDma: TraceEvent<{ readonly drive: string; readonly lba: number; readonly sectors: number }>;
}

/** Every event of a bus master. */
export interface BusMasterTraces {
  readonly reset: TraceEvent<object>;
  readonly read: TraceEvent<{ readonly register: number; readonly value: number }>;
  readonly write: TraceEvent<{ readonly register: number; readonly value: number }>;
  readonly command: TraceEvent<{ readonly value: number }>;
  readonly tableRead: TraceEvent<{ readonly value: number }>;
  readonly tableWrite: TraceEvent<{ readonly value: number }>;
}

function hex(value: number, width: number): string {
  return `0x${value.toString(16).padStart(width, "0")}`;
}

function data(traces: TraceEvents, name: string, direction: string, width: "Word" | "Long"): TraceEvent<DataFields> {
  return traces.declare<DataFields>(
    name,
    ({ port, value, bus, drive }) =>
      `IDE PIO ${direction} @ 0x${port.toString(16)} (Data: ${width}); val ${hex(value, width === "Word" ? 4 : 8)}; ` +
      `bus ${bus}; IDEState ${drive}`,
  );
}

function port(traces: TraceEvents, name: string, direction: string): TraceEvent<PortFields> {
  return traces.declare<PortFields>(
    name,
    ({ port, register, value, bus, drive }) =>
      `IDE PIO ${direction} @ 0x${port.toString(16)} (${register}); val ${hex(value, 2)}; bus ${bus} IDEState ${drive}`,
  );
}

/** Declares all events of a channel, in QEMU's order. */
export function ideTraces(traces: TraceEvents): IdeTraces {
  return {
    portRead: port(traces, "ide_ioport_read", "rd"),
    portWrite: port(traces, "ide_ioport_write", "wr"),
    statusRead: traces.declare(
      "ide_status_read",
      ({ port, value, bus, drive }) =>
        `IDE PIO rd @ 0x${port.toString(16)} (Alt Status); val ${hex(value, 2)}; bus ${bus}; IDEState ${drive}`,
    ),
    controlWrite: traces.declare(
      "ide_ctrl_write",
      ({ port, value, bus }) =>
        `IDE PIO wr @ 0x${port.toString(16)} (Device Control); val ${hex(value, 2)}; bus ${bus}`,
    ),
    dataReadW: data(traces, "ide_data_readw", "rd", "Word"),
    dataWriteW: data(traces, "ide_data_writew", "wr", "Word"),
    dataReadL: data(traces, "ide_data_readl", "rd", "Long"),
    dataWriteL: data(traces, "ide_data_writel", "wr", "Long"),
    execCommand: traces.declare(
      "ide_exec_cmd",
      ({ bus, drive, code, name }) => `IDE exec cmd: bus ${bus}; state ${drive}; cmd ${hex(code, 2)} (${name})`,
    ),
    cancel: traces.declare("ide_cancel_dma_sync_remaining", () => "draining all remaining requests"),
    sectorRead: traces.declare("ide_sector_read", ({ lba, sectors }) => `sector=${lba} nsectors=${sectors}`),
    sectorWrite: traces.declare("ide_sector_write", ({ lba, sectors }) => `sector=${lba} nsectors=${sectors}`),
    reset: traces.declare("ide_reset", ({ drive }) => `IDEstate ${drive}`),
    busReset: traces.declare("ide_bus_reset_aio", () => "aio_cancel"),
    dma: traces.declare(
      "ide_dma_cb",
      ({ drive, lba, sectors, name }) => `IDEState ${drive}; sector_num=${lba} n=${sectors} cmd=${name}`,
    ),
    ...atapiTraces(traces),
  };
}

function atapiTraces(traces: TraceEvents) {
  return {
    atapiError: traces.declare<{ drive: string; key: number; asc: number }>(
      "ide_atapi_cmd_error",
      ({ drive, key, asc }) => `IDEState: ${drive}; sense=0x${key.toString(16)} asc=0x${asc.toString(16)}`,
    ),
    atapiReply: traces.declare<{ drive: string; left: number; done: number }>(
      "ide_atapi_cmd_reply_end",
      ({ drive, left, done }) => `IDEState ${drive}; reply: tx_size=${left} elem_tx_size=0 index=${done}`,
    ),
    atapiReplyEnd: traces.declare<{ drive: string; status: number }>(
      "ide_atapi_cmd_reply_end_eot",
      ({ drive, status }) => `IDEState: ${drive}; end of transfer, status=0x${status.toString(16)}`,
    ),
    atapiReplyLimit: traces.declare<{ drive: string; limit: number }>(
      "ide_atapi_cmd_reply_end_bcl",
      ({ drive, limit }) => `IDEState: ${drive}; byte_count_limit=${limit}`,
    ),
    atapiReplyNew: traces.declare<{ drive: string; status: number }>(
      "ide_atapi_cmd_reply_end_new",
      ({ drive, status }) => `IDEState: ${drive}; new transfer started, status=0x${status.toString(16)}`,
    ),
    atapiCheckStatus: traces.declare<{ drive: string }>(
      "ide_atapi_cmd_check_status",
      ({ drive }) => `IDEState: ${drive}`,
    ),
    atapiRead: traces.declare<{ drive: string; method: "pio" | "dma"; lba: number; sectors: number }>(
      "ide_atapi_cmd_read",
      ({ drive, method, lba, sectors }) => `IDEState: ${drive}; read ${method}: LBA=${lba} nb_sectors=${sectors}`,
    ),
    atapiCommand: traces.declare<{ drive: string; code: number; name: string }>(
      "ide_atapi_cmd",
      ({ drive, code, name }) => `IDEState: ${drive}; cmd: ${hex(code, 2)} (${name})`,
    ),
    atapiReadDma: traces.declare<{ drive: string; lba: number; sectors: number }>(
      "ide_atapi_cmd_read_dma_cb_aio",
      ({ drive, lba, sectors }) => `IDEState: ${drive}; aio read: lba=${lba} n=${sectors}`,
    ),
    atapiPacket: traces.declare<{ drive: string; limit: number; packet: Uint8Array }>(
      "ide_atapi_cmd_packet",
      ({ drive, limit, packet }) =>
        `IDEState: ${drive}; limit=0x${limit.toString(16)} packet: ` +
        Array.from(packet, (byte) => byte.toString(16).padStart(2, "0") + " ").join(""),
    ),
  };
}

/** Declares all events of a bus master. */
export function busMasterTraces(traces: TraceEvents): BusMasterTraces {
  return {
    reset: traces.declare("bmdma_reset", () => ""),
    command: traces.declare("bmdma_cmd_writeb", ({ value }) => `val: ${hex(value, 8)}`),
    tableRead: traces.declare("bmdma_addr_read", ({ value }) => `data: ${hex(value, 16)}`),
    tableWrite: traces.declare("bmdma_addr_write", ({ value }) => `data: ${hex(value, 16)}`),
    read: traces.declare("bmdma_read", ({ register, value }) => `bmdma: readb 0x${register} : ${hex(value, 2)}`),
    write: traces.declare("bmdma_write", ({ register, value }) => `bmdma: writeb 0x${register} : ${hex(value, 2)}`),
  };
}
