/**
 * Cylinders, heads and sectors, which firmware and old systems still ask for.
 *
 * @module
 */
import { SECTOR_BYTES } from "../../base/units.ts";
import type { BlockBackend } from "../../block/mod.ts";
import { checkGeometry, firstSector, guessGeometry } from "../drive/mod.ts";
import type { BlkValues } from "./blk_properties.ts";

const MAX_HEADS = 255;

/** As asked for, or guessed from the disk. @throws PropertyError in QEMU's words */
export async function settleGeometry(values: BlkValues, backend: BlockBackend): Promise<void> {
  if (values.cyls === 0 && values.heads === 0 && values.secs === 0) {
    const sectors = Math.floor(backend.sizeBytes / SECTOR_BYTES);
    const { geometry } = guessGeometry(await firstSector(backend), sectors);
    values.cyls = geometry.cylinders;
    values.heads = geometry.heads;
    values.secs = geometry.sectors;
  }
  checkGeometry(values, MAX_HEADS);
}
