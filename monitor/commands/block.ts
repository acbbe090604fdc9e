/**
 * What drives and nodes there are: `info block`, `info blockstats`, and their size.
 *
 * @module
 */
import {
  ALL_PERMISSIONS,
  BlockBackend,
  type BlockNode,
  Permission,
  type RateName,
  visibleNode,
} from "../../block/mod.ts";
import type { MonitorContext } from "../context.ts";
import { MonitorError } from "../errors.ts";
import { backingChain, type ImageInfo, imageInfo, imageInfoText } from "../format/image_info.ts";
import { arg } from "../schema/arguments.ts";
import { command, type HmpOutput } from "../schema/command.ts";

/** A medium, or a node by itself: QEMU's BlockDeviceInfo. */
export interface InsertedInfo {
  readonly nodeName: string;
  readonly file: string;
  readonly driver: string;
  readonly readOnly: boolean;
  readonly cache: { readonly writeback: boolean; readonly direct: boolean; readonly noFlush: boolean };
  readonly encrypted: boolean;
  readonly backingFile: string | undefined;
  readonly backingFileDepth: number;
  readonly detectZeroes: "off" | "on" | "unmap";
  /** The limits of the drive's group; `undefined` for none. */
  readonly throttling: BlockBackend["throttling"];
  /** This image, then those behind it; only where asked for. */
  readonly images: readonly ImageInfo[];
}

/** A drive: QEMU's BlockInfo. */
export interface BlockInfo {
  /** The drive's name; empty for one that only its device knows. */
  readonly device: string;
  /** The device's id or path; `undefined` where no device has the drive. */
  readonly qdev: string | undefined;
  readonly removable: boolean;
  readonly locked: boolean;
  readonly trayOpen: boolean;
  readonly ioStatus: "ok" | "failed" | "nospace";
  readonly inserted: InsertedInfo | undefined;
}

/** What `info block` answers. */
export interface BlockList {
  readonly devices: readonly BlockInfo[];
  readonly nodes: readonly InsertedInfo[];
}

/** A drive as data. */
export async function describeDrive(backend: BlockBackend, verbose: boolean): Promise<BlockInfo> {
  const { device } = backend;
  const node = backend.node && visibleNode(backend.node);
  return {
    device: backend.name,
    qdev: device === undefined ? undefined : device.id || device.path,
    removable: device === undefined || (device.removable ?? false),
    locked: device?.isMediumLocked() ?? false,
    trayOpen: backend.isTrayOpen,
    ioStatus: backend.ioStatus,
    inserted: node === undefined ? undefined : {
      ...await describeNode(node, verbose, backend.writeCacheEnabled),
      throttling: backend.throttling,
    },
  };
}

/** A node as data. */
export async function describeNode(node: BlockNode, verbose: boolean, writeback = true): Promise<InsertedInfo> {
  const chain = backingChain(node);
  const images: ImageInfo[] = [];
  if (verbose) { for (const image of chain) images.push(await imageInfo(image)); }
  const backing = chain[1];
  return {
    nodeName: node.name,
    file: node.filename,
    driver: node.driver.name,
    readOnly: node.readOnly,
    encrypted: (await node.driver.info?.())?.encrypted ?? false,
    cache: { writeback, direct: node.cacheDirect, noFlush: node.cacheNoFlush },
    backingFile: backing?.filename,
    backingFileDepth: chain.length - 1,
    detectZeroes: node.detectZeroes,
    throttling: undefined,
    images,
  };
}

/** Drives that somebody can see: those with a name or a device. */
export function visibleDrives(context: MonitorContext): BlockBackend[] {
  return context.machine.backends.list().filter(({ name, device }) => name !== "" || device !== undefined);
}

/** A drive by name. @throws MonitorError `Device 'x' not found` */
export function driveNamed(context: MonitorContext, name: string): BlockBackend {
  const backend = context.machine.backends.find(name);
  if (backend === undefined) throw new MonitorError(`Device '${name}' not found`, { class: "DeviceNotFound" });
  return backend;
}

export const infoBlock = command({
  name: "query-block",
  summary: "Drives with their media, or named nodes.",
  arguments: { nodes: arg.flag("n"), verbose: arg.flag("v"), device: arg.optional(arg.device()) },
  async run(context, { nodes = false, verbose = false, device }): Promise<BlockList> {
    const devices: BlockInfo[] = [];
    if (!nodes) { for (const backend of visibleDrives(context)) devices.push(await describeDrive(backend, verbose)); }
    const wantNodes = nodes || (device !== undefined && !devices.some((one) => one.device === device));
    const named: InsertedInfo[] = [];
    if (wantNodes) {
      for (const node of context.machine.graph.nodes.toReversed()) named.push(await describeNode(node, verbose));
    }
    return { devices, nodes: named };
  },
  hmp: {
    names: "block",
    group: "info",
    parameters: "[-n] [-v] [device]",
    help: "show info of one block device or all block devices (-n: show named nodes; -v: show details)",
    print: printBlockList,
  },
});

function printBlockList(output: HmpOutput, list: BlockList, values: { device?: string | undefined }): void {
  const { device } = values;
  list.devices.forEach((info, index) => {
    if (device !== undefined && info.device !== device) return;
    output.print((index > 0 ? "\n" : "") + blockText(info, info.inserted));
  });
  list.nodes.forEach((node, index) => {
    if (device !== undefined && node.nodeName !== device) return;
    output.print((index > 0 ? "\n" : "") + blockText(undefined, node));
  });
}

