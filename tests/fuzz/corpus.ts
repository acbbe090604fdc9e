/**
 * Damage that is tried again with every test, by target and seed: what once led to something that must not happen, and,
 * of many seeds, what led a check and its repair to the most kinds of findings.
 *
 * @module
 */

/** What is special about a seed. */
export const CORPUS: readonly { readonly target: string; readonly seed: number; readonly what: string }[] = [
  { target: "qcow2", seed: 38, what: "forty kinds of findings in one image" },
  { target: "qcow2", seed: 2, what: "references behind the end of the file, leaks and corruptions mended together" },
  { target: "qcow2", seed: 200240, what: "a refcount table that grows while one of its entries leads nowhere" },
  { target: "qcow2-header", seed: 25, what: "a header that leads behind the end of the file" },
  { target: "qcow2-header", seed: 2, what: "a header that forgets what it led to" },
  { target: "qcow2-tables", seed: 16, what: "reserved bits, copied flags and counts that are wrong together" },
  { target: "qcow2-tables", seed: 35, what: "a repair that frees a hundred clusters" },
  { target: "qcow2-snapshots", seed: 39, what: "snapshots whose tables lie behind the end of the file" },
  { target: "qcow2-snapshots", seed: 11, what: "snapshots that refer to clusters of others" },
  { target: "qcow2-bitmaps", seed: 12, what: "a bitmap directory that leads behind the end of the file" },
  { target: "qcow2-zlib", seed: 27, what: "deflated clusters with reserved bits" },
  { target: "qcow2-zstd", seed: 41, what: "zstd clusters with reserved bits" },
  { target: "qcow2-extended-l2", seed: 38, what: "subclusters that contradict each other" },
  { target: "qcow2-data-file", seed: 28, what: "entries of a data file that cannot be" },
  { target: "qcow2-luks", seed: 18, what: "an encrypted image that leaks five hundred clusters" },
];

/** Mad virtio drivers that get far. */
export const VIRTIO_CORPUS: readonly { readonly seed: number; readonly what: string }[] = [
  { seed: 4, what: "an available index that runs away" },
  { seed: 6, what: "chains that lead back to themselves" },
  { seed: 50, what: "indirect tables outside of RAM" },
  { seed: 137, what: "ranges that are discarded and zeroed between broken rings" },
];

/** Machine states that once did harm. */
export const STATE_CORPUS: readonly { readonly seed: number; readonly what: string }[] = [
  { seed: 53, what: "no list where there has to be one" },
  { seed: 145, what: "the identity of another PCI device" },
];

/** Devices that once did harm. */
export const DEVICE_CORPUS: readonly { readonly seed: number; readonly what: string }[] = [
  { seed: 15, what: "a card that its bus does not take" },
  { seed: 104, what: "a floppy controller on an interrupt that there is not" },
];
