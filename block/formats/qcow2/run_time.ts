/**
 * Run-time options of an image that is open already: what `blockdev-reopen` changes.
 *
 * Source: qapi/block-core.json, BlockdevOptionsQcow2.
 *
 * @module
 */
import type { OpenContext } from "../../driver.ts";
import type { BlockdevOptionsQcow2 } from "../../options/blockdev.ts";
import { formatError } from "./failures.ts";
import type { Qcow2Image } from "./image.ts";
import { cacheSizes, overlapBits, settingsFor } from "./settings.ts";

/** Options that may change, or go back to what they are by default. */
export const RUN_TIME_OPTIONS: readonly string[] = [
  "lazy-refcounts",
  "pass-discard-request",
  "pass-discard-snapshot",
  "pass-discard-other",
  "overlap-check",
  "cache-size",
  "l2-cache-size",
  "l2-cache-entry-size",
  "refcount-cache-size",
  "cache-clean-interval",
  "encrypt",
];

/**
 * Checks the options; what it returns takes them, under the image's lock.
 * @throws {BlockError} where they do not fit one another, or the image
 */
export function changeSettings(
  image: Qcow2Image,
  options: BlockdevOptionsQcow2,
  context: OpenContext,
): () => Promise<void> {
  const { header, readOnly } = image;
  checkEncryption(image, options);
  const sizes = cacheSizes(options, header);
  const kinds = overlapBits(options["overlap-check"]);
  const settings = settingsFor(options, header, sizes, { ...context, readOnly });
  return async () => {
    if (!readOnly) await image.flushAll();
    // Refcounts are kept from now on, and are right at this moment.
    if (!readOnly && image.isLazy && !settings.lazyRefcounts) await image.markClean();
    image.settings = { ...settings, readOnly: image.readOnly };
    image.metadata.watch(kinds);
    image.refcounts.cache.capacity = sizes.refcountBlocks;
    if (image.l2.pieceBytes === sizes.l2SliceBytes) image.l2.capacity = sizes.l2CacheSlices;
    else image.cutSlices(sizes.l2SliceBytes, sizes.l2CacheSlices);
  };
}

const METHODS = ["none", "aes", "luks"] as const;

function checkEncryption({ header }: Qcow2Image, { encrypt }: BlockdevOptionsQcow2): void {
  const format = encrypt?.format;
  const method = METHODS[header.cryptMethod] ?? "none";
  if (format === undefined || format === method) return;
  throw formatError(
    method === "none"
      ? `No encryption in image header, but options specified format '${format}'`
      : `Header reported '${method}' encryption format but options specify '${format}'`,
  );
}
