/**
 * The sector with the partition table, from which a disk's geometry is guessed.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import { type BlockBackend, BlockError } from "../../block/mod.ts";

/** The sector with the partition table; zeroes where it cannot be read. */
export async function firstSector(backend: BlockBackend): Promise<Uint8Array> {
  const sector = new Uint8Array(SECTOR_BYTES);
  if (backend.sizeBytes < SECTOR_BYTES) return sector;
  try {
    await backend.read(0, IoVector.of(sector), { account: false });
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    sector.fill(0);
  }
  return sector;
}
