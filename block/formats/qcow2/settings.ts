/**
 * Runtime options of an open image: cache sizes, what is discarded in the file, which overlap checks are made.
 *
 * @module
 */
import { divideCeil } from "../../../base/bits.ts";
import { isPowerOfTwo } from "../../../base/bits.ts";
import { KiB, MiB } from "../../../base/units.ts";
import type { OpenContext } from "../../driver.ts";
import type { BlockdevOptionsQcow2 } from "../../options/blockdev.ts";
import { optionError } from "./failures.ts";
import { COMPATIBLE, type Header, INCOMPATIBLE } from "./header.ts";
import type { ImageSettings } from "./image.ts";
import { ENTRY_BYTES } from "./mapping.ts";
import { OVERLAP_OPTIONS, OVERLAP_TEMPLATES } from "./overlap.ts";

const DEFAULT_L2_CACHE_BYTES = 32 * MiB;
const DEFAULT_L2_ENTRY_BYTES = 64 * KiB;
const MIN_L2_ENTRY_BYTES = 512;
const MIN_L2_ENTRIES = 2;
const MIN_REFCOUNT_BLOCKS = 4;

/** How big the caches are. */
export interface CacheSizes {
  readonly l2SliceBytes: number;
  readonly l2CacheSlices: number;
  readonly refcountBlocks: number;
}

/**
 * Cache sizes as the options ask for them, else as much as the whole disk's L2 tables need, up to 32 MiB.
 *
 * @throws {BlockError} of kind `option`, in QEMU's words
 */
export function cacheSizes(options: BlockdevOptionsQcow2, header: Header): CacheSizes {
  const clusterSize = 2 ** header.clusterBits;
  const sliceBytes = options["l2-cache-entry-size"] ?? Math.min(clusterSize, DEFAULT_L2_ENTRY_BYTES);
  if (!isPowerOfTwo(sliceBytes) || sliceBytes < MIN_L2_ENTRY_BYTES || sliceBytes > clusterSize) {
    throw optionError(
      `L2 cache entry size must be a power of two between ${MIN_L2_ENTRY_BYTES} and the cluster size (${clusterSize})`,
      "l2-cache-entry-size",
    );
  }
  const extended = (header.incompatible & BigInt(INCOMPATIBLE.extendedL2)) !== 0n;
  const wholeDisk = divideCeil(header.size, clusterSize) * (extended ? 2 * ENTRY_BYTES : ENTRY_BYTES);
  const minRefcounts = MIN_REFCOUNT_BLOCKS * clusterSize;
  const both = options["cache-size"];
  let l2 = options["l2-cache-size"];
  let refcounts = options["refcount-cache-size"];
  if (both !== undefined) {
    if (l2 !== undefined && refcounts !== undefined) {
      throw optionError("cache-size, l2-cache-size and refcount-cache-size may not be set at the same time");
    }
    if (l2 !== undefined && l2 > both) throw optionError("l2-cache-size may not exceed cache-size");
    if (refcounts !== undefined && refcounts > both) throw optionError("refcount-cache-size may not exceed cache-size");
    if (l2 !== undefined) refcounts = both - l2;
    else if (refcounts !== undefined) l2 = both - refcounts;
    else {
      // L2 tables first, for they are on every request's way; the refcounts keep their minimum.
      l2 = both >= wholeDisk + minRefcounts ? wholeDisk : Math.max(0, both - Math.min(both, minRefcounts));
      refcounts = both - l2;
    }
  }
  l2 = Math.min(l2 ?? DEFAULT_L2_CACHE_BYTES, Math.max(wholeDisk, MIN_L2_ENTRIES * sliceBytes));
  return {
    l2SliceBytes: sliceBytes,
    l2CacheSlices: Math.max(MIN_L2_ENTRIES, divideCeil(l2, sliceBytes)),
    refcountBlocks: Math.max(MIN_REFCOUNT_BLOCKS, Math.floor((refcounts ?? minRefcounts) / clusterSize)),
  };
}

/** The kinds of metadata that `overlap-check` asks to watch, as bits. */
export function overlapBits(option: BlockdevOptionsQcow2["overlap-check"]): number {
  if (option === undefined) return OVERLAP_TEMPLATES.cached;
  if (typeof option === "string") return template(option);
  let bits = template(String(option["template"] ?? "cached"));
  for (const [name, bit] of Object.entries(OVERLAP_OPTIONS)) {
    if (option[name] === undefined) continue;
    bits = option[name] === true || option[name] === "on" ? bits | bit : bits & ~bit;
  }
  return bits;
}

function template(name: string): number {
  if (!Object.hasOwn(OVERLAP_TEMPLATES, name)) {
    throw optionError(
      `Unsupported value '${name}' for qcow2 option 'overlap-check'. Allowed are any of the following: ` +
        "none, constant, cached, all",
      "overlap-check",
    );
  }
  return OVERLAP_TEMPLATES[name as keyof typeof OVERLAP_TEMPLATES];
}

/** The settings of an image with `header`. */
export function settingsFor(
  options: BlockdevOptionsQcow2,
  header: Header,
  sizes: CacheSizes,
  context: Pick<OpenContext, "nodeName" | "readOnly" | "warn" | "notice" | "tell">,
): ImageSettings {
  const lazy = options["lazy-refcounts"] ?? (header.compatible & BigInt(COMPATIBLE.lazyRefcounts)) !== 0n;
  if (lazy && header.version < 3) {
    throw optionError("Lazy refcounts require a qcow2 image with at least qemu 1.1 compatibility level");
  }
  return {
    nodeName: context.nodeName,
    readOnly: context.readOnly,
    lazyRefcounts: lazy,
    passDiscard: {
      request: options["pass-discard-request"] ?? options.discard === "unmap",
      snapshot: options["pass-discard-snapshot"] ?? true,
      other: options["pass-discard-other"] ?? false,
    },
    l2SliceBytes: sizes.l2SliceBytes,
    l2CacheSlices: sizes.l2CacheSlices,
    tell: context.tell,
    // QEMU prints what the driver finds as it is.
    warn: (message) => context.notice === undefined ? context.warn(message) : context.notice(message),
  };
}
