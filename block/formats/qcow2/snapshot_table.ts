/**
 * The snapshot table: records of variable length, read with their extra data and written back with it.
 *
 * Source: [QCOW2] "Snapshots".
 *
 * @module
 */
import { concatBytes } from "../../../base/bytes.ts";
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
export const REQUIRED_EXTRA_BYTES = 16;
const MAX_EXTRA_BYTES = 1024;
const MAX_TABLE_BYTES = 64 * MiB;
/** How far records may reach that have too much extra data. */
const MAX_READ_BYTES = 2 ** 31 - 1;

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
  /** How much extra data the record had when it was read; absent for a new one. */
  readonly extraBytes?: number;
  /** Id and name as they were read, where those bytes are no text. */
  readonly bytes?: { readonly id: Uint8Array; readonly name: Uint8Array };
  /** Extra data beyond what is known here. */
  readonly unknownExtra: Uint8Array;
  /** The record as it was read, where it holds numbers that do not fit: then these are written back as they were. */
  readonly raw?: Uint8Array;
}

const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { ignoreBOM: true });

/** What is cut off where a table is read to be mended, instead of refusing it. */
export interface TableRepair {
  say(line: string): void;
  /** Records that the table has no room for. */
  recordsCut: number;
  /** Records with too much extra data. */
  extraCut: number;
}

/**
 * Reads the table that `header` points to; with `repair`, what is too long is cut off.
 *
 * @returns the records, and how many bytes they take in the file
 * @throws {BlockError} of kind `format` for a table that is too big
 */
export async function readSnapshotTable(
  file: HostFile,
  header: Header,
  repair?: TableRepair,
): Promise<{ snapshots: Snapshot[]; bytes: number }> {
  const snapshots: Snapshot[] = [];
  let at = header.snapshotsOffset;
  // As it will be when it is written again.
  let length = 0;
  for (let index = 0; index < header.snapshotCount; index++) {
    const before = at;
    at = alignUp(at, 8);
    const fixed = await file.readBytes(at, RECORD_BYTES);
    const view = new DataView(fixed.buffer);
    const extraBytes = view.getUint32(36);
    const idBytes = view.getUint16(12);
    const nameBytes = view.getUint16(14);
    if (extraBytes > MAX_EXTRA_BYTES) {
      if (repair === undefined) {
        throw formatError(
          `Too much extra metadata in snapshot table entry ${index}\n` +
            "You can force-remove this extra metadata with qemu-img check -r all",
          "EFBIG",
        );
      }
      repair.extraCut++;
      const sizes = `(${extraBytes} > ${MAX_EXTRA_BYTES})`;
      repair.say(`Discarding too much extra metadata in snapshot table entry ${index} ${sizes}`);
    }
    const snapshot = await readRecord(file, header, { at, fixed, idBytes, nameBytes, extraBytes });
    snapshots.push(snapshot);
    at += RECORD_BYTES + extraBytes + idBytes + nameBytes;
    const kept = Math.max(EXTRA_BYTES, Math.min(extraBytes, MAX_EXTRA_BYTES));
    length = alignUp(length, 8) + RECORD_BYTES + kept + idBytes + nameBytes;
    if (length > MAX_TABLE_BYTES || at - header.snapshotsOffset > MAX_READ_BYTES) {
      if (repair !== undefined) {
        const over = header.snapshotCount - index;
        repair.say(`Discarding ${over} overhanging snapshots (snapshot table is too big)`);
        repair.recordsCut += over;
        snapshots.pop();
        at = before;
        break;
      }
      throw formatError(
        "Snapshot table is too big\n" +
          `You can force-remove all ${header.snapshotCount - index} overhanging snapshots with qemu-img check -r all`,
        "EFBIG",
      );
    }
  }
  return { snapshots, bytes: at - header.snapshotsOffset };
}

/** What follows the fixed part: extra data as far as it is kept, id and name. */
async function readRecord(
  file: HostFile,
  header: Header,
  record: {
    readonly at: number;
    readonly fixed: Uint8Array<ArrayBuffer>;
    readonly idBytes: number;
    readonly nameBytes: number;
    readonly extraBytes: number;
  },
): Promise<Snapshot> {
  const { at, fixed, idBytes, nameBytes, extraBytes } = record;
  const kept = Math.min(extraBytes, MAX_EXTRA_BYTES);
  const extra = await file.readBytes(at + RECORD_BYTES, kept);
  const names = await file.readBytes(at + RECORD_BYTES + extraBytes, idBytes + nameBytes);
  const rest = concatBytes([extra, names]);
  const snapshot = { ...decodeRecord(new DataView(fixed.buffer), rest, kept, idBytes, header.size), extraBytes };
  if (fits(snapshot)) return snapshot;
  const raw = concatBytes([fixed, rest]);
  new DataView(raw.buffer).setUint32(36, kept);
  return { ...snapshot, raw };
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
    ...names(untilNul(rest.subarray(extraBytes, extraBytes + idBytes)), untilNul(rest.subarray(extraBytes + idBytes))),
  };
}

