/**
 * Key slots: storing the volume's key under a passphrase, finding it again, and erasing a slot for good.
 *
 * A slot counts when the header says so: its material is durable before the header names it, and the header forgets it
 * before the material is overwritten. A power failure in between leaves the slot as it was, or empty.
 *
 * Source: [LUKS1] "Adding new passwords", "Master key recovery", "Password revocation".
 *
 * @module
 */
import { nodeCrypto } from "../../base/node_crypto.ts";
import { alignUp } from "../../base/bits.ts";
import { IoVector } from "../../base/io_vector.ts";
import type { Random } from "../../base/random.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import { mergeKey, splitKey } from "./anti_forensic.ts";
import { headerError, stateError } from "./failures.ts";
import { DIGEST_BYTES, encodeLuksHeader, type KeySlot, type LuksHeader, SALT_BYTES } from "./luks_header.ts";
import { deriveKey, MAX_ITERATIONS } from "./passphrase_key.ts";
import { SectorCipher } from "./sector_cipher.ts";

/** Where a volume's header and key material lie: offsets count from the volume's beginning. */
export interface HeaderFile {
  /** Bytes beyond the file's end read as zeroes. */
  read(at: number, lengthBytes: number): Promise<Uint8Array>;
  write(at: number, bytes: Uint8Array): Promise<void>;
  flush(): Promise<void>;
}

/** The volume's key, if `passphrase` opens any active slot. @throws {BlockError} where it opens none */
export async function unlock(file: HeaderFile, header: LuksHeader, passphrase: Uint8Array): Promise<Uint8Array> {
  for (const slot of header.slots) {
    if (!slot.active) continue;
    const key = await openSlot(file, header, slot, passphrase);
    if (key !== undefined) return key;
  }
  throw stateError("Invalid password, cannot unlock any keyslot", "EPERM");
}

/** The volume's key, if `passphrase` opens this slot. */
export async function openSlot(
  file: HeaderFile,
  header: LuksHeader,
  slot: KeySlot,
  passphrase: Uint8Array,
): Promise<Uint8Array | undefined> {
  refuseEndless(slot.iterations);
  refuseEndless(header.digestIterations);
  const { spec, keyBytes } = header;
  const how = { hash: spec.hash, salt: slot.salt, iterations: slot.iterations };
  using cipher = new SectorCipher(spec, await deriveKey(passphrase, how, keyBytes));
  const length = keyBytes * slot.stripes;
  const material = await file.read(slot.materialSector * SECTOR_BYTES, alignUp(length, SECTOR_BYTES));
  cipher.decrypt(0, IoVector.of(material));
  const key = mergeKey(material.subarray(0, length), slot.stripes, spec.hash);
  return await isKey(header, key) ? key : undefined;
}

function refuseEndless(iterations: number): void {
  if (iterations <= MAX_ITERATIONS) return;
  throw headerError(`PBKDF iterations ${iterations} larger than ${MAX_ITERATIONS}, the most that moa does`);
}

/** What recognises `key`. */
export function keyDigest(
  key: Uint8Array,
  header: Pick<LuksHeader, "spec" | "digestSalt" | "digestIterations">,
): Promise<Uint8Array> {
  const how = { hash: header.spec.hash, salt: header.digestSalt, iterations: header.digestIterations };
  return deriveKey(key, how, DIGEST_BYTES);
}

async function isKey(header: LuksHeader, key: Uint8Array): Promise<boolean> {
  return nodeCrypto().timingSafeEqual(await keyDigest(key, header), header.digest);
}

/** Stores `key` in a slot under `passphrase`. */
export async function fillSlot(
  file: HeaderFile,
  header: LuksHeader,
  slot: KeySlot,
  what: { readonly key: Uint8Array; readonly passphrase: Uint8Array; readonly iterations: number },
  random: Random,
): Promise<void> {
  const { spec, keyBytes } = header;
  const salt = new Uint8Array(SALT_BYTES);
  random.fill(salt);
  const derived = await deriveKey(what.passphrase, { hash: spec.hash, salt, iterations: what.iterations }, keyBytes);
  const material = splitKey(what.key, slot.stripes, spec.hash, random);
  const padded = new Uint8Array(alignUp(material.length, SECTOR_BYTES));
  padded.set(material);
  using cipher = new SectorCipher(spec, derived);
  const sealed = cipher.encrypt(0, IoVector.of(padded)).toBytes();
  // One that is in use is forgotten first: between two materials it opens with neither.
  if (slot.active) await forget(file, header, slot);
  await file.write(slot.materialSector * SECTOR_BYTES, sealed.subarray(0, material.length));
  await file.flush();
  Object.assign(slot, { active: true, iterations: what.iterations, salt });
  await writeHeader(file, header);
}

/** Empties a slot: nothing of what it held can be had from the file any more. */
export async function eraseSlot(
  file: HeaderFile,
  header: LuksHeader,
  slot: KeySlot,
  random: Random,
): Promise<void> {
  await forget(file, header, slot);
  const noise = new Uint8Array(header.keyBytes * slot.stripes);
  random.fill(noise);
  await file.write(slot.materialSector * SECTOR_BYTES, noise);
  await file.flush();
}

async function forget(file: HeaderFile, header: LuksHeader, slot: KeySlot): Promise<void> {
  Object.assign(slot, { active: false, iterations: 0, salt: new Uint8Array(SALT_BYTES) });
  await writeHeader(file, header);
}

/** Writes the header, durably. */
export async function writeHeader(file: HeaderFile, header: LuksHeader): Promise<void> {
  await file.write(0, encodeLuksHeader(header));
  await file.flush();
}
