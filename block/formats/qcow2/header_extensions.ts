/**
 * Header extensions: the tagged records between the header and the backing file's name.
 *
 * Known ones are interpreted, others are kept byte for byte and written back in the order in which they came. The
 * feature name table is always written afresh.
 *
 * Source: [QCOW2] "Header extensions", "String header extensions", "Feature name table", "Bitmaps extension".
 *
 * @module
 */
import { alignUp } from "../../../base/bits.ts";
import { AUTOCLEAR, COMPATIBLE, INCOMPATIBLE, readUint64, writeUint64 } from "./header.ts";
import { formatError } from "./failures.ts";

const TYPE = {
  end: 0,
  backingFormat: 0xe2792aca,
  featureNames: 0x6803f857,
  encryption: 0x0537be77,
  bitmaps: 0x23852875,
  dataFile: 0x44415441,
} as const;

const FEATURE_RECORD_BYTES = 48;
const MAX_BACKING_FORMAT_BYTES = 16;
const MAX_CLUSTER_WITHOUT_NAMES = 4096;

/** An extension that moa does not interpret. */
export interface UnknownExtension {
  readonly type: number;
  readonly data: Uint8Array;
}

/** Where an image's persistent bitmaps are; only kept and counted here. */
export interface BitmapsExtension {
  readonly count: number;
  readonly directoryBytes: number;
  readonly directoryOffset: number;
  readonly raw: Uint8Array;
}

/** Where the header of an image's encryption lies: in clusters of its own. */
export interface EncryptionHeader {
  readonly offset: number;
  readonly lengthBytes: number;
}

/** A name from an image's own feature name table, for messages about bits that moa does not know. */
export interface FeatureName {
  /** 0: incompatible, 1: compatible, 2: autoclear. */
  readonly type: number;
  readonly bit: number;
  readonly name: string;
}

export interface Extensions {
  backingFormat: string | undefined;
  dataFile: string | undefined;
  bitmaps: BitmapsExtension | undefined;
  encryption: EncryptionHeader | undefined;
  featureNames: readonly FeatureName[];
  unknown: UnknownExtension[];
}

const FEATURES: readonly [type: number, bit: number, name: string][] = [
  [0, bitOf(INCOMPATIBLE.dirty), "dirty bit"],
  [0, bitOf(INCOMPATIBLE.corrupt), "corrupt bit"],
  [0, bitOf(INCOMPATIBLE.dataFile), "external data file"],
  [0, bitOf(INCOMPATIBLE.compressionType), "compression type"],
  [0, bitOf(INCOMPATIBLE.extendedL2), "extended L2 entries"],
  [1, bitOf(COMPATIBLE.lazyRefcounts), "lazy refcounts"],
  [2, bitOf(AUTOCLEAR.bitmaps), "bitmaps"],
  [2, bitOf(AUTOCLEAR.dataFileRaw), "raw external data"],
];

function bitOf(mask: number): number {
  return Math.log2(mask);
}

const text = new TextDecoder();
const utf8 = new TextEncoder();

/** No extensions at all. */
export function noExtensions(): Extensions {
  return {
    backingFormat: undefined,
    dataFile: undefined,
    bitmaps: undefined,
    encryption: undefined,
    featureNames: [],
    unknown: [],
  };
}

/**
 * Reads the extensions in `bytes`, the image's first cluster, from `start` to `end` (the backing name or the cluster's
 * end).
 *
 * @throws {BlockError} of kind `format` where one is longer than its room
 */
export function parseExtensions(bytes: Uint8Array, start: number, end: number): Extensions {
  const found = noExtensions();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = start;
  while (at + 8 <= end && at + 8 <= bytes.length) {
    const type = view.getUint32(at);
    const length = view.getUint32(at + 4);
    at += 8;
    if (at > end || length > end - at) throw formatError("Header extension too large");
    if (type === TYPE.end) break;
    const data = bytes.slice(at, Math.min(at + length, bytes.length));
    interpret(found, type, data);
    at += alignUp(length, 8);
  }
  return found;
}

