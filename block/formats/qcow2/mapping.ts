/**
 * What L1 and L2 entries say: where a guest cluster's bytes are.
 *
 * Entries are two 32-bit halves, `high` and `low`, so that no BigInt is made on the way of a request. An extended L2
 * entry is such an entry with two bitmaps behind it, which say for each of 32 subclusters whether it is data, zeroes or
 * neither; one whose subclusters all agree decodes to the same mapping as a standard entry.
 *
 * With an external data file an offset of 0 is a place like any other, and "exactly one reference" tells that it is meant.
 *
 * Source: [QCOW2] "Cluster mapping", "Extended L2 Entries".
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

/** Where a guest cluster's bytes come from, by an entry alone. */
export type StandardMapping =
  /** This image says nothing. */
  | { readonly kind: "unallocated" }
  /** Zeroes; `host` is a cluster that is kept for it, 0 for none. */
  | { readonly kind: "zero"; readonly host: number; readonly copied: boolean }
  | { readonly kind: "data"; readonly host: number; readonly copied: boolean }
  /** Compressed, in `length` bytes at most. */
  | { readonly kind: "compressed"; readonly host: number; readonly length: number };

/** Where a guest cluster's bytes come from. */
export type Mapping =
  | StandardMapping
  /** Subclusters that differ: a bit of `data` or `zero` each, the first subcluster's the lowest; neither: unallocated. */
  | {
    readonly kind: "mixed";
    readonly host: number;
    readonly copied: boolean;
    readonly data: number;
    readonly zero: number;
  }
  /** Bitmaps that contradict each other, or say "data" where there is no cluster. */
  | { readonly kind: "invalid"; readonly host: number; readonly copied: boolean };

/** Where a run's bytes come from: what a reader has to tell apart. */
export type RunMapping = StandardMapping;

/** Subclusters of a cluster, where there are any. */
export const SUBCLUSTERS = 32;
/** All of them, as a bitmap. */
export const ALL_SUBCLUSTERS = 0xffff_ffff;

const UNALLOCATED: StandardMapping = { kind: "unallocated" };

/** The offset in an L1 or a standard L2 entry: bits 9 to 55. */
export function entryOffset(high: number, low: number): number {
  return (high & OFFSET_HIGH) * TWO_32 + ((low & ~0x1ff) >>> 0);
}

/** Whether the entry is one of plain data, in place: the question of the fast path. */
export function isPlainData(high: number, low: number): boolean {
  return (high & COMPRESSED_HIGH) === 0 && (low & ZERO_LOW) === 0 && ((high & OFFSET_HIGH) !== 0 || low >>> 9 !== 0);
}

/** The meaning of a standard L2 entry in an image without an external data file; version 2 has no zero flag. */
export function decodeEntry(high: number, low: number, clusterBits: number): StandardMapping {
  if ((high & COMPRESSED_HIGH) !== 0) return decodeCompressed(high, low, clusterBits);
  const host = entryOffset(high, low);
  const copied = (high & COPIED_HIGH) !== 0;
  if ((low & ZERO_LOW) !== 0) return { kind: "zero", host, copied };
  return host === 0 ? UNALLOCATED : { kind: "data", host, copied };
}

function decodeCompressed(high: number, low: number, clusterBits: number): StandardMapping {
  // The border between offset and sector count lies in the high half, whatever the cluster size.
  const offsetBits = 62 - (clusterBits - 8);
  const border = 2 ** (offsetBits - 32);
  const upper = high & 0x3fff_ffff;
  const host = (upper % border) * TWO_32 + low;
  return { kind: "compressed", host, length: (Math.floor(upper / border) + 1) * SECTOR_BYTES - host % SECTOR_BYTES };
}

