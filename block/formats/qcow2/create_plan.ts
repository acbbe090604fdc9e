/**
 * What an image can be made with: the rows of `-o help`, and the checks that options go together, in QEMU's order and
 * words.
 *
 * Source: [QCOW2] "Header"; QEMU's `BlockdevCreateOptionsQcow2`.
 *
 * @module
 */
import { alignUp, isPowerOfTwo } from "../../../base/bits.ts";
import { KiB, SECTOR_BYTES } from "../../../base/units.ts";
import { keySlotOptions } from "../../crypto/key_slot_options.ts";
import type { CreateOption, CreateValues, PreallocationMode } from "../../driver.ts";
import { BlockError } from "../../errors.ts";
import { type Compression, COMPRESSIONS } from "./compressed.ts";
import { formatError, optionError } from "./failures.ts";
import { MAX_BACKING_NAME_BYTES, MAX_CLUSTER_BITS, MAX_L1_BYTES, MIN_CLUSTER_BITS } from "./header.ts";

const DEFAULT_CLUSTER_BYTES = 64 * KiB;
const DEFAULT_REFCOUNT_BITS = 16;
/** 32 subclusters of at least a sector. */
const MIN_EXTENDED_CLUSTER_BYTES = 16 * KiB;

/** Rows of `-o help`, in QEMU's order. */
export const CREATE_OPTIONS: readonly CreateOption[] = [
  { name: "backing_file", type: "str", help: "File name of a base image" },
  { name: "backing_fmt", type: "str", help: "Image format of the base image" },
  { name: "cluster_size", type: "size", help: "qcow2 cluster size", defaultText: "65536" },
  { name: "compat", type: "str", help: "Compatibility level (v2 [0.10] or v3 [1.1])" },
  {
    name: "compression_type",
    type: "str",
    help: "Compression method used for image cluster compression",
    defaultText: "zlib",
  },
  { name: "data_file", type: "str", help: "File name of an external data file" },
  { name: "data_file_raw", type: "bool", help: "The external data file must stay valid as a raw image" },
  { name: "encrypt.cipher-alg", type: "str", help: "Name of encryption cipher algorithm" },
  { name: "encrypt.cipher-mode", type: "str", help: "Name of encryption cipher mode" },
  { name: "encrypt.format", type: "str", help: "Encrypt the image, format choices: 'aes', 'luks'" },
  { name: "encrypt.hash-alg", type: "str", help: "Name of encryption hash algorithm" },
  { name: "encrypt.iter-time", type: "num", help: "Time to spend in PBKDF in milliseconds" },
  { name: "encrypt.ivgen-alg", type: "str", help: "Name of IV generator algorithm" },
  { name: "encrypt.ivgen-hash-alg", type: "str", help: "Name of IV generator hash algorithm" },
  { name: "encrypt.key-secret", type: "str", help: "ID of secret providing qcow AES key or LUKS passphrase" },
  {
    name: "encryption",
    type: "bool",
    help: "Encrypt the image with format 'aes'. (Deprecated in favor of encrypt.format=aes)",
  },
  { name: "extended_l2", type: "bool", help: "Extended L2 tables", defaultText: "off" },
  { name: "lazy_refcounts", type: "bool", help: "Postpone refcount updates", defaultText: "off" },
  { name: "preallocation", type: "str", help: "Preallocation mode (allowed values: off, metadata, falloc, full)" },
  { name: "refcount_bits", type: "num", help: "Width of a reference count entry in bits", defaultText: "16" },
  { name: "size", type: "size", help: "Virtual disk size" },
];

const AMENDABLE = "backing_file backing_fmt compat data_file data_file_raw lazy_refcounts refcount_bits size".split(
  " ",
);

/** Rows of `amend -o help`. */
export const AMEND_OPTIONS: readonly CreateOption[] = [
  ...CREATE_OPTIONS.filter(({ name }) => AMENDABLE.includes(name)),
  ...keySlotOptions("encrypt."),
].sort((a, b) => a.name < b.name ? -1 : 1);

/** Checked creation options. */
export interface Plan {
  readonly version: 2 | 3;
  readonly size: number;
  readonly clusterSize: number;
  readonly extendedL2: boolean;
  readonly refcountBits: number;
  readonly lazyRefcounts: boolean;
  readonly compression: Compression;
  readonly preallocation: PreallocationMode;
  readonly backingFile: string | undefined;
  readonly backingFormat: string | undefined;
  readonly dataFile: string | undefined;
  /** The data file alone, read as a raw image, is the disk. */
  readonly dataFileRaw: boolean;
}

/**
 * The checked options.
 *
 * @throws {BlockError} of kind `option` or `unsupported`
 */
