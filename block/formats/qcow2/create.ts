/**
 * Making an image with QEMU's layout: header, refcount table, refcount block, L1 table, then clusters in order of use.
 *
 * Source: [QCOW2]; the order of the parts is what qemu-img writes, so that `cmp` finds no difference.
 *
 * @module
 */
import type { CreateContext, CreateValues } from "../../driver.ts";
import { prefixed } from "../../errors.ts";
import { COMPRESSIONS } from "./compressed.ts";
import { type Plan, planImage } from "./create_plan.ts";
import { planEncryption, setUpEncryption } from "./encryption_create.ts";
import { encodeExtensions, noExtensions } from "./header_extensions.ts";
import { AUTOCLEAR, COMPATIBLE, encodeHeader, type Header, HEADER_BYTES, INCOMPATIBLE, writeUint64 } from "./header.ts";
import { HostFile } from "./host_file.ts";
import { openImage } from "./open.ts";
import { writeCount } from "./refcounts.ts";
import { truncateImage } from "./truncate.ts";
import { Writer } from "./write.ts";

/** Makes an image in `context.file`, which is empty. */
export async function createImage(values: CreateValues, context: CreateContext): Promise<void> {
  const plan = planImage(values);
  const encryption = await planEncryption(values, context.secrets);
  const file = new HostFile(context.file);
  const dataFile = plan.dataFile === undefined ? undefined : new HostFile(await context.createFile(plan.dataFile));
  await writeEmptyImage(file, plan);
  const options = { driver: "qcow2", file: "" } as const;
  const scope = { nodeName: "", readOnly: false, secrets: context.secrets, warn: () => {} };
  const image = await openImage(file, options, scope, { dataFile });
  image.extensions.dataFile = plan.dataFile;
  const writer = new Writer(image);
  await image.writeHeader();
  try {
    await truncateImage(image, writer, plan.size, plan.preallocation);
  } catch (error) {
    throw prefixed("Could not resize image: ", error);
  }
  if (plan.backingFile !== undefined) {
    image.backingName = plan.backingFile;
    image.extensions.backingFormat = plan.backingFormat;
    await image.writeHeader();
  }
  if (encryption !== undefined) await setUpEncryption(image, encryption, context);
  await image.flushAll();
  await image.markClean();
}

/**
 * A header for an empty disk, a refcount table, and its first block, which counts the three: the least that can be opened.
 * The header comes last, so that what power loss leaves is either no image or a sound one.
 */
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
    incompatible: incompatibleFeatures(plan),
    compatible: plan.lazyRefcounts ? BigInt(COMPATIBLE.lazyRefcounts) : 0n,
    autoclear: plan.dataFileRaw ? BigInt(AUTOCLEAR.dataFileRaw) : 0n,
    refcountOrder: Math.log2(plan.refcountBits),
    headerLength: plan.version === 2 ? 72 : HEADER_BYTES,
    compressionType: COMPRESSIONS.indexOf(plan.compression),
    unknownFields: new Uint8Array(0),
  };
  const { clusterSize } = plan;
  const bytes = new Uint8Array(clusterSize);
  const fixed = encodeHeader(header);
  const extensions = encodeExtensions(noExtensions(), plan.version, clusterSize);
  bytes.set(fixed);
  if (fixed.length + extensions.length <= clusterSize) bytes.set(extensions, fixed.length);
  const counts = new Uint8Array(2 * clusterSize);
  writeUint64(new DataView(counts.buffer), 0, 2 * clusterSize);
  const block = new DataView(counts.buffer, clusterSize);
  for (let cluster = 0; cluster < 3; cluster++) writeCount(block, cluster, header.refcountOrder, 1);
  await file.write(clusterSize, counts);
  await file.flush();
  await file.write(0, bytes);
}

function incompatibleFeatures(plan: Plan): bigint {
  let bits = 0;
  if (plan.compression !== "zlib") bits |= INCOMPATIBLE.compressionType;
  if (plan.extendedL2) bits |= INCOMPATIBLE.extendedL2;
  if (plan.dataFile !== undefined) bits |= INCOMPATIBLE.dataFile;
  return BigInt(bits);
}
