/**
 * A LUKS volume: made, opened by a passphrase, described. Its header may stand at the beginning of a file (the luks
 * format) or anywhere in one (inside a qcow2 image); the payload is encrypted by whoever stores it.
 *
 * Source: [LUKS1]; the layout and the counts are those that QEMU gives a new volume.
 *
 * @module
 */
import type { Clock } from "../../base/clocks.ts";
import type { Random } from "../../base/random.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import { chooseCipher, type CipherChoice, type CipherSpec, volumeKeyBytes } from "./algorithms.ts";
import { stateError } from "./failures.ts";
import { changeKeySlots, DEFAULT_ITER_TIME_MS, LEAST_SLOT_ITERATIONS, type SlotTools } from "./key_slot_change.ts";
import type { KeySlotChange } from "./key_slot_options.ts";
import { fillSlot, type HeaderFile, keyDigest, unlock } from "./key_slots.ts";
import {
  DIGEST_BYTES,
  HEADER_BYTES,
  type LuksHeader,
  newHeader,
  parseLuksHeader,
  payloadOffsetFor,
  SALT_BYTES,
} from "./luks_header.ts";
import { iterationsFor, iterationsPerSecond } from "./passphrase_key.ts";
import { SectorCipher } from "./sector_cipher.ts";

const LEAST_DIGEST_ITERATIONS = 1000;
/** Recognising the key takes this part of the time that a slot takes. */
const DIGEST_SHARE = 8;

/** What a volume is made with, checked. */
export interface LuksPlan {
  readonly spec: CipherSpec;
  readonly iterTimeMs: number;
  /** Bytes of header and key material. */
  readonly headerBytes: number;
}

/** Checks what the user wants. @throws {BlockError} in QEMU's words */
export function planLuks(choice: CipherChoice & { readonly iterTimeMs?: number | undefined }): LuksPlan {
  const spec = chooseCipher(choice);
  const iterTimeMs = choice.iterTimeMs ?? DEFAULT_ITER_TIME_MS;
  return { spec, iterTimeMs, headerBytes: payloadOffsetFor(spec) };
}

/** A volume whose header has been read. */
export class LuksVolume {
  readonly header: LuksHeader;
  readonly #file: HeaderFile;
  readonly #key: Uint8Array | undefined;

  private constructor(file: HeaderFile, header: LuksHeader, key: Uint8Array | undefined) {
    this.#file = file;
    this.header = header;
    this.#key = key;
  }

  /** Reads the header and, with a passphrase, finds the key. @throws {BlockError} in QEMU's words */
  static async open(file: HeaderFile, passphrase: Uint8Array | undefined): Promise<LuksVolume> {
    const header = parseLuksHeader(await file.read(0, HEADER_BYTES));
    return new LuksVolume(file, header, passphrase && await unlock(file, header, passphrase));
  }

  /** Makes a volume with one passphrase, in slot 0. The file is as long as the plan's `headerBytes` already. */
  static async create(
    file: HeaderFile,
    plan: LuksPlan,
    passphrase: Uint8Array,
    tools: { readonly random: Random; readonly clock: Clock },
  ): Promise<LuksVolume> {
    const { spec, iterTimeMs } = plan;
    const { random } = tools;
    const keyBytes = volumeKeyBytes(spec.cipher, spec.mode);
    const slotRate = await iterationsPerSecond(spec.hash, keyBytes, tools.clock);
    const digestRate = await iterationsPerSecond(spec.hash, DIGEST_BYTES, tools.clock);
    const iterations = iterationsFor(iterTimeMs, slotRate, LEAST_SLOT_ITERATIONS);
    const digestIterations = iterationsFor(iterTimeMs, digestRate, LEAST_DIGEST_ITERATIONS, DIGEST_SHARE);
    const key = new Uint8Array(keyBytes);
    random.fill(key);
    const digestSalt = new Uint8Array(SALT_BYTES);
    random.fill(digestSalt);
    const digest = await keyDigest(key, { spec, digestSalt, digestIterations });
    const header = newHeader(spec, { digest, digestSalt, digestIterations }, randomUuid(random));
    await fillSlot(file, header, header.slots[0]!, { key, passphrase, iterations }, random);
    return new LuksVolume(file, header, key);
  }

  /** Where the payload begins, in bytes. */
  get payloadOffset(): number {
    return this.header.payloadSector * SECTOR_BYTES;
  }

  get isUnlocked(): boolean {
    return this.#key !== undefined;
  }

  /** The payload's cipher: sector 0 is the payload's first. */
  cipher(): SectorCipher {
    return new SectorCipher(this.header.spec, this.#unlocked());
  }

  /** Adds, changes or erases passphrases. @throws {BlockError} in QEMU's words */
  async changeKeySlots(change: KeySlotChange, tools: SlotTools): Promise<void> {
    await changeKeySlots({ file: this.#file, header: this.header, key: this.#unlocked() }, change, tools);
  }

  /** What `info` shows, under QEMU's names. */
  info(): Record<string, unknown> {
    const { header } = this;
    return {
      "cipher-alg": header.spec.cipher.name,
      "cipher-mode": header.spec.mode,
      "ivgen-alg": header.spec.ivGenerator,
      ...(header.spec.ivHash === undefined ? {} : { "ivgen-hash-alg": header.spec.ivHash }),
      "hash-alg": header.spec.hash,
      "payload-offset": this.payloadOffset,
      "master-key-iters": header.digestIterations,
      uuid: header.uuid,
      slots: header.slots.map((slot) => ({
        active: slot.active,
        ...(slot.active ? { iters: slot.iterations, stripes: slot.stripes } : {}),
        "key-offset": slot.materialSector * SECTOR_BYTES,
      })),
    };
  }

  #unlocked(): Uint8Array {
    if (this.#key === undefined) throw stateError("The volume was opened without its key", "EPERM");
    return this.#key;
  }
}

/** A random UUID (version 4). */
function randomUuid(random: Random): string {
  const bytes = new Uint8Array(16);
  random.fill(bytes);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