function interpret(found: Extensions, type: number, data: Uint8Array): void {
  switch (type) {
    case TYPE.backingFormat:
      if (data.length >= MAX_BACKING_FORMAT_BYTES) {
        throw formatError(`ERROR: ext_backing_format: len=${data.length} too large (>=${MAX_BACKING_FORMAT_BYTES})`);
      }
      found.backingFormat = untilNul(data);
      break;
    case TYPE.featureNames:
      found.featureNames = featureNames(data);
      break;
    case TYPE.encryption:
      found.encryption = encryptionHeader(data);
      break;
    case TYPE.bitmaps:
      found.bitmaps = bitmaps(data);
      break;
    case TYPE.dataFile:
      found.dataFile = untilNul(data);
      break;
    default:
      found.unknown.push({ type, data });
  }
}

function featureNames(data: Uint8Array): FeatureName[] {
  const names: FeatureName[] = [];
  for (let at = 0; at + FEATURE_RECORD_BYTES <= data.length; at += FEATURE_RECORD_BYTES) {
    const record = data.subarray(at, at + FEATURE_RECORD_BYTES);
    names.push({ type: record[0]!, bit: record[1]!, name: untilNul(record.subarray(2)) });
  }
  return names;
}

function bitmaps(data: Uint8Array): BitmapsExtension {
  if (data.length !== 24) throw formatError("bitmaps_ext: Invalid extension length");
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return {
    count: view.getUint32(0),
    directoryBytes: Number(view.getBigUint64(8)),
    directoryOffset: Number(view.getBigUint64(16)),
    raw: data,
  };
}

function encryptionHeader(data: Uint8Array): EncryptionHeader {
  const length = 16;
  if (data.length !== length) {
    throw formatError(`CRYPTO header extension size ${data.length}, but expected size ${length}`);
  }
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const offset = readUint64(view, 0);
  if (offset > Number.MAX_SAFE_INTEGER) {
    throw formatError("Could not read encryption header: Input/output error", "EIO");
  }
  return { offset, lengthBytes: readUint64(view, 8) };
}

function encodeEncryptionHeader({ offset, lengthBytes }: EncryptionHeader): Uint8Array {
  const data = new Uint8Array(16);
  const view = new DataView(data.buffer);
  writeUint64(view, 0, offset);
  writeUint64(view, 8, lengthBytes);
  return data;
}

function untilNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return text.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/**
 * The extension area for `extensions`, its end marker included. Version 2 has no feature names, and small clusters no
 * room to spare for them.
 */
export function encodeExtensions(extensions: Extensions, version: 2 | 3, clusterSize: number): Uint8Array {
  const withNames = version === 3 && clusterSize > MAX_CLUSTER_WITHOUT_NAMES;
  const records: Uint8Array[] = [];
  if (extensions.backingFormat !== undefined) {
    records.push(record(TYPE.backingFormat, utf8.encode(extensions.backingFormat)));
  }
  if (extensions.dataFile !== undefined) records.push(record(TYPE.dataFile, utf8.encode(extensions.dataFile)));
  if (extensions.encryption !== undefined) {
    records.push(record(TYPE.encryption, encodeEncryptionHeader(extensions.encryption)));
  }
  if (withNames) records.push(record(TYPE.featureNames, encodeFeatureNames()));
  if (extensions.bitmaps !== undefined) records.push(record(TYPE.bitmaps, extensions.bitmaps.raw));
  for (const { type, data } of extensions.unknown) records.push(record(type, data));
  records.push(record(TYPE.end, new Uint8Array(0)));
  const bytes = new Uint8Array(records.reduce((sum, each) => sum + each.length, 0));
  let at = 0;
  for (const each of records) {
    bytes.set(each, at);
    at += each.length;
  }
  return bytes;
}

function encodeFeatureNames(): Uint8Array {
  const bytes = new Uint8Array(FEATURES.length * FEATURE_RECORD_BYTES);
  FEATURES.forEach(([type, bit, name], index) => {
    const at = index * FEATURE_RECORD_BYTES;
    bytes[at] = type;
    bytes[at + 1] = bit;
    bytes.set(utf8.encode(name), at + 2);
  });
  return bytes;
}

function record(type: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(8 + alignUp(data.length, 8));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type);
  view.setUint32(4, data.length);
  bytes.set(data, 8);
  return bytes;
}
