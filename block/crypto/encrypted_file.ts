/**
 * Encrypted bytes of a file: what the luks format and encrypted qcow2 images read and write their data through.
 *
 * A write encrypts into fresh memory, so that the guest's stays as it is; a read decrypts in place.
 *
 * @module
 */
import type { IoVector } from "../../base/io_vector.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import type { SectorCipher } from "./sector_cipher.ts";

/** What is read and written: a block node, or a part of one. */
export interface CiphertextFile {
  read(at: number, into: IoVector): Promise<void>;
  write(at: number, from: IoVector): Promise<void>;
}

/** Most bytes of ciphertext that one request has in memory at a time. */
const PIECE_BYTES = 1 << 20;

/** Reads `into.length` bytes at `at` of `file`, encrypted as from byte `position` of the payload on. */
export async function readEncrypted(
  file: CiphertextFile,
  cipher: SectorCipher,
  at: number,
  position: number,
  into: IoVector,
): Promise<void> {
  await file.read(at, into);
  cipher.decrypt(position / SECTOR_BYTES, into);
}

/** Writes `from` at `at` of `file`, encrypted as from byte `position` of the payload on. */
export async function writeEncrypted(
  file: CiphertextFile,
  cipher: SectorCipher,
  at: number,
  position: number,
  from: IoVector,
): Promise<void> {
  for (let done = 0; done < from.length; done += PIECE_BYTES) {
    const piece = from.slice(done, Math.min(PIECE_BYTES, from.length - done));
    await file.write(at + done, cipher.encrypt((position + done) / SECTOR_BYTES, piece));
  }
}