export function planImage(values: CreateValues): Plan {
  const version = versionOf(textOf(values, "compat") ?? "1.1");
  const asked = textOf(values, "preallocation") ?? "off";
  if (!isPreallocation(asked)) {
    throw optionError(`Parameter 'preallocation' does not accept value '${asked}'`, "preallocation");
  }
  const compression = compressionOf(values);
  const { clusterSize, extendedL2 } = shapeOf(values, version);
  const { backingFile, backingFormat } = backingOf(values, asked !== "off" && !extendedL2);
  const lazyRefcounts = values["lazy_refcounts"] === true;
  if (version === 2 && lazyRefcounts) throw needsVersion3("Lazy refcounts only supported");
  const refcountBits = Number(values["refcount_bits"] ?? DEFAULT_REFCOUNT_BITS);
  if (!isPowerOfTwo(refcountBits) || refcountBits > 64) {
    throw optionError("Refcount width must be a power of two and may not exceed 64 bits", "refcount_bits");
  }
  if (version === 2 && refcountBits !== 16) {
    throw optionError(
      "Different refcount widths than 16 bits require compatibility level 1.1 or above (use version=v3 or greater)",
    );
  }
  const { dataFile, dataFileRaw } = dataFileOf(values, version, backingFile);
  if (version === 2 && compression !== "zlib") throw needsVersion3("Non-zlib compression type is only supported");
  // A raw image is read past the tables, which so must say that all of it is there.
  const preallocation = dataFileRaw && asked === "off" ? "metadata" : asked;
  const size = alignUp(Number(values["size"] ?? 0), SECTOR_BYTES);
  const l1Bytes = Math.ceil(size / (clusterSize * clusterSize / (extendedL2 ? 16 : 8))) * 8;
  if (l1Bytes > MAX_L1_BYTES) {
    throw formatError(
      "The image size is too large for file format 'qcow2' (try using a larger cluster size)",
      "EFBIG",
    );
  }
  return {
    version,
    size,
    clusterSize,
    extendedL2,
    refcountBits,
    lazyRefcounts,
    compression,
    preallocation,
    backingFile,
    backingFormat,
    dataFile,
    dataFileRaw,
  };
}

function needsVersion3(what: string): BlockError {
  return optionError(`${what} with compatibility level 1.1 and above (use version=v3 or greater)`);
}

function compressionOf(values: CreateValues): Compression {
  const name = textOf(values, "compression_type") ?? "zlib";
  const known = COMPRESSIONS.find((one) => one === name);
  if (known !== undefined) return known;
  throw optionError(`Parameter 'compression-type' does not accept value '${name}'`, "compression_type");
}

function shapeOf(values: CreateValues, version: 2 | 3): Pick<Plan, "clusterSize" | "extendedL2"> {
  const extendedL2 = values["extended_l2"] === true;
  if (extendedL2 && version === 2) throw needsVersion3("Extended L2 entries are only supported");
  const clusterSize = Number(values["cluster_size"] ?? DEFAULT_CLUSTER_BYTES);
  if (!isPowerOfTwo(clusterSize) || clusterSize < 2 ** MIN_CLUSTER_BITS || clusterSize > 2 ** MAX_CLUSTER_BITS) {
    throw optionError("Cluster size must be a power of two between 512 and 2048k", "cluster_size");
  }
  if (extendedL2 && clusterSize < MIN_EXTENDED_CLUSTER_BYTES) {
    throw optionError(
      `Extended L2 entries are only supported with cluster sizes of at least ${MIN_EXTENDED_CLUSTER_BYTES} bytes`,
      "cluster_size",
    );
  }
  return { clusterSize, extendedL2 };
}

function backingOf(values: CreateValues, preallocates: boolean): Pick<Plan, "backingFile" | "backingFormat"> {
  const backingFile = textOf(values, "backing_file");
  const backingFormat = textOf(values, "backing_fmt");
  if (backingFile !== undefined && preallocates) {
    throw optionError("Backing file and preallocation can only be used at the same time if extended_l2 is on");
  }
  if (backingFormat !== undefined && backingFile === undefined) {
    throw optionError("Backing format cannot be used without backing file");
  }
  if (backingFile !== undefined && new TextEncoder().encode(backingFile).length > MAX_BACKING_NAME_BYTES) {
    throw formatError("Backing file name too long");
  }
  return { backingFile, backingFormat };
}

function dataFileOf(
  values: CreateValues,
  version: 2 | 3,
  backingFile: string | undefined,
): Pick<Plan, "dataFile" | "dataFileRaw"> {
  const dataFile = textOf(values, "data_file");
  const dataFileRaw = values["data_file_raw"] === true;
  if (dataFileRaw && dataFile === undefined) throw optionError("data-file-raw requires data-file", "data_file_raw");
  if (dataFileRaw && backingFile !== undefined) {
    throw optionError("Backing file and data-file-raw cannot be used at the same time");
  }
  if (dataFile !== undefined && version === 2) throw needsVersion3("External data files are only supported");
  return { dataFile, dataFileRaw };
}

function textOf(values: CreateValues, name: string): string | undefined {
  const value = values[name];
  return value === undefined ? undefined : String(value);
}

function versionOf(compat: string): 2 | 3 {
  switch (compat) {
    case "0.10":
    case "v2":
      return 2;
    case "1.1":
    case "v3":
      return 3;
    default:
      throw new BlockError({
        kind: "option",
        option: "compat",
        text: `Parameter 'version' does not accept value '${compat}'`,
      });
  }
}

function isPreallocation(mode: string): mode is PreallocationMode {
  return ["off", "metadata", "falloc", "full"].includes(mode);
}
