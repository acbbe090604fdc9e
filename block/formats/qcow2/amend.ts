/**
 * Changing what an image was made with, without touching its data: version 2 or 3, lazy refcounts, the width of refcounts,
 * the name of its data file.
 *
 * Source: [QCOW2] "Header".
 *
 * @module
 */
import type { AmendChange } from "../../driver.ts";
import { expandZeroes, hasCompressed } from "./expand_zeroes.ts";
import { stateError } from "./failures.ts";
import { AUTOCLEAR, COMPATIBLE, HEADER_BYTES, INCOMPATIBLE, V2_HEADER_BYTES } from "./header.ts";
import { rewriteHeader } from "./header_update.ts";
import type { Qcow2Image } from "./image.ts";
import { changeRefcountWidth } from "./refcount_width.ts";

/**
 * Makes the changes, one after the other: first what needs version 3, version 2 last. Runs alone.
 *
 * @throws {BlockError} where the image stands against it; what came before is done then
 */
export async function amendImage(image: Qcow2Image, change: AmendChange): Promise<void> {
  image.ensureWorking("write");
  await image.file.settleData();
  await image.flushAll();
  await image.markClean();
  const version = change.version ?? image.header.version;
  if (version > image.header.version) await changeHeader(image, upgrade);
  if (change.refcountBits !== undefined) await changeRefcountWidth(image, Math.log2(change.refcountBits));
  await changeDataFile(image, change);
  if (change.lazyRefcounts !== undefined) await changeLazy(image, change.lazyRefcounts);
  if (version < image.header.version) await downgrade(image);
}

/** Writes the header as `apply` has changed it; in memory it is what it was where that fails. */
async function changeHeader(image: Qcow2Image, apply: (image: Qcow2Image) => void): Promise<void> {
  const before = { ...image.header };
  const dataFile = image.extensions.dataFile;
  apply(image);
  try {
    await rewriteHeader(image);
  } catch (error) {
    Object.assign(image.header, before);
    image.extensions.dataFile = dataFile;
    throw error;
  }
}

function upgrade({ header }: Qcow2Image): void {
  header.version = 3;
  header.headerLength = HEADER_BYTES;
}

async function changeDataFile(image: Qcow2Image, { dataFile, dataFileRaw }: AmendChange): Promise<void> {
  if (dataFile === undefined && dataFileRaw === undefined) return;
  await changeHeader(image, ({ header, extensions }) => {
    if (dataFile !== undefined) extensions.dataFile = dataFile === "" ? undefined : dataFile;
    if (dataFileRaw === false) header.autoclear &= ~BigInt(AUTOCLEAR.dataFileRaw);
  });
}

async function changeLazy(image: Qcow2Image, on: boolean): Promise<void> {
  const isOn = (image.header.compatible & BigInt(COMPATIBLE.lazyRefcounts)) !== 0n;
  if (on !== isOn) await changeHeader(image, () => image.setLazyFeature(on));
  if (!on) image.settings = { ...image.settings, lazyRefcounts: false };
}

/** Version 2: nothing may be left that it has no words for. */
async function downgrade(image: Qcow2Image): Promise<void> {
  const { header } = image;
  const zstd = BigInt(INCOMPATIBLE.compressionType);
  if ((header.incompatible & BigInt(INCOMPATIBLE.dataFile)) !== 0n) {
    throw stateError("Cannot downgrade an image with a data file", "ENOTSUP");
  }
  if ((header.incompatible & zstd) !== 0n && await hasCompressed(image)) {
    const text = "Cannot downgrade an image with zstd compression type and existing compressed clusters";
    throw stateError(text, "ENOTSUP");
  }
  const others = header.incompatible & ~zstd & ~BigInt(INCOMPATIBLE.dirty);
  if (others !== 0n) {
    throw stateError(`Cannot downgrade an image with incompatible features 0x${others.toString(16)} set`, "ENOTSUP");
  }
  if (image.snapshots.some((one) => one.vmStateBytes !== 0 || one.diskBytes !== header.size)) {
    throw stateError("Internal snapshots prevent downgrade of image", "ENOTSUP");
  }
  if (header.refcountOrder !== 4) throw stateError("compat=0.10 requires refcount_bits=16", "ENOTSUP");
  await expandZeroes(image);
  await changeHeader(image, () => {
    header.version = 2;
    header.headerLength = V2_HEADER_BYTES;
    Object.assign(header, { incompatible: 0n, compatible: 0n, autoclear: 0n, compressionType: 0 });
  });
  image.settings = { ...image.settings, lazyRefcounts: false };
}
