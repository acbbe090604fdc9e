/**
 * Making an image with QEMU's layout: header, refcount table, refcount block, L1 table, then clusters in order of use.
 *
 * Source: [QCOW2]; the order of the parts is what qemu-img writes, so that `cmp` finds no difference.
 *
 * @module
 */
import type { CreateContext, CreateValues } from "../../driver.ts";
import { COMPRESSIONS } from "./compressed.ts";
import { type Plan, planImage } from "./create_plan.ts";
import { formatError, unsupported } from "./failures.ts";
import { encodeExtensions, noExtensions } from "./header_extensions.ts";
import { COMPATIBLE, encodeHeader, type Header, HEADER_BYTES, INCOMPATIBLE, writeUint64 } from "./header.ts";
import { HostFile } from "./host_file.ts";
import { openImage } from "./open.ts";
import { truncateImage } from "./truncate.ts";
import { Writer } from "./write.ts";

/** Makes an image in `context.file`, which is empty. */
export async function createImage(values: CreateValues, context: CreateContext): Promise<void> {
  const plan = planImage(values);
  if (plan.extendedL2) throw unsupported("extended_l2", "extended_l2=on is not supported");
  if (plan.dataFile !== undefined) throw unsupported("data_file", "data_file is not supported");
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
    incompatible: BigInt(
      plan.compression === "zlib" ? 0 : INCOMPATIBLE.compressionType,
    ),
    compatible: plan.lazyRefcounts ? BigInt(COMPATIBLE.lazyRefcounts) : 0n,
    autoclear: 0n,
    refcountOrder: Math.log2(plan.refcountBits),
    headerLength: plan.version === 2 ? 72 : HEADER_BYTES,
    compressionType: COMPRESSIONS.indexOf(plan.compression),
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
