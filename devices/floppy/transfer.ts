/**
 * A command that moves data: where it is on the disk, what is left, and the bytes that are under way.
 *
 * Sectors of a track are loaded and stored in one request. The state is plain, so that a snapshot keeps a command that
 * waits for the guest or for a medium that failed.
 *
 * Source: [82078] 5.1 "Data Transfer Commands", table 5-6 "Result Phase Table".
 *
 * @module
 */
import type { TransferKind } from "./commands.ts";
import type { FloppyFormat } from "./geometry.ts";
import { SECTOR_BYTES } from "./registers.ts";

/** Bytes of an address field that FORMAT TRACK is given for each sector: cylinder, head, sector, size. */
export const ADDRESS_BYTES = 4;

export interface Transfer {
  /** The command's bytes. */
  command: number[];
  kind: TransferKind;
  unit: number;
  cylinder: number;
  head: number;
  sector: number;
  /** The last sector of a track that takes part. */
  lastSector: number;
  /** How far it is from one sector to the next: 2 for a scan of every other one. */
  stride: number;
  multiTrack: boolean;
  byDma: boolean;
  /** Bytes that the command wants besides. */
  leftBytes: number;
  /** Waits for the medium, for the guest, or for the medium to take what came. */
  phase: "load" | "move" | "store";
  buffer: Uint8Array;
  /** Bytes of the buffer that the guest has taken or given. */
  position: number;
  /** Of those, sectors that the position on disk has gone past. */
  passed: number;
  /** The last sector, or the DMA controller's terminal count, was reached. */
  ended: boolean;
  headMoved: boolean;
  startNs: number;
  movedBytes: number;
}

/** A transfer in a snapshot: the buffer as a list, whose length may be any. */
export type SavedTransfer = Omit<Transfer, "buffer"> & { bytes: number[] };

/** What members a saved one has. */
export const EXAMPLE_TRANSFER: SavedTransfer = {
  command: [0],
  kind: "read",
  unit: 0,
  cylinder: 0,
  head: 0,
  sector: 1,
  lastSector: 1,
  stride: 1,
  multiTrack: false,
  byDma: false,
  leftBytes: 0,
  phase: "load",
  bytes: [0],
  position: 0,
  passed: 0,
  ended: false,
  headMoved: false,
  startNs: 0,
  movedBytes: 0,
};

export function saveTransfer({ buffer, ...rest }: Transfer): SavedTransfer {
  return { ...rest, command: [...rest.command], bytes: [...buffer] };
}

const LARGEST_BUFFER = 64 * 1024;

/** Takes up a saved transfer; `undefined` for one that cannot have been. */
export function loadTransfer({ bytes, ...rest }: SavedTransfer): Transfer | undefined {
  const within = (value: number, least: number, most: number) =>
    Number.isInteger(value) && value >= least && value <= most;
  const buffer = Uint8Array.from(bytes);
  const possible = buffer.length <= LARGEST_BUFFER && within(rest.position, 0, buffer.length) &&
    within(rest.passed, 0, 255) && within(rest.unit, 0, 3) && within(rest.cylinder, 0, 255) &&
    within(rest.head, 0, 1) &&
    within(rest.sector, 1, 255) && within(rest.lastSector, 0, 255) && within(rest.stride, 1, 2) &&
    within(rest.leftBytes, 0, 2 ** 24) && ["load", "move", "store"].includes(rest.phase) &&
    ["read", "write", "verify", "scan", "format"].includes(rest.kind);
  return possible ? { ...rest, command: [...rest.command], buffer } : undefined;
}

/** Whether data goes from memory to the controller. */
export function takesData({ kind }: Transfer): boolean {
  return kind === "write" || kind === "scan" || kind === "format";
}