/** The high and low half of a standard entry for `mapping`. */
export function encodeEntry(mapping: StandardMapping, clusterBits: number): [high: number, low: number] {
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

/** How one image's L2 entries are laid out and read. */
export class EntryFormat {
  /** Bytes of one entry: 8, or 16 with subclusters. */
  readonly entryBytes: number;
  readonly extended: boolean;
  readonly #clusterBits: number;
  readonly #external: boolean;

  constructor(options: { clusterBits: number; extended: boolean; external: boolean }) {
    this.#clusterBits = options.clusterBits;
    this.extended = options.extended;
    this.#external = options.external;
    this.entryBytes = options.extended ? 2 * ENTRY_BYTES : ENTRY_BYTES;
  }

  /** The meaning of entry `index` of the table in `view`. */
  decode(view: DataView, index: number): Mapping {
    const at = index * this.entryBytes;
    const high = view.getUint32(at);
    const low = view.getUint32(at + 4);
    if (this.extended) return this.#decodeExtended(view, at, high, low);
    if (!this.#external || (high & COMPRESSED_HIGH) !== 0 || (low & ZERO_LOW) !== 0) {
      return decodeEntry(high, low, this.#clusterBits);
    }
    const host = entryOffset(high, low);
    const copied = (high & COPIED_HIGH) !== 0;
    return host === 0 && !copied ? UNALLOCATED : { kind: "data", host, copied };
  }

  #decodeExtended(view: DataView, at: number, high: number, low: number): Mapping {
    if ((high & COMPRESSED_HIGH) !== 0) return decodeCompressed(high, low, this.#clusterBits);
    const zero = view.getUint32(at + 8);
    const data = view.getUint32(at + 12);
    return this.fromBits(entryOffset(high, low), (high & COPIED_HIGH) !== 0, data, zero);
  }

  /** What a cluster at `host` (0 for none) is whose subclusters have these states. */
  fromBits(host: number, copied: boolean, data: number, zero: number): Mapping {
    const present = host !== 0 || (this.#external && copied);
    if (present ? (data & zero) !== 0 : data !== 0) return { kind: "invalid", host, copied };
    if (zero === ALL_SUBCLUSTERS) return { kind: "zero", host, copied };
    if (data === ALL_SUBCLUSTERS) return { kind: "data", host, copied };
    return present || zero !== 0 ? { kind: "mixed", host, copied, data, zero } : UNALLOCATED;
  }

  /** Whether `mapping` has a host cluster for its data, written or not. */
  hasHost(mapping: Mapping): mapping is Mapping & { host: number; copied: boolean } {
    switch (mapping.kind) {
      case "unallocated":
      case "compressed":
        return false;
      case "data":
        return true;
      case "zero":
      case "mixed":
      case "invalid":
        return mapping.host !== 0 || (this.#external && this.extended && mapping.copied);
    }
  }

  /** Writes `mapping` as entry `index` of the table in `view`. */
  encode(view: DataView, index: number, mapping: Mapping): void {
    const at = index * this.entryBytes;
    const [high, low] = this.#encodeWord(mapping);
    view.setUint32(at, high);
    view.setUint32(at + 4, low);
    if (!this.extended) return;
    const { data, zero } = subclusterBits(mapping);
    view.setUint32(at + 8, zero);
    view.setUint32(at + 12, data);
  }

  #encodeWord(mapping: Mapping): [high: number, low: number] {
    if (mapping.kind === "unallocated" || mapping.kind === "compressed") {
      return encodeEntry(mapping, this.#clusterBits);
    }
    const { host, copied } = mapping;
    const marked = copied && (host !== 0 || this.#external);
    const zero = mapping.kind === "zero" && !this.extended;
    return [Math.floor(host / TWO_32) + (marked ? COPIED_HIGH : 0), host % TWO_32 + (zero ? ZERO_LOW : 0)];
  }
}

/** The states of a cluster's subclusters, as the bitmaps of an extended entry. */
export function subclusterBits(mapping: Mapping): { readonly data: number; readonly zero: number } {
  switch (mapping.kind) {
    case "mixed":
      return mapping;
    case "data":
      return { data: ALL_SUBCLUSTERS, zero: 0 };
    case "zero":
      return { data: 0, zero: ALL_SUBCLUSTERS };
    case "unallocated":
    case "compressed":
    case "invalid":
      return { data: 0, zero: 0 };
  }
}

/** The bits of subclusters `first` to `last`, both included. */
export function subclusterRange(first: number, last: number): number {
  const upTo = last >= SUBCLUSTERS - 1 ? ALL_SUBCLUSTERS : 2 ** (last + 1) - 1;
  return (upTo & ~(2 ** first - 1)) >>> 0;
}
