/**
 * The boot catalog of a CD: one entry, no disk emulated.
 *
 * Source: El Torito Bootable CD-ROM Format Specification 1.0, figures 2 and 3.
 *
 * @module
 */
import { divideCeil } from "../../base/bits.ts";
import { SECTOR_BYTES } from "../../base/units.ts";

const BOOTABLE = 0x88;
/** More the firmware need not load at once: the count has 16 bits. */
const MAX_LOADED_SECTORS = 0xffff;

/** The catalog for an image that lies at `block`: it is loaded whole, up to 32 MiB, and started. */
export function bootCatalog(image: { readonly block: number; readonly bytes: number }): Uint8Array {
  const catalog = new Uint8Array(64);
  const view = new DataView(catalog.buffer);
  // The validation entry: for an 80x86, and all its words add up to zero.
  catalog[0] = 1;
  new TextEncoder().encodeInto("moa", catalog.subarray(4));
  view.setUint16(30, 0xaa55, true);
  let sum = 0;
  for (let at = 0; at < 32; at += 2) sum += view.getUint16(at, true);
  view.setUint16(28, -sum & 0xffff, true);
  // The entry that is started from, at the usual segment.
  catalog[32] = BOOTABLE;
  view.setUint16(38, Math.min(divideCeil(image.bytes, SECTOR_BYTES), MAX_LOADED_SECTORS), true);
  view.setUint32(40, image.block, true);
  return catalog;
}
