/**
 * Lists of snapshots, as `info snapshots`, `info block -v` and `qemu-img snapshot -l` print them.
 *
 * @module
 */
import { formatSize } from "../../base/sizes.ts";
import { NS_PER_MS } from "../../base/units.ts";
import type { SnapshotInfo } from "../../block/mod.ts";

const ROW_WIDTHS = { id: 9, tag: 16, size: 8, date: 20, clock: 13, icount: 11 } as const;

/** The heading of a list. */
export function snapshotHeader(): string {
  return row("ID", "TAG", "VM SIZE", "DATE", "VM CLOCK", "ICOUNT");
}

/** One snapshot; `id` in place of its own where it stands for several disks. */
export function snapshotRow(snapshot: SnapshotInfo, id = snapshot.id): string {
  return row(
    id,
    snapshot.name,
    formatSize(snapshot.vmStateBytes),
    localTime(snapshot.dateSeconds),
    clock(snapshot.vmClockNs),
    snapshot.icount < 0 ? "" : String(snapshot.icount),
  );
}

function row(id: string, tag: string, size: string, date: string, clock: string, icount: string): string {
  const { id: idWidth, tag: tagWidth, size: sizeWidth } = ROW_WIDTHS;
  return `${id.padEnd(idWidth)} ${tag.padEnd(tagWidth)} ${size.padStart(sizeWidth)}${date.padStart(ROW_WIDTHS.date)}` +
    `${clock.padStart(ROW_WIDTHS.clock)}${icount.padStart(ROW_WIDTHS.icount)}\n`;
}

/** `2026-11-21 00:46:14`, in the host's time zone. */
function localTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (value: number) => value.toString().padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `00:00:01.250`: hours of the guest's clock go on beyond 24. */
function clock(ns: number): string {
  const ms = Math.floor(ns / NS_PER_MS);
  const part = (value: number, width = 2) => Math.floor(value).toString().padStart(width, "0");
  return `${part(ms / 3_600_000)}:${part(ms / 60_000 % 60)}:${part(ms / 1000 % 60)}.${part(ms % 1000, 3)}`;
}
