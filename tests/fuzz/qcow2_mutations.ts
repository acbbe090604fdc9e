/**
 * Damage to qcow2 images: where their structures lie, and what a hostile or half-written file may have there.
 *
 * Source: [QCOW2] "Header", "Cluster mapping", "Host cluster management", "Snapshots".
 *
 * @module
 */
import type { Random } from "../../base/random.ts";

/** A structure of an image. */
export interface Region {
  readonly name: string;
  readonly at: number;
  readonly length: number;
  /** Bytes of one entry, where it is a table. */
  readonly entryBytes?: number;
}

const OFFSET_MASK = 0x00ff_ffff_ffff_fe00n;

/** Where the structures of a sound image lie. */
export function regionsOf(bytes: Uint8Array): Region[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const number = (at: number) => Number(view.getBigUint64(at) & OFFSET_MASK);
  const clusterSize = 2 ** view.getUint32(20);
  const regions: Region[] = [{ name: "header", at: 0, length: 104 }, { name: "extensions", at: 104, length: 408 }];
  const table = (name: string, at: number, length: number, entryBytes = 8) => {
    if (at > 0 && at + length <= bytes.length) regions.push({ name, at, length, entryBytes });
  };
  const l1 = number(40);
  table("L1 table", l1, view.getUint32(36) * 8);
  for (let i = 0; i < view.getUint32(36); i++) table("L2 table", number(l1 + i * 8), clusterSize);
  const refcounts = number(48);
  table("refcount table", refcounts, 64);
  for (let i = 0; i < 8; i++) table("refcount block", number(refcounts + i * 8), clusterSize, 2);
  if (view.getUint32(60) > 0) table("snapshot table", number(64), 160, 4);
  return regions;
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)]!;
}

/** Numbers that are on an edge of something, or that point at a structure. */
function temptingNumber(random: Random, regions: readonly Region[], clusterSize: number, fileBytes: number): bigint {
  const place = BigInt(pick(random, regions).at);
  const flags = BigInt(random.below(4)) << 62n;
  switch (random.below(8)) {
    case 0:
      return flags | place;
    case 1:
      return flags | place | 1n;
    case 2:
      return flags | BigInt(random.below(64) * clusterSize);
    case 3:
      return flags | BigInt(fileBytes + random.below(3) * clusterSize);
    case 4:
      return pick(random, [0n, 1n, 0xffn, 0xffffn, 0x7fff_ffffn, 0xffff_ffffn, (1n << 63n) - 1n, (1n << 64n) - 1n]);
    case 5:
      return flags | (1n << BigInt(random.below(62)));
    case 6:
      return flags | (place + 0x200n * BigInt(random.below(5)));
    default:
      return BigInt(random.uint32()) << 32n | BigInt(random.uint32());
  }
}

/** Damages `sound` in one to four places, sometimes cuts it off; tells what it did. */
export function damage(random: Random, sound: Uint8Array): { bytes: Uint8Array<ArrayBuffer>; what: string } {
  const bytes = Uint8Array.from(sound);
  const view = new DataView(bytes.buffer);
  const regions = regionsOf(sound);
  const clusterSize = 2 ** view.getUint32(20);
  const done: string[] = [];
  for (let n = 1 + random.below(4); n > 0; n--) {
    const region = pick(random, regions);
    const width = region.entryBytes ?? pick(random, [1, 4, 8]);
    // The first entries are the used ones.
    const within = random.below(random.below(2) === 0 ? region.length : Math.min(region.length, 8 * width));
    const at = Math.min(region.at + within - within % width, bytes.length - 8);
    const value = temptingNumber(random, regions, clusterSize, bytes.length);
    const kind = random.below(8);
    if (kind === 0) {
      bytes[at]! ^= 1 << random.below(8);
    } else if (kind === 1 && region.length >= clusterSize) {
      bytes.copyWithin(region.at, pick(random, regions).at, Math.min(region.at + clusterSize, bytes.length));
    } else if (width === 1) view.setUint8(at, Number(value & 0xffn));
    else if (width === 2) view.setUint16(at, Number(value & 0xffffn));
    else if (width === 4) view.setUint32(at, Number(value & 0xffff_ffffn));
    else view.setBigUint64(at, value);
    done.push(`${region.name} +0x${(at - region.at).toString(16)} (kind ${kind}, 0x${value.toString(16)})`);
  }
  if (random.below(16) > 0) return { bytes, what: done.join(", ") };
  const length = random.below(bytes.length);
  return { bytes: bytes.slice(0, length), what: `${done.join(", ")}, cut at ${length}` };
}
