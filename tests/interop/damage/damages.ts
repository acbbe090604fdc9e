/**
 * Damage by seed: one to three places of a sound image where an entry, a count or a field says something else.
 *
 * The places are found by walking the sound image as the specification says, with nothing of moa's own.
 *
 * Source: [QCOW2] "Header", "Cluster mapping", "Host cluster management", "Snapshots", "Bitmaps".
 *
 * @module
 */
import type { Random } from "../../../base/random.ts";
import { pick } from "../../support/pick.ts";

/** Bytes to write over an image. */
export interface Patch {
  readonly what: string;
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** What is done to an image: patches, then another length of the file. */
export interface Damages {
  readonly patches: readonly Patch[];
  readonly lengthBytes?: number;
}

type EntryKind = "refcount table" | "L1" | "L2" | "snapshot L1" | "snapshot L2";

interface Places {
  readonly clusterSize: number;
  readonly refcountBits: number;
  readonly entryBytes: number;
  readonly fileBytes: number;
  /** Where 64-bit entries with offsets lie, by kind. */
  readonly entries: readonly { readonly kind: EntryKind; readonly at: number; readonly value: bigint }[];
  readonly refcountBlocks: readonly number[];
  readonly snapshots: readonly { readonly at: number }[];
  readonly bitmapDirectory: number;
  /** Incompatible features that the image has. */
  readonly features: bigint;
}

const OFFSET_MASK = 0x00ff_ffff_ffff_fe00n;
const COPIED = 1n << 63n;
const COMPRESSED = 1n << 62n;

function placesOf(bytes: Uint8Array): Places {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const clusterSize = 2 ** view.getUint32(20);
  const version = view.getUint32(4);
  const extended = version === 3 && (view.getUint32(76) & 16) !== 0;
  const entryBytes = extended ? 16 : 8;
  const entries: { kind: EntryKind; at: number; value: bigint }[] = [];
  const refcountBlocks: number[] = [];
  const word = (at: number) => at + 8 <= bytes.length ? view.getBigUint64(at) : 0n;
  const offsetAt = (at: number) => Number(word(at) & OFFSET_MASK);
  const walkL1 = (at: number, length: number, kinds: readonly [EntryKind, EntryKind]) => {
    for (let i = 0; i < length; i++) {
      entries.push({ kind: kinds[0], at: at + i * 8, value: word(at + i * 8) });
      const l2 = offsetAt(at + i * 8);
      if (l2 === 0) continue;
      for (let j = 0; j < clusterSize; j += entryBytes) {
        entries.push({ kind: kinds[1], at: l2 + j, value: word(l2 + j) });
      }
    }
  };
  walkL1(Number(word(40)), view.getUint32(36), ["L1", "L2"]);
  const table = Number(word(48));
  for (let i = 0; i < view.getUint32(56) * clusterSize / 8; i++) {
    entries.push({ kind: "refcount table", at: table + i * 8, value: word(table + i * 8) });
    if (word(table + i * 8) !== 0n) refcountBlocks.push(offsetAt(table + i * 8));
  }
  const snapshots: { at: number }[] = [];
  let at = Number(word(64));
  for (let i = 0; i < view.getUint32(60); i++) {
    at = Math.ceil(at / 8) * 8;
    snapshots.push({ at });
    walkL1(Number(word(at)), view.getUint32(at + 8), ["snapshot L1", "snapshot L2"]);
    at += 40 + view.getUint32(at + 36) + view.getUint16(at + 12) + view.getUint16(at + 14);
  }
  return {
    clusterSize,
    refcountBits: version === 3 ? 2 ** view.getUint32(96) : 16,
    entryBytes,
    fileBytes: bytes.length,
    entries,
    refcountBlocks,
    snapshots,
    bitmapDirectory: findBitmaps(view, version, clusterSize),
    features: version === 3 ? word(72) : 0n,
  };
}

function findBitmaps(view: DataView, version: number, clusterSize: number): number {
  if (version < 3) return 0;
  for (let at = view.getUint32(100); at + 32 <= clusterSize;) {
    const type = view.getUint32(at);
    if (type === 0) return 0;
    if (type === 0x23852875) return Number(view.getBigUint64(at + 24));
    at += 8 + Math.ceil(view.getUint32(at + 4) / 8) * 8;
  }
  return 0;
}

function number(value: bigint, bytes: 1 | 2 | 4 | 8): Uint8Array {
  const all = new Uint8Array(8);
  new DataView(all.buffer).setBigUint64(0, BigInt.asUintN(64, value));
  return all.subarray(8 - bytes);
}

/** Damages `sound` in one to three places. */
export function damagesFor(random: Random, sound: Uint8Array): Damages {
  const places = placesOf(sound);
  const patches: Patch[] = [];
  let lengthBytes: number | undefined;
  for (let n = 1 + random.below(3); n > 0; n--) {
    const choice = random.below(20);
    if (choice < 11) patches.push(...damageEntry(random, places));
    else if (choice < 15) patches.push(damageCount(random, places));
    else if (choice < 17) patches.push(...damageSnapshots(random, places, sound));
    else if (choice < 18) patches.push(...damageHeader(random, places));
    else if (choice < 19) patches.push(...damageBitmaps(random, places));
    else lengthBytes = anotherLength(random, places);
  }
  return lengthBytes === undefined ? { patches } : { patches, lengthBytes };
}

function damageEntry(random: Random, places: Places): Patch[] {
  const kind = pick(
    random,
    ["refcount table", "L1", "L1", "L2", "L2", "L2", "L2", "snapshot L1", "snapshot L2"] as const,
  );
  const all = places.entries.filter((entry) => entry.kind === kind);
  const used = all.filter(({ value }) => value !== 0n);
  if (all.length === 0) return [];
  const entry = used.length > 0 && random.below(5) > 0 ? pick(random, used) : pick(random, all);
  const value = anotherEntry(random, places, kind, entry.value);
  const what = `${kind} entry at 0x${entry.at.toString(16)}: 0x${value.toString(16)} for 0x${entry.value.toString(16)}`;
  const patches: Patch[] = [{ what, at: entry.at, bytes: number(value, 8) }];
  if (places.entryBytes === 16 && kind.endsWith("L2") && random.below(3) === 0) {
    const bits = BigInt(random.uint32()) << 32n | BigInt(random.uint32());
    patches.push({ what: `its subclusters: 0x${bits.toString(16)}`, at: entry.at + 8, bytes: number(bits, 8) });
  }
  return patches;
}

function anotherEntry(random: Random, places: Places, kind: EntryKind, value: bigint): bigint {
  const cluster = BigInt(places.clusterSize);
  const flags = value & (COPIED | COMPRESSED);
  const end = BigInt(Math.ceil(places.fileBytes / places.clusterSize)) * cluster;
  switch (random.below(kind === "refcount table" ? 9 : 14)) {
    case 0:
      return 0n;
    case 1:
      return flags | (BigInt(random.below(Number(end / cluster))) * cluster);
    case 2:
      return flags | (end + BigInt(random.below(3)) * cluster);
    case 3:
      return flags | (end + BigInt(random.below(64)) * cluster);
    case 4:
      return value ^ 0x200n;
    case 5:
      return value ^ (1n << BigInt(random.below(9)));
    case 6:
      return value ^ (cluster >> 1n);
    case 7:
      return flags | (pick(random, places.entries.filter((entry) => entry.value !== 0n)).value & OFFSET_MASK);
    case 8:
      return value ^ (1n << BigInt(56 + random.below(6)));
    case 9:
      return value ^ 1n;
    case 10:
    case 11:
      return value ^ COPIED;
    case 12:
      return value ^ COMPRESSED;
    default:
      return (value ^ 1n) + 0x200n;
  }
}

function damageCount(random: Random, places: Places): Patch {
  const { refcountBits: bits, clusterSize } = places;
  const block = pick(random, places.refcountBlocks);
  const perBlock = clusterSize * 8 / bits;
  const clusters = Math.ceil(places.fileBytes / clusterSize);
  const index = random.below(6) === 0 ? random.below(perBlock) : random.below(Math.min(perBlock, clusters + 2));
  const value = pick(random, [0, 0, 1, 2, 3, 255]);
  const what = `count ${index} of the block at 0x${block.toString(16)}: ${value}`;
  if (bits < 8) {
    const byte = pick(random, [0, 0, 0x55, 0xff, 1]);
    return { what: `${what} (byte ${byte})`, at: block + Math.floor(index * bits / 8), bytes: Uint8Array.of(byte) };
  }
  return { what, at: block + index * bits / 8, bytes: number(BigInt(value), bits / 8 as 1 | 2 | 4 | 8) };
}

function damageSnapshots(random: Random, places: Places, sound: Uint8Array): Patch[] {
  if (places.snapshots.length === 0) return [];
  const { at } = pick(random, places.snapshots);
  const l1 = new DataView(sound.buffer, sound.byteOffset).getBigUint64(at);
  const fields: readonly (readonly [string, number, 2 | 4 | 8, readonly bigint[]])[] = [
    ["L1 offset", 0, 8, [0n, l1 + 512n, l1 + BigInt(places.clusterSize), 1n << 30n, BigInt(places.fileBytes)]],
    ["L1 size", 8, 4, [0n, 1n, 2n, 1000n, 0x400000n, 0x400001n, 0xffffffffn]],
    ["id length", 12, 2, [0n, 2n, 100n]],
    ["name length", 14, 2, [0n, 10n, 60000n]],
    ["VM state size", 32, 4, [1n, 1n << 31n]],
    ["extra data size", 36, 4, [0n, 8n, 16n, 32n, 1024n, 1025n, 2000n, 70000n, 0xffffffffn]],
    ["VM state size above 32 bits", 40, 8, [1n << 40n, 1n << 62n]],
    ["disk size", 48, 8, [0n, 512n, 1n << 40n, 1n << 63n]],
  ];
  const [name, offset, size, values] = pick(random, fields);
  const value = pick(random, values);
  return [{ what: `snapshot ${name}: ${value}`, at: at + offset, bytes: number(value, size) }];
}

function damageHeader(random: Random, places: Places): Patch[] {
  const cluster = BigInt(places.clusterSize);
  const fields: readonly (readonly [string, number, 4 | 8, readonly bigint[]])[] = [
    ["L1 entries", 36, 4, [1n, 64n, 1000n]],
    ["L1 offset", 40, 8, [0n, cluster, BigInt(places.fileBytes)]],
    ["refcount table offset", 48, 8, [0n, 2n * cluster, BigInt(places.fileBytes), 1n << 31n]],
    ["refcount table clusters", 56, 4, [0n, 2n, 5n]],
    ["snapshots", 60, 4, [0n, 1n, 5n, 65536n, 65537n, 70000n]],
    ["snapshot table offset", 64, 8, [cluster, 2n * cluster, BigInt(places.fileBytes), 1n << 31n, 17n]],
    ["incompatible features", 72, 8, [1n, 2n, 3n].map((bits) => bits | places.features)],
    // The bit for bitmaps, where there are none, makes the real program take every write for one over their directory.
    ["autoclear features", 88, 8, places.bitmapDirectory === 0 ? [0n, 2n, 4n] : [0n, 1n, 2n, 4n]],
  ];
  const [name, at, size, values] = pick(random, fields);
  const value = pick(random, values);
  return [{ what: `header ${name}: ${value}`, at, bytes: number(value, size) }];
}

function damageBitmaps(random: Random, places: Places): Patch[] {
  if (places.bitmapDirectory === 0) return [];
  const fields: readonly (readonly [string, number, 1 | 2 | 4 | 8, readonly bigint[]])[] = [
    ["table offset", 0, 8, [0n, 1n << 20n, 512n, BigInt(places.clusterSize)]],
    ["table size", 8, 4, [0n, 2n, 1000n, 0xffffffffn]],
    ["flags", 12, 4, [0n, 1n, 3n, 255n]],
    ["type", 16, 1, [0n, 2n]],
    ["granularity", 17, 1, [0n, 40n, 255n]],
    ["name length", 18, 2, [0n, 1n, 1024n, 5000n]],
    ["extra data size", 20, 4, [1n, 8n, 0xffffffffn]],
  ];
  const [name, at, size, values] = pick(random, fields);
  const value = pick(random, values);
  return [{ what: `bitmap ${name}: ${value}`, at: places.bitmapDirectory + at, bytes: number(value, size) }];
}

function anotherLength(random: Random, { clusterSize, fileBytes }: Places): number {
  switch (random.below(3)) {
    case 0:
      return fileBytes + random.below(4 * clusterSize);
    case 1:
      return Math.max(clusterSize, fileBytes - random.below(4 * clusterSize));
    default:
      return Math.max(clusterSize, fileBytes - clusterSize * random.below(4));
  }
}