function names(idBytes: Uint8Array, nameBytes: Uint8Array): Pick<Snapshot, "id" | "name" | "bytes"> {
  const [id, name] = [text.decode(idBytes), text.decode(nameBytes)];
  const isText = utf8.encode(id).length === idBytes.length && utf8.encode(name).length === nameBytes.length;
  return isText ? { id, name } : { id, name, bytes: { id: idBytes, name: nameBytes } };
}

/** A zero ends a name early. */
function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function fits(snapshot: Snapshot): boolean {
  const { vmStateBytes, diskBytes, vmClockNs, l1Offset, icount } = snapshot;
  return [vmStateBytes, diskBytes, vmClockNs, l1Offset, icount].every(Number.isSafeInteger);
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
  const id = snapshot.bytes?.id ?? utf8.encode(snapshot.id);
  const name = snapshot.bytes?.name ?? utf8.encode(snapshot.name);
  const extraBytes = EXTRA_BYTES + snapshot.unknownExtra.length;
  const bytes = new Uint8Array(RECORD_BYTES + extraBytes + id.length + name.length);
  const view = new DataView(bytes.buffer);
  writeUint64(view, 0, safe(snapshot.l1Offset));
  view.setUint32(8, snapshot.l1Entries);
  view.setUint16(12, id.length);
  view.setUint16(14, name.length);
  view.setUint32(16, snapshot.dateSeconds);
  view.setUint32(20, snapshot.dateNanoseconds);
  writeUint64(view, 24, safe(snapshot.vmClockNs));
  // A reader that knows no 64-bit size must not take a part of the state for the whole.
  view.setUint32(32, snapshot.vmStateBytes <= 0xffff_ffff ? snapshot.vmStateBytes : 0);
  view.setUint32(36, extraBytes);
  writeUint64(view, 40, safe(snapshot.vmStateBytes));
  writeUint64(view, 48, safe(snapshot.diskBytes));
  view.setBigInt64(56, BigInt(safe(snapshot.icount)));
  bytes.set(snapshot.unknownExtra, RECORD_BYTES + EXTRA_BYTES);
  bytes.set(id, RECORD_BYTES + extraBytes);
  bytes.set(name, RECORD_BYTES + extraBytes + id.length);
  if (snapshot.raw !== undefined) keepNumbers(bytes, snapshot.raw);
  return bytes;
}

function safe(value: number): number {
  return Number.isSafeInteger(value) ? value : 0;
}

/** Takes over the 64-bit fields of a record that was read: those of the fixed part, and what it had of extra data. */
function keepNumbers(bytes: Uint8Array, raw: Uint8Array): void {
  const known = Math.min(EXTRA_BYTES, new DataView(raw.buffer, raw.byteOffset).getUint32(36));
  for (const at of [0, 24]) bytes.set(raw.subarray(at, at + 8), at);
  for (let at = 0; at + 8 <= known; at += 8) {
    bytes.set(raw.subarray(RECORD_BYTES + at, RECORD_BYTES + at + 8), RECORD_BYTES + at);
  }
}

/** Where a snapshot's L1 table is said to be, with bits that a double has no room for. */
export function exactL1Offset({ raw, l1Offset }: Snapshot): bigint {
  return raw === undefined ? BigInt(l1Offset) : new DataView(raw.buffer, raw.byteOffset).getBigUint64(0);
}

/** Whether a snapshot's L1 table may be read: aligned and not absurdly long. */
export function snapshotL1Problem(snapshot: Snapshot, clusterSize: number): string | undefined {
  if (snapshot.l1Entries * ENTRY_BYTES > MAX_L1_BYTES) return "Snapshot L1 table too large";
  const aligned = Number.isSafeInteger(snapshot.l1Offset) && snapshot.l1Offset % clusterSize === 0;
  return aligned ? undefined : "Snapshot L1 table offset invalid";
}