/** What a read or write command asks for, on a disk of `format`. */
export function transferOf(
  kind: TransferKind,
  command: readonly number[],
  format: FloppyFormat,
  how: { byDma: boolean; headMoved: boolean; startNs: number },
): Transfer {
  const [code = 0, unit = 0, cylinder = 0, head = 0, sector = 0, sizeCode = 0, end = 0, , extra = 0] = command;
  const multiTrack = (code & 0x80) !== 0;
  const countGiven = kind === "verify" && (unit & 0x80) !== 0;
  const sectors = countGiven ? extra || 256 : Math.max(1, end - sector + 1 + (multiTrack ? end : 0));
  const sectorBytes = sizeCode === 0 && kind !== "verify" ? extra : 128 << Math.min(sizeCode, 7);
  return {
    command: [...command],
    kind,
    unit: unit & 3,
    cylinder,
    head,
    sector,
    lastSector: Math.min(end, format.sectors),
    stride: kind === "scan" && extra === 2 ? 2 : 1,
    multiTrack,
    leftBytes: sectors * sectorBytes,
    phase: kind === "write" || kind === "scan" ? "move" : "load",
    buffer: new Uint8Array(0),
    position: 0,
    passed: 0,
    ended: false,
    movedBytes: 0,
    ...how,
  };
}

/** What FORMAT TRACK asks for: the address fields of the sectors on a track. */
export function formatOf(
  command: readonly number[],
  cylinder: number,
  how: { byDma: boolean; startNs: number },
): Transfer {
  const [, unit = 0, , sectors = 0] = command;
  const leftBytes = sectors * ADDRESS_BYTES;
  return {
    command: [...command],
    kind: "format",
    unit: unit & 3,
    cylinder,
    head: (unit >> 2) & 1,
    sector: 1,
    lastSector: sectors,
    stride: 1,
    multiTrack: false,
    leftBytes,
    phase: "move",
    buffer: new Uint8Array(leftBytes),
    position: 0,
    passed: 0,
    ended: false,
    headMoved: false,
    movedBytes: 0,
    ...how,
  };
}

/** Where the present sector is on a disk of `format`, in bytes. */
export function offsetOf({ cylinder, head, sector }: Transfer, { heads, sectors }: FloppyFormat): number {
  return ((cylinder * heads + head) * sectors + sector - 1) * SECTOR_BYTES;
}

/** How many sectors lie together from here to the end of the track, of those that are wanted. */
export function runSectors(transfer: Transfer, wantedBytes: number): number {
  const rest = transfer.lastSector - transfer.sector + 1;
  return Math.max(1, Math.min(rest, Math.ceil(wantedBytes / SECTOR_BYTES)));
}

/** Goes to the next sector; past the last one of a track it ends, or, over both sides, goes to the next track. */
export function passSector(transfer: Transfer, format: FloppyFormat): void {
  transfer.passed++;
  if (transfer.sector + transfer.stride <= transfer.lastSector) {
    transfer.sector += transfer.stride;
    return;
  }
  transfer.sector = 1;
  if (transfer.multiTrack && transfer.head === 0 && format.heads === 2) {
    transfer.head = 1;
    return;
  }
  transfer.cylinder++;
  transfer.headMoved = true;
  if (transfer.multiTrack) transfer.head = 0;
  else transfer.ended = true;
}

/** A byte that stands for every byte. */
const ANY_BYTE = 0xff;

/** Whether a sector of the disk meets a scan's condition against the guest's bytes, and whether all were equal. */
export function scanned(code: number, disk: Uint8Array, wanted: Uint8Array): { met: boolean; equal: boolean } {
  let [equal, low, high] = [true, true, true];
  for (let at = 0; at < wanted.length; at++) {
    const [ours, theirs] = [disk[at]!, wanted[at]!];
    if (ours === theirs || ours === ANY_BYTE || theirs === ANY_BYTE) continue;
    equal = false;
    if (ours > theirs) low = false;
    else high = false;
  }
  const kind = code & 0x1f;
  return { equal, met: kind === 0x11 ? equal : kind === 0x19 ? low : high };
}
