/**
 * An image's description, as data and as `info block -v` and `qemu-img info` print it.
 *
 * @module
 */
import { formatSize } from "../../base/sizes.ts";
import { type BlockNode, qemuKeyOrder, resolveAgainst, type SnapshotInfo } from "../../block/mod.ts";
import { snapshotHeader, snapshotRow } from "./snapshots.ts";

/** One image: QEMU's ImageInfo. */
export interface ImageInfo {
  readonly filename: string;
  readonly format: string;
  readonly virtualSizeBytes: number;
  /** What the storage below really takes; `undefined` where it cannot be told. */
  readonly actualSizeBytes: number | undefined;
  readonly clusterSizeBytes: number | undefined;
  readonly encrypted: boolean;
  /** Whether it was left open by a crash; `undefined` where its driver tells nothing of its images. */
  readonly dirty: boolean | undefined;
  readonly backingFile: string | undefined;
  /** Where that is, if its name alone does not say. */
  readonly fullBackingFile: string | undefined;
  readonly backingFormat: string | undefined;
  readonly snapshots: readonly SnapshotInfo[];
  readonly specific: Readonly<Record<string, unknown>> | undefined;
}

/** Describes `node` by itself. */
export async function imageInfo(node: BlockNode): Promise<ImageInfo> {
  const { driver } = node;
  const details = await driver.info?.();
  const backingFile = details?.backingFile;
  return {
    filename: node.filename,
    format: driver.name,
    virtualSizeBytes: node.size,
    actualSizeBytes: await allocatedBytes(node),
    clusterSizeBytes: details?.clusterSizeBytes,
    encrypted: details?.encrypted ?? false,
    dirty: knowsDetails(node) ? details?.dirty ?? false : undefined,
    backingFile,
    fullBackingFile: fullName(node, backingFile),
    backingFormat: details?.backingFormat,
    snapshots: driver.snapshots?.list() ?? [],
    specific: details?.specific,
  };
}

/** What the header's name means, seen from here; `undefined` where that is the same. */
function fullName(node: BlockNode, backingFile: string | undefined): string | undefined {
  const place = node.child("file")?.exactFilename ?? "";
  if (backingFile === undefined || place === "") return undefined;
  const full = resolveAgainst(place, backingFile);
  return full === backingFile ? undefined : full;
}

/** Whether the driver, or what a `raw` one or a filter passes questions on to, tells anything of its images. */
function knowsDetails(node: BlockNode): boolean {
  const { driver } = node;
  if (driver.name === "raw") return node.children.some(({ role, node: file }) => role === "file" && knowsDetails(file));
  if (driver.filtered !== undefined) return knowsDetails(driver.filtered);
  return driver.info !== undefined || (node.kind === "protocol" && !driver.name.startsWith("null-"));
}

/** What a node's storage takes: its own, or that of the file below it. */
async function allocatedBytes(node: BlockNode): Promise<number | undefined> {
  if (node.driver.allocatedBytes !== undefined) return await node.driver.allocatedBytes();
  const file = node.children.find(({ role }) => role === "file" || role === "filtered")?.node;
  return file === undefined ? undefined : await allocatedBytes(file);
}

/** `node`, then the backing files below it. */
export function backingChain(node: BlockNode): BlockNode[] {
  const chain: BlockNode[] = [];
  for (let at: BlockNode | undefined = node; at !== undefined && !chain.includes(at);) {
    chain.push(at);
    at = at.children.find(({ role }) => role === "backing")?.node;
  }
  return chain;
}

/** The lines of one image, each with its newline. */
export function imageInfoText(info: ImageInfo): string {
  const actual = info.actualSizeBytes === undefined ? "unavailable" : formatSize(info.actualSizeBytes);
  let out = `image: ${info.filename}\nfile format: ${info.format}\n` +
    `virtual size: ${formatSize(info.virtualSizeBytes)} (${info.virtualSizeBytes} bytes)\ndisk size: ${actual}\n`;
  if (info.encrypted) out += "encrypted: yes\n";
  if (info.clusterSizeBytes !== undefined) out += `cluster_size: ${info.clusterSizeBytes}\n`;
  if (info.dirty) out += "cleanly shut down: no\n";
  if (info.backingFile !== undefined) {
    out += `backing file: ${info.backingFile}`;
    if (info.fullBackingFile !== undefined) out += ` (actual path: ${info.fullBackingFile})`;
    out += "\n";
    if (info.backingFormat !== undefined) out += `backing file format: ${info.backingFormat}\n`;
  }
  if (info.snapshots.length > 0) {
    out += `Snapshot list:\n${snapshotHeader()}${info.snapshots.map((one) => snapshotRow(one)).join("")}`;
  }
  if (info.specific !== undefined) out += `Format specific information:\n${specificLines(info.specific, 1).join("")}`;
  return out;
}

/** What a format knows of itself, one line an entry, in QEMU's order; nested values go in by four blanks. */
export function specificLines(values: Readonly<Record<string, unknown>>, depth: number): string[] {
  return qemuKeyOrder(Object.keys(values)).flatMap((key) => entryLines(key.replaceAll("-", " "), values[key], depth));
}

function entryLines(label: string, value: unknown, depth: number): string[] {
  if (value === undefined) return [];
  const indent = "    ".repeat(depth);
  if (Array.isArray(value)) {
    const items: readonly unknown[] = value;
    return [`${indent}${label}:\n`, ...items.flatMap((item, index) => entryLines(`[${index}]`, item, depth + 1))];
  }
  if (typeof value === "object" && value !== null) {
    return [`${indent}${label}:\n`, ...specificLines(value as Record<string, unknown>, depth + 1)];
  }
  return [`${indent}${label}: ${value}\n`];
}
