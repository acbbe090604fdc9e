/**
 * Making an image with QEMU's layout: header, refcount table, refcount block, L1 table, then clusters in order of use.
 *
 * Source: [QCOW2]; the order of the parts is what qemu-img writes, so that `cmp` finds no difference.
 *
 * @module
 */
import { alignUp, isPowerOfTwo } from "../../../base/bits.ts";
import { KiB, SECTOR_BYTES } from "../../../base/units.ts";
import type { CreateContext, CreateOption, CreateValues, PreallocationMode } from "../../driver.ts";
import { BlockError } from "../../errors.ts";
import { formatError, optionError, unsupported } from "./failures.ts";
import { noExtensions } from "./header_extensions.ts";
import {
  COMPATIBLE,
  type Header,
  HEADER_BYTES,
  MAX_BACKING_NAME_BYTES,
  MAX_CLUSTER_BITS,
  MAX_L1_BYTES,
  MIN_CLUSTER_BITS,
  writeUint64,
} from "./header.ts";
import { HostFile } from "./host_file.ts";
import { openImage } from "./open.ts";
import { Writer } from "./write.ts";
import { truncateImage } from "./truncate.ts";
import { encodeHeader } from "./header.ts";
import { encodeExtensions } from "./header_extensions.ts";

const DEFAULT_CLUSTER_BYTES = 64 * KiB;
const DEFAULT_REFCOUNT_BITS = 16;

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

/** Checked creation options. */
interface Plan {
  readonly version: 2 | 3;
  readonly size: number;
  readonly clusterSize: number;
  readonly refcountBits: number;
  readonly lazyRefcounts: boolean;
  readonly preallocation: PreallocationMode;
  readonly backingFile: string | undefined;
  readonly backingFormat: string | undefined;
}

/** Makes an image in `context.file`, which is empty. */
export async function createImage(values: CreateValues, context: CreateContext): Promise<void> {
  const plan = planImage(values);
  const file = new HostFile(context.file);
  await writeEmptyImage(file, plan);
  const image = await openImage(file, { driver: "qcow2", file: "" }, {
    nodeName: "",
    readOnly: false,
    warn: () => {},
  });
  const writer = new Writer(image);
  // The header, the refcount table and its first block: known to be there from now on.
  const taken = await image.allocator.allocate(3);
  if (taken !== 0) throw formatError("Huh, first cluster in empty image is already in use?", "EIO");
  await image.writeHeader();
  await truncateImage(image, writer, plan.size, plan.preallocation);
  if (plan.backingFile !== undefined) {
    image.backingName = plan.backingFile;
    image.extensions.backingFormat = plan.backingFormat;
    await image.writeHeader();
  }
  await image.flushAll();
  await image.markClean();
}

/**
 * The checked options.
 *
 * @throws {BlockError} of kind `option` or `unsupported`
 */
