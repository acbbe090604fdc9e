/**
 * Changing what an image was made with, without touching its data: version 2 or 3, lazy refcounts.
 *
 * Left out: other refcount widths; version 2 of an image with zero clusters, which that version cannot say.
 *
 * Source: [QCOW2] "Header".
 *
 * @module
 */
import type { AmendChange } from "../../driver.ts";
import { BlockError } from "../../errors.ts";
import { stateError } from "./failures.ts";
import { rewriteHeader } from "./header_update.ts";
import { INCOMPATIBLE } from "./header.ts";
import type { Qcow2Image } from "./image.ts";
import { snapshotInfo } from "./snapshots.ts";
import { statusOf } from "./status.ts";

const V2_HEADER_BYTES = 72;
const V3_HEADER_BYTES = 112;

/** Makes the change, all of it or none. @throws {BlockError} where the image stands against it. */
export async function amendImage(image: Qcow2Image, change: AmendChange): Promise<void> {
  image.ensureWorking("write");
  if (change.version === undefined && change.lazyRefcounts === undefined) return;
  const { header } = image;
  const version = change.version ?? header.version;
  if (version < header.version) await refuseDowngrade(image);
  await image.lock.run(async () => {
    await image.flushAll();
    await image.markClean();
    const before = { ...header };
    if (version !== header.version) {
      header.version = version;
      header.headerLength = version === 2 ? V2_HEADER_BYTES : V3_HEADER_BYTES;
    }
    if (change.lazyRefcounts !== undefined) image.setLazyFeature(change.lazyRefcounts);
    if (version === 2) Object.assign(header, { incompatible: 0n, compatible: 0n, autoclear: 0n });
    try {
      await rewriteHeader(image);
    } catch (error) {
      Object.assign(header, before);
      throw error;
    }
    if (version === 2 || change.lazyRefcounts === false) image.settings = { ...image.settings, lazyRefcounts: false };
  });
}

async function refuseDowngrade(image: Qcow2Image): Promise<void> {
  const { header } = image;
  if (header.refcountOrder !== 4) throw stateError("compat=0.10 requires refcount_bits=16", "ENOTSUP");
  const infos = image.snapshots.map(snapshotInfo);
  if (infos.some(({ vmStateBytes, diskBytes }) => vmStateBytes !== 0 || diskBytes !== header.size)) {
    throw stateError("Internal snapshots prevent downgrade of image", "ENOTSUP");
  }
  if (infos.length > 0) {
    const text = "moa does not look for zero clusters in snapshots yet, as compat=0.10 needs";
    throw new BlockError({ kind: "unsupported", feature: "compat=0.10", text });
  }
  const marks = header.incompatible & ~BigInt(INCOMPATIBLE.dirty);
  if (marks !== 0n || image.extensions.bitmaps !== undefined) {
    throw stateError("Image has features that compat=0.10 has not", "ENOTSUP");
  }
  for (let at = 0; at < header.size;) {
    const extent = await statusOf(image, at, header.size - at);
    if (extent.kind === "zero") {
      const text = "moa does not make zero clusters into data yet, as compat=0.10 needs";
      throw new BlockError({ kind: "unsupported", feature: "compat=0.10", text });
    }
    at += extent.lengthBytes;
  }
}
