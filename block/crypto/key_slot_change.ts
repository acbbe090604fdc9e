/**
 * Changing the key slots of an open volume: passphrases come and go, the data stays as it is.
 *
 * What would make all data unreadable for ever is refused unless it is forced.
 *
 * Source: qapi/crypto.json, QCryptoBlockAmendOptionsLUKS.
 *
 * @module
 */
import type { Clock } from "../../base/clocks.ts";
import type { Random } from "../../base/random.ts";
import { BlockError } from "../errors.ts";
import { optionError, stateError } from "./failures.ts";
import { eraseSlot, fillSlot, type HeaderFile, openSlot } from "./key_slots.ts";
import { type KeySlot, type LuksHeader, SLOT_COUNT } from "./luks_header.ts";
import { iterationsFor, iterationsPerSecond } from "./passphrase_key.ts";
import type { KeySlotChange } from "./key_slot_options.ts";
import { passphraseOf, type SecretSource } from "./secret_source.ts";

/** Fewest iterations of a slot, however little time is given. */
export const LEAST_SLOT_ITERATIONS = 1000;
export const DEFAULT_ITER_TIME_MS = 2000;

/** What a change takes besides the volume. */
export interface SlotTools {
  readonly secrets: SecretSource;
  readonly random: Random;
  readonly clock: Clock;
}

/** An open volume, as far as its slots are concerned. */
export interface SlotOwner {
  readonly file: HeaderFile;
  readonly header: LuksHeader;
  readonly key: Uint8Array;
}

/** Does what `change` asks. @throws {BlockError} in QEMU's words; nothing is written before all is known to be right */
export async function changeKeySlots(volume: SlotOwner, change: KeySlotChange, tools: SlotTools): Promise<void> {
  return change.state === "active" ? await activate(volume, change, tools) : await erase(volume, change, tools);
}

async function activate(volume: SlotOwner, change: KeySlotChange, tools: SlotTools): Promise<void> {
  const { slots, spec, keyBytes } = volume.header;
  if (change.newSecret === undefined) {
    throw optionError("'new-secret' is required to activate a keyslot", "new-secret");
  }
  if (change.oldSecret !== undefined) {
    throw optionError("'old-secret' must not be given when activating keyslots", "old-secret");
  }
  let index = slots.findIndex((slot) => !slot.active);
  if (change.keyslot !== undefined) {
    index = checkIndex(change.keyslot);
    if (slots[index]!.active && change.force !== true) {
      throw stateError(`Refusing to overwrite active keyslot ${index} - please erase it first`);
    }
  } else if (index < 0) throw stateError("Can't add a keyslot - all keyslots are in use");
  const passphrase = passphraseOf(tools.secrets, change.newSecret);
  const perSecond = await iterationsPerSecond(spec.hash, keyBytes, tools.clock);
  const iterations = withHint(
    () => iterationsFor(change.iterTimeMs ?? DEFAULT_ITER_TIME_MS, perSecond, LEAST_SLOT_ITERATIONS),
    `Failed to write to keyslot ${index}`,
  );
  await fillSlot(volume.file, volume.header, slots[index]!, { key: volume.key, passphrase, iterations }, tools.random);
}

function withHint<T>(work: () => T, help: string): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof BlockError ? new BlockError(error.failure, { help, cause: error }) : error;
  }
}

function checkIndex(keyslot: number): number {
  if (keyslot >= 0 && keyslot < SLOT_COUNT) return keyslot;
  const shown = keyslot < 0 ? keyslot >>> 0 : keyslot;
  throw optionError(`Invalid keyslot ${shown} specified, must be between 0 and ${SLOT_COUNT - 1}`, "keyslot");
}

async function erase(volume: SlotOwner, change: KeySlotChange, tools: SlotTools): Promise<void> {
  if (change.newSecret !== undefined) {
    throw optionError("'new-secret' must not be given when erasing keyslots", "new-secret");
  }
  if (change.iterTimeMs !== undefined) {
    throw optionError("'iter-time' must not be given when erasing keyslots", "iter-time");
  }
  const doomed = change.keyslot === undefined
    ? await slotsOf(volume, change, tools)
    : [await oneSlot(volume, change.keyslot, change, tools)];
  for (const slot of doomed) await eraseSlot(volume.file, volume.header, slot, tools.random);
}

async function oneSlot(
  volume: SlotOwner,
  keyslot: number,
  change: KeySlotChange,
  tools: SlotTools,
): Promise<KeySlot> {
  const index = checkIndex(keyslot);
  const { header } = volume;
  const slot = header.slots[index]!;
  if (change.oldSecret !== undefined) {
    const passphrase = passphraseOf(tools.secrets, change.oldSecret);
    if (!slot.active || await openSlot(volume.file, header, slot, passphrase) === undefined) {
      throw stateError(`Given keyslot ${index} doesn't contain the given old password for erase operation`);
    }
  }
  if (change.force === true) return slot;
  // The blank at the end is QEMU's.
  if (!slot.active) throw stateError(`Given keyslot ${index} is already erased (inactive) `);
  if (header.slots.every((one) => one === slot || !one.active)) {
    throw stateError(
      `Attempt to erase the only active keyslot ${index} which will erase all the data in the image irreversibly - ` +
        "refusing operation",
    );
  }
  return slot;
}

async function slotsOf(volume: SlotOwner, change: KeySlotChange, tools: SlotTools): Promise<KeySlot[]> {
  if (change.oldSecret === undefined) {
    throw optionError(
      "To erase keyslot(s), either explicit keyslot index or the password currently contained in them must be given",
    );
  }
  const passphrase = passphraseOf(tools.secrets, change.oldSecret);
  const active = volume.header.slots.filter((slot) => slot.active);
  const found: KeySlot[] = [];
  for (const slot of active) {
    if (await openSlot(volume.file, volume.header, slot, passphrase) !== undefined) found.push(slot);
  }
  if (found.length === 0) throw stateError("No keyslots match given (old) password for erase operation");
  if (found.length === active.length && change.force !== true) {
    throw stateError(
      "All the active keyslots match the (old) password that was given and erasing them will erase all the data in the " +
        "image irreversibly - refusing operation",
    );
  }
  return found;
}