export function planImage(values: CreateValues): Plan {
  refuseMissing(values);
  const compat = textOf(values, "compat") ?? "1.1";
  const version = versionOf(compat);
  const preallocation = textOf(values, "preallocation") ?? "off";
  if (!isPreallocation(preallocation)) {
    throw optionError(`Parameter 'preallocation' does not accept value '${preallocation}'`, "preallocation");
  }
  const clusterSize = Number(values["cluster_size"] ?? DEFAULT_CLUSTER_BYTES);
  if (!isPowerOfTwo(clusterSize) || clusterSize < 2 ** MIN_CLUSTER_BITS || clusterSize > 2 ** MAX_CLUSTER_BITS) {
    throw optionError("Cluster size must be a power of two between 512 and 2048k", "cluster_size");
  }
  const backingFile = textOf(values, "backing_file");
  const backingFormat = textOf(values, "backing_fmt");
  if (backingFile !== undefined && preallocation !== "off") {
    throw optionError("Backing file and preallocation can only be used at the same time if extended_l2 is on");
  }
  if (backingFormat !== undefined && backingFile === undefined) {
    throw optionError("Backing format cannot be used without backing file");
  }
  if (backingFile !== undefined && new TextEncoder().encode(backingFile).length > MAX_BACKING_NAME_BYTES) {
    throw formatError("Backing file name too long");
  }
  const lazyRefcounts = values["lazy_refcounts"] === true;
  if (version === 2 && lazyRefcounts) {
    throw optionError(
      "Lazy refcounts only supported with compatibility level 1.1 and above (use version=v3 or greater)",
    );
  }
  const refcountBits = Number(values["refcount_bits"] ?? DEFAULT_REFCOUNT_BITS);
  if (!isPowerOfTwo(refcountBits) || refcountBits > 64) {
    throw optionError("Refcount width must be a power of two and may not exceed 64 bits", "refcount_bits");
  }
  if (version === 2 && refcountBits !== 16) {
    throw optionError(
      "Different refcount widths than 16 bits require compatibility level 1.1 or above (use version=v3 or greater)",
    );
  }
  const size = alignUp(Number(values["size"] ?? 0), SECTOR_BYTES);
  const l1Bytes = Math.ceil(size / (clusterSize * clusterSize / 8)) * 8;
  if (l1Bytes > MAX_L1_BYTES) {
    throw formatError(
      "The image size is too large for file format 'qcow2' (try using a larger cluster size)",
      "EFBIG",
    );
  }
  return { version, size, clusterSize, refcountBits, lazyRefcounts, preallocation, backingFile, backingFormat };
}

function refuseMissing(values: CreateValues): void {
  const compression = textOf(values, "compression_type") ?? "zlib";
  if (compression !== "zlib" && compression !== "zstd") {
    throw optionError(`Parameter 'compression-type' does not accept value '${compression}'`, "compression_type");
  }
  if (compression === "zstd") throw unsupported("compression_type=zstd", "compression_type=zstd is not supported");
  if (values["extended_l2"] === true) throw unsupported("extended_l2", "extended_l2=on is not supported");
  if (values["data_file"] !== undefined) throw unsupported("data_file", "data_file is not supported");
  if (values["data_file_raw"] === true) throw optionError("data-file-raw requires data-file", "data_file_raw");
  const encrypts = values["encryption"] === true || Object.keys(values).some((name) => name.startsWith("encrypt."));
  if (encrypts) throw unsupported("encryption", "Encryption of qcow2 images is not supported");
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

/** A header for an empty disk, a refcount table, and its first block: the least that can be opened. */
async function writeEmptyImage(file: HostFile, plan: Plan): Promise<void> {
  const header: Header = {
    version: plan.version,
    backingFileOffset: 0,
    backingFileLength: 0,
    clusterBits: Math.log2(plan.clusterSize),
    size: 0,
    cryptMethod: 0,
    l1Entries: 0,
    l1Offset: 0,
    refcountTableOffset: plan.clusterSize,
    refcountTableClusters: 1,
    snapshotCount: 0,
    snapshotsOffset: 0,
    incompatible: 0n,
    compatible: plan.lazyRefcounts ? BigInt(COMPATIBLE.lazyRefcounts) : 0n,
    autoclear: 0n,
    refcountOrder: Math.log2(plan.refcountBits),
    headerLength: plan.version === 2 ? 72 : HEADER_BYTES,
    compressionType: 0,
    unknownFields: new Uint8Array(0),
  };
  const bytes = new Uint8Array(3 * plan.clusterSize);
  const fixed = encodeHeader(header);
  const extensions = encodeExtensions(noExtensions(), plan.version, plan.clusterSize);
  bytes.set(fixed);
  if (fixed.length + extensions.length <= plan.clusterSize) bytes.set(extensions, fixed.length);
  writeUint64(new DataView(bytes.buffer), plan.clusterSize, 2 * plan.clusterSize);
  await file.write(0, bytes);
}
