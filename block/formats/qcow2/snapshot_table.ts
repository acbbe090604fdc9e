/**
 * The snapshot table: records of variable length, read with their extra data and written back with it.
 *
 * Source: [QCOW2] "Snapshots".
 *
 * @module
 */
import { alignUp } from "../../../base/bits.ts";
import { MiB } from "../../../base/units.ts";
import { formatError } from "./failures.ts";
import { type Header, MAX_L1_BYTES, readUint64, writeUint64 } from "./header.ts";
import type { HostFile } from "./host_file.ts";
import { ENTRY_BYTES } from "./mapping.ts";

const RECORD_BYTES = 40;
/** What is written today: VM state size, disk size, icount. */
const EXTRA_BYTES = 24;
/** What version 3 asks for: VM state size and disk size. */
const REQUIRED_EXTRA_BYTES = 16;
const MAX_EXTRA_BYTES = 1024;
const MAX_TABLE_BYTES = 64 * MiB;

/** One snapshot as the table has it. */
export interface Snapshot {
  id: string;
  name: string;
  l1Offset: number;
  l1Entries: number;
  diskBytes: number;
  vmStateBytes: number;
  dateSeconds: number;
  dateNanoseconds: number;
  vmClockNs: number;
  /** -1 where it was not recorded. */
  icount: number;
  /** The record lacks what version 3 asks for; it is written back with it. */
  readonly incomplete?: boolean;
  /** Extra data beyond what is known here. */
  readonly unknownExtra: Uint8Array;
  /** The record as it was read, where it holds numbers that do not fit: then it is written back as it was. */
  readonly raw?: Uint8Array;
}

const utf8 = new TextEncoder();
const text = new TextDecoder();

/**
 * Reads the table that `header` points to.
 *
 * @returns the records, and how many bytes they take in the file
 * @throws {BlockError} of kind `format` for a table that is too big
 */
export async function readSnapshotTable(
  file: HostFile,
  header: Header,
): Promise<{ snapshots: Snapshot[]; bytes: number }> {
  const snapshots: Snapshot[] = [];
  let at = header.snapshotsOffset;
  for (let index = 0; index < header.snapshotCount; index++) {
    at = alignUp(at, 8);
    const fixed = await file.readBytes(at, RECORD_BYTES);
    const view = new DataView(fixed.buffer);
    const extraBytes = view.getUint32(36);
    const idBytes = view.getUint16(12);
    const nameBytes = view.getUint16(14);
    if (extraBytes > MAX_EXTRA_BYTES) {
      throw formatError(
        `Too much extra metadata in snapshot table entry ${index}\n` +
          "You can force-remove this extra metadata with qemu-img check -r all",
      );
    }
    const rest = await file.readBytes(at + RECORD_BYTES, extraBytes + idBytes + nameBytes);
    const decoded = decodeRecord(view, rest, extraBytes, idBytes, header.size);
    const incomplete = header.version >= 3 && extraBytes < REQUIRED_EXTRA_BYTES;
    const snapshot = incomplete ? { ...decoded, incomplete } : decoded;
    snapshots.push(fits(snapshot) ? snapshot : { ...snapshot, raw: join(fixed, rest) });
    at += RECORD_BYTES + rest.length;
    if (at - header.snapshotsOffset > MAX_TABLE_BYTES) {
      throw formatError(
        "Snapshot table is too big\n" +
          `You can force-remove all ${header.snapshotCount - index} overhanging snapshots with qemu-img check -r all`,
        "EFBIG",
      );
    }
  }
  return { snapshots, bytes: at - header.snapshotsOffset };
}

function decodeRecord(view: DataView, rest: Uint8Array, extraBytes: number, idBytes: number, size: number): Snapshot {
  const extra = new DataView(rest.buffer, rest.byteOffset, extraBytes);
  return {
    l1Offset: readUint64(view, 0),
    l1Entries: view.getUint32(8),
    dateSeconds: view.getUint32(16),
    dateNanoseconds: view.getUint32(20),
    vmClockNs: readUint64(view, 24),
    vmStateBytes: extraBytes >= 8 ? readUint64(extra, 0) : view.getUint32(32),
    diskBytes: extraBytes >= 16 ? readUint64(extra, 8) : size,
    icount: extraBytes >= 24 ? Number(extra.getBigInt64(16)) : -1,
    unknownExtra: rest.slice(Math.min(extraBytes, EXTRA_BYTES), extraBytes),
    id: name(rest.subarray(extraBytes, extraBytes + idBytes)),
    name: name(rest.subarray(extraBytes + idBytes)),
  };
}

/** A zero ends a name early. */
function name(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return text.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function fits(snapshot: Snapshot): boolean {
  const { vmStateBytes, diskBytes, vmClockNs, l1Offset, icount } = snapshot;
  return [vmStateBytes, diskBytes, vmClockNs, l1Offset, icount].every(Number.isSafeInteger);
}

function join(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

/** The table's bytes. */
export function encodeSnapshotTable(snapshots: readonly Snapshot[]): Uint8Array {
  const records = snapshots.map(encodeRecord);
  let length = 0;
  for (const record of records) length = alignUp(length, 8) + record.length;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const record of records) {
    at = alignUp(at, 8);
    bytes.set(record, at);
    at += record.length;
  }
  return bytes;
}

function encodeRecord(snapshot: Snapshot): Uint8Array {
  if (snapshot.raw !== undefined) return snapshot.raw;
  const id = utf8.encode(snapshot.id);
  const name = utf8.encode(snapshot.name);
  const extraBytes = EXTRA_BYTES + snapshot.unknownExtra.length;
  const bytes = new Uint8Array(RECORD_BYTES + extraBytes + id.length + name.length);
  const view = new DataView(bytes.buffer);
  writeUint64(view, 0, snapshot.l1Offset);
  view.setUint32(8, snapshot.l1Entries);
  view.setUint16(12, id.length);
  view.setUint16(14, name.length);
  view.setUint32(16, snapshot.dateSeconds);
  view.setUint32(20, snapshot.dateNanoseconds);
  writeUint64(view, 24, snapshot.vmClockNs);
  // A reader that knows no 64-bit size must not take a part of the state for the whole.
  view.setUint32(32, snapshot.vmStateBytes <= 0xffff_ffff ? snapshot.vmStateBytes : 0);
  view.setUint32(36, extraBytes);
  writeUint64(view, 40, snapshot.vmStateBytes);
  writeUint64(view, 48, snapshot.diskBytes);
  view.setBigInt64(56, BigInt(snapshot.icount));
  bytes.set(snapshot.unknownExtra, RECORD_BYTES + EXTRA_BYTES);
  bytes.set(id, RECORD_BYTES + extraBytes);
  bytes.set(name, RECORD_BYTES + extraBytes + id.length);
  return bytes;
}

/** Whether a snapshot's L1 table may be read: aligned and not absurdly long. */
export function snapshotL1Problem(snapshot: Snapshot, clusterSize: number): string | undefined {
  if (snapshot.l1Entries * ENTRY_BYTES > MAX_L1_BYTES) return "Snapshot L1 table too large";
  const aligned = Number.isSafeInteger(snapshot.l1Offset) && snapshot.l1Offset % clusterSize === 0;
  return aligned ? undefined : "Snapshot L1 table offset invalid";
}
