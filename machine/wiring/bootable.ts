/**
 * Whether there is something to boot: a signature in the first sector of a disk, or El Torito's record on a CD.
 *
 * Source: [EDD-4] 5.3 "Master boot record"; [EL TORITO] 2.0 "Boot Record Volume".
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import type { BlockBackend } from "../../block/mod.ts";

const CD_SECTOR_BYTES = 2048;
const BOOT_RECORD_SECTOR = 17;
const BOOT_RECORD = "\0CD001\x01EL TORITO SPECIFICATION";

/** Looks at the medium; one that cannot be read has nothing. */
export async function isBootable({ node }: BlockBackend): Promise<boolean> {
  if (node === undefined) return false;
  const read = async (at: number, lengthBytes: number) => {
    const bytes = new Uint8Array(lengthBytes);
    if (node.size >= at + lengthBytes) await node.read(at, IoVector.of(bytes)).catch(() => {});
    return bytes;
  };
  const first = await read(0, SECTOR_BYTES);
  if (first[510] === 0x55 && first[511] === 0xaa) return true;
  const record = await read(BOOT_RECORD_SECTOR * CD_SECTOR_BYTES, BOOT_RECORD.length);
  return new TextDecoder("latin1").decode(record) === BOOT_RECORD;
}
