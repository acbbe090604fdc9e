/**
 * The order in which QEMU's objects list their keys.
 *
 * They lie in 512 buckets by a hash of the key; listed are the buckets in order, and in each the newest key first. Texts
 * that programs compare keep that order.
 *
 * @module
 */

const BUCKETS = 512;

/** `keys`, in the order of their making, as QEMU lists them. */
export function qdictOrder(keys: readonly string[]): string[] {
  return keys.map((key, index) => ({ key, index, bucket: bucketOf(key) }))
    .sort((a, b) => a.bucket - b.bucket || b.index - a.index)
    .map(({ key }) => key);
}

/** The hash of QEMU's dictionaries (the one of TDB), modulo the number of buckets. */
function bucketOf(key: string): number {
  const bytes = new TextEncoder().encode(key);
  let value = Math.imul(0x238f13af, bytes.length) >>> 0;
  bytes.forEach((byte, index) => value = (value + ((byte << (index * 5 % 24)) >>> 0)) >>> 0);
  return ((Math.imul(1103515243, value) + 12345) >>> 0) % BUCKETS;
}
