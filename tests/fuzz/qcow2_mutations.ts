/**
 * Damage to qcow2 images: where their structures lie, and what a hostile or half-written file may have there.
 *
 * Source: [QCOW2] "Header", "Cluster mapping", "Host cluster management", "Snapshots".
 *
 * @module
 */
import type { Random } from "../../base/random.ts";
import { pick } from "../support/pick.ts";

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
  for (const { type, at } of extensionsOf(view)) {
    if (type === BITMAPS_EXTENSION) {
      const directory = number(at + 16);
      table("bitmap directory", directory, number(at + 8), 4);
      table("bitmap table", number(directory), 64);
    } else if (type === ENCRYPTION_EXTENSION) table("encryption header", number(at), 592, 4);
  }
  for (const at of compressedClusters(view, l1, clusterSize)) table("compressed cluster", at, 64, 1);
  return regions;
}

const BITMAPS_EXTENSION = 0x23852875;
const ENCRYPTION_EXTENSION = 0x0537be77;

/** The header's extensions, by where their data is. */
function extensionsOf(view: DataView): { type: number; at: number }[] {
  const found: { type: number; at: number }[] = [];
  if (view.getUint32(4) < 3) return found;
  for (let at = view.getUint32(100); at + 8 <= view.byteLength;) {
    const type = view.getUint32(at);
    if (type === 0) break;
    found.push({ type, at: at + 8 });
    at += 8 + Math.ceil(view.getUint32(at + 4) / 8) * 8;
  }
  return found;
}

/** Where compressed clusters lie, of those that the first L2 table leads to. */
function compressedClusters(view: DataView, l1: number, clusterSize: number): number[] {
  const found: number[] = [];
  const isExtended = view.getUint32(4) >= 3 && (view.getBigUint64(72) & 16n) !== 0n;
  for (let index = 0; index < view.getUint32(36); index++) {
    const l2 = Number(view.getBigUint64(l1 + index * 8) & OFFSET_MASK);
    if (l2 === 0) continue;
    for (let at = l2; at < l2 + clusterSize; at += isExtended ? 16 : 8) {
      const entry = view.getBigUint64(at);
      const offsetBits = BigInt(62 - (view.getUint32(20) - 8));
      if ((entry >> 62n) === 1n) found.push(Number(entry & ((1n << offsetBits) - 1n)));
    }
  }
  return found;
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

/**
 * Damages `sound` in one to four places, sometimes cuts it off; tells what it did.
 *
 * @param only the structures that are damaged, by the beginning of their names
 */
export function damage(
  random: Random,
  sound: Uint8Array,
  only?: readonly string[],
): { bytes: Uint8Array<ArrayBuffer>; what: string } {
  const bytes = Uint8Array.from(sound);
  const view = new DataView(bytes.buffer);
  const regions = regionsOf(sound);
  const victims = only === undefined ? regions : regions.filter(({ name }) => only.some((one) => name.startsWith(one)));
  const clusterSize = 2 ** view.getUint32(20);
  const done: string[] = [];
  for (let n = 1 + random.below(4); n > 0; n--) {
    const region = pick(random, victims);
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
