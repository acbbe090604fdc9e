/**
 * What `info` shows of an image, under QEMU's keys.
 *
 * @module
 */
import type { DriverInfo } from "../../driver.ts";
import { BITMAP_FLAG, type StoredBitmap } from "./bitmap_directory.ts";
import { EncryptedData } from "./encryption.ts";
import { INCOMPATIBLE } from "./header.ts";
import type { Qcow2Image } from "./image.ts";

/** QEMU's ImageInfoSpecificQCow2. */
export function specificInfo(image: Qcow2Image): Readonly<Record<string, unknown>> {
  const { header, extensions } = image;
  const bit = (mask: number) => (header.incompatible & BigInt(mask)) !== 0n;
  const common = { compat: header.version === 2 ? "0.10" : "1.1", "compression-type": image.compression };
  const encrypt = image.data instanceof EncryptedData ? { encrypt: image.data.info() } : {};
  if (header.version === 2) return { ...common, "refcount-bits": 16, ...encrypt };
  return {
    ...common,
    "lazy-refcounts": (header.compatible & 1n) !== 0n,
    ...(image.storedBitmaps.length === 0 ? {} : { bitmaps: image.storedBitmaps.map(bitmapInfo) }),
    "refcount-bits": 2 ** header.refcountOrder,
    ...(image.isExternal && extensions.dataFile !== undefined ? { "data-file": extensions.dataFile } : {}),
    ...(image.isExternal ? { "data-file-raw": image.isDataRaw } : {}),
    ...encrypt,
    corrupt: bit(INCOMPATIBLE.corrupt),
    "extended-l2": bit(INCOMPATIBLE.extendedL2),
  };
}

/** QEMU's Qcow2BitmapInfo. */
function bitmapInfo({ name, flags, granularityBits }: StoredBitmap): Readonly<Record<string, unknown>> {
  const names = [(flags & BITMAP_FLAG.inUse) === 0 ? [] : "in-use", (flags & BITMAP_FLAG.auto) === 0 ? [] : "auto"];
  return { flags: names.flat(), name, granularity: 2 ** granularityBits };
}

/** All that the image's driver tells. */
export function imageInfo(image: Qcow2Image): DriverInfo {
  const { header, extensions } = image;
  return {
    clusterSizeBytes: image.clusterSize,
    ...(image.backingName === "" ? {} : { backingFile: image.backingName }),
    ...(extensions.backingFormat === undefined ? {} : { backingFormat: extensions.backingFormat }),
    encrypted: header.cryptMethod !== 0,
    dirty: (header.incompatible & BigInt(INCOMPATIBLE.dirty)) !== 0n,
    vmStateOffsetBytes: image.vmStateOffset,
    specific: specificInfo(image),
  };
}
