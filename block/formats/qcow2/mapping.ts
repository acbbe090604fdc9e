/**
 * What L1 and L2 entries say: where a guest cluster's bytes are.
 *
 * Entries are two 32-bit halves, `high` and `low`, so that no BigInt is made on the way of a request.
 *
 * Source: [QCOW2] "Cluster mapping".
 *
 * @module
 */

/** Bit 63: refcount exactly one, so writing in place is allowed. */
export const COPIED_HIGH = 0x8000_0000;
/** Bit 62. */
const COMPRESSED_HIGH = 0x4000_0000;
/** Bit 0. */
export const ZERO_LOW = 1;
/** Bits 9 to 55 of an entry are an offset. */
const OFFSET_HIGH = 0x00ff_ffff;

export const ENTRY_BYTES = 8;
const SECTOR_BYTES = 512;
const TWO_32 = 0x1_0000_0000;

/** Where a guest cluster's bytes come from. */
export type Mapping =
  /** This image says nothing. */
  | { readonly kind: "unallocated" }
  /** Zeroes; `host` is a cluster that is kept for it, 0 for none. */
  | { readonly kind: "zero"; readonly host: number; readonly copied: boolean }
  | { readonly kind: "data"; readonly host: number; readonly copied: boolean }
  /** Deflated, in `length` bytes at most. */
  | { readonly kind: "compressed"; readonly host: number; readonly length: number };

const UNALLOCATED: Mapping = { kind: "unallocated" };

/** The offset in an L1 or a standard L2 entry: bits 9 to 55. */
export function entryOffset(high: number, low: number): number {
  return (high & OFFSET_HIGH) * TWO_32 + ((low & ~0x1ff) >>> 0);
}

/** Whether the entry is one of plain data, in place: the question of the fast path. */
export function isPlainData(high: number, low: number): boolean {
  return (high & COMPRESSED_HIGH) === 0 && (low & ZERO_LOW) === 0 && ((high & OFFSET_HIGH) !== 0 || low >>> 9 !== 0);
}

/** The meaning of an L2 entry; version 2 has no zero flag. */
export function decodeEntry(high: number, low: number, clusterBits: number): Mapping {
  if ((high & COMPRESSED_HIGH) !== 0) return decodeCompressed(high, low, clusterBits);
  const host = entryOffset(high, low);
  const copied = (high & COPIED_HIGH) !== 0;
  if ((low & ZERO_LOW) !== 0) return { kind: "zero", host, copied };
  return host === 0 ? UNALLOCATED : { kind: "data", host, copied };
}

function decodeCompressed(high: number, low: number, clusterBits: number): Mapping {
  // The border between offset and sector count lies in the high half, whatever the cluster size.
  const offsetBits = 62 - (clusterBits - 8);
  const border = 2 ** (offsetBits - 32);
  const upper = high & 0x3fff_ffff;
  const host = (upper % border) * TWO_32 + low;
  return { kind: "compressed", host, length: (Math.floor(upper / border) + 1) * SECTOR_BYTES - host % SECTOR_BYTES };
}

/** The high and low half of an entry for `mapping`. */
export function encodeEntry(mapping: Mapping, clusterBits: number): [high: number, low: number] {
  switch (mapping.kind) {
    case "unallocated":
      return [0, 0];
    case "zero":
    case "data": {
      const high = Math.floor(mapping.host / TWO_32) + (mapping.copied && mapping.host !== 0 ? COPIED_HIGH : 0);
      return [high, mapping.host % TWO_32 + (mapping.kind === "zero" ? ZERO_LOW : 0)];
    }
    case "compressed": {
      const sectors = Math.floor((mapping.host + mapping.length - 1) / SECTOR_BYTES) -
        Math.floor(mapping.host / SECTOR_BYTES);
      const offsetBits = 62 - (clusterBits - 8);
      const high = COMPRESSED_HIGH + sectors * 2 ** (offsetBits - 32) + Math.floor(mapping.host / TWO_32);
      return [high, mapping.host % TWO_32];
    }
  }
}