function blockText(info: BlockInfo | undefined, inserted: InsertedInfo | undefined): string {
  let out: string;
  if (info !== undefined && info.device !== "") {
    out = info.device + (inserted === undefined ? "" : ` (${inserted.nodeName})`);
  } else out = inserted?.nodeName ?? info?.qdev ?? "<anonymous>";
  out += inserted === undefined
    ? ": [not inserted]\n"
    : `: ${inserted.file} (${inserted.driver}${flagsText(inserted)})\n`;
  if (info !== undefined) {
    if (info.qdev !== undefined) out += `    Attached to:      ${info.qdev}\n`;
    if (info.ioStatus !== "ok") out += `    I/O status:       ${info.ioStatus}\n`;
    if (info.removable) {
      out += `    Removable device: ${info.locked ? "" : "not "}locked, tray ${info.trayOpen ? "open" : "closed"}\n`;
    }
  }
  return inserted === undefined ? out : out + insertedText(inserted);
}

function flagsText({ readOnly, encrypted }: InsertedInfo): string {
  return (readOnly ? ", read-only" : "") + (encrypted ? ", encrypted" : "");
}

function insertedText(
  { cache, backingFile, backingFileDepth, detectZeroes, throttling, images }: InsertedInfo,
): string {
  let out = `    Cache mode:       ${cache.writeback ? "writeback" : "writethrough"}${cache.direct ? ", direct" : ""}${
    cache.noFlush ? ", ignore flushes" : ""
  }\n`;
  if (backingFile !== undefined) out += `    Backing file:     ${backingFile} (chain depth: ${backingFileDepth})\n`;
  if (detectZeroes !== "off") out += `    Detect zeroes:    ${detectZeroes}\n`;
  if (throttling !== undefined) out += throttlingText(throttling);
  if (images.length > 0) out += `\nImages:\n${images.map(imageInfoText).join("")}`;
  return out;
}

function throttlingText({ group, limits }: NonNullable<BlockBackend["throttling"]>): string {
  const rates = ["bps", "iops"].flatMap((unit) => {
    const of = (part: string) => limits[`${unit}-${part}` as RateName];
    const row = (suffix: string, key: "average" | "maximum") =>
      `${unit}${suffix}=${of("total")[key]} ${unit}_rd${suffix}=${of("read")[key]} ${unit}_wr${suffix}=${
        of("write")[key]
      }`;
    return [row("", "average"), row("_max", "maximum")];
  });
  return `    I/O throttling:   ${rates.join(" ")} iops_size=${limits["iops-size"]} group=${group}\n`;
}

/** Counters of one drive; times in nanoseconds. */
export interface BlockStats {
  readonly device: string;
  readonly readBytes: number;
  readonly writeBytes: number;
  readonly readOperations: number;
  readonly writeOperations: number;
  readonly flushOperations: number;
  readonly writeTotalTimeNs: number;
  readonly readTotalTimeNs: number;
  readonly flushTotalTimeNs: number;
  readonly readMerged: number;
  readonly writeMerged: number;
  readonly idleTimeNs: number;
}

export const infoBlockstats = command({
  name: "query-blockstats",
  summary: "Requests, bytes and times of each drive.",
  arguments: {},
  run(context): BlockStats[] {
    return visibleDrives(context).map(({ name, stats, graph }) => ({
      device: name,
      readBytes: stats.read.bytes,
      writeBytes: stats.write.bytes,
      readOperations: stats.read.operations,
      writeOperations: stats.write.operations,
      flushOperations: stats.flush.operations,
      writeTotalTimeNs: stats.write.totalTimeNs,
      readTotalTimeNs: stats.read.totalTimeNs,
      flushTotalTimeNs: stats.flush.totalTimeNs,
      readMerged: stats.read.merged,
      writeMerged: stats.write.merged,
      idleTimeNs: stats.lastAccessNs === undefined ? 0 : graph.clocks.realtime.nowNs() - stats.lastAccessNs,
    }));
  },
  hmp: {
    names: "blockstats",
    group: "info",
    parameters: "",
    help: "show block device statistics",
    print: (output, list) => {
      for (const row of list) output.print(statsLine(row));
    },
  },
});

function statsLine(row: BlockStats): string {
  return `${row.device}: rd_bytes=${row.readBytes} wr_bytes=${row.writeBytes} rd_operations=${row.readOperations} ` +
    `wr_operations=${row.writeOperations} flush_operations=${row.flushOperations} ` +
    `wr_total_time_ns=${row.writeTotalTimeNs} rd_total_time_ns=${row.readTotalTimeNs} ` +
    `flush_total_time_ns=${row.flushTotalTimeNs} rd_merged=${row.readMerged} wr_merged=${row.writeMerged} ` +
    `idle_time_ns=${row.idleTimeNs}\n`;
}

export const blockResize = command({
  name: "block_resize",
  summary: "Changes the size of a drive's image.",
  arguments: { device: arg.device(), size: arg.sizeBytes() },
  async run(context, { device, size }): Promise<void> {
    const backend = context.machine.backends.find(device);
    if (backend === undefined) throw new MonitorError(`Cannot find device='${device}' nor node-name=''`);
    const { node } = backend;
    if (node === undefined) throw new MonitorError(`Device '${device}' has no medium`);
    if (context.machine.graph.jobs.list().some((job) => job.blocks(visibleNode(node)))) {
      throw new MonitorError(`Device '${device}' is in use`);
    }
    if ((node.inactive ?? node).readOnly) throw new MonitorError("Image is read-only");
    // A user of its own, so that whoever else has the node is asked.
    const { graph } = context.machine;
    await using resizer = new BlockBackend({ graph, used: Permission.resize, shared: ALL_PERMISSIONS });
    await resizer.insertMedium(node);
    await node.drainedBegin();
    try {
      await node.truncate(size);
    } finally {
      node.drainedEnd();
    }
  },
  hmp: { names: "block_resize", parameters: "device size", help: "resize a block image" },
});
