/**
 * What can be asked of key slots, as options. Apart from the change itself (key_slot_change.ts), since command lines are
 * read without loading a cipher.
 *
 * Source: qapi/crypto.json, QCryptoBlockAmendOptionsLUKS.
 *
 * @module
 */
import type { CreateOption } from "../driver.ts";
import { optionError } from "./failures.ts";

/** What is asked; names are QEMU's. */
export interface KeySlotChange {
  readonly state: "active" | "inactive";
  /** The id of the secret that a slot gets. */
  readonly newSecret?: string;
  /** The id of the secret whose slots are erased. */
  readonly oldSecret?: string;
  /** 0 to 7. */
  readonly keyslot?: number;
  readonly iterTimeMs?: number;
  /** Erase the last slot, or overwrite one that is in use. */
  readonly force?: boolean;
}

/** Reads `state`, `new-secret` and their like as `-o` has them. @throws {BlockError} in QEMU's words */
export function parseKeySlotChange(values: Readonly<Record<string, unknown>>, force = false): KeySlotChange {
  const { state } = values;
  if (state === undefined) throw optionError("Parameter 'state' is missing", "state");
  if (state !== "active" && state !== "inactive") {
    throw optionError(`Parameter 'state' does not accept value '${state}'`, "state");
  }
  const text = (name: string) => values[name] === undefined ? undefined : String(values[name]);
  const number = (name: string) => values[name] === undefined ? undefined : Number(values[name]);
  const newSecret = text("new-secret");
  const oldSecret = text("old-secret");
  const given = number("keyslot");
  // A number below zero has become one of 64 bits by now; the field has 32.
  const keyslot = given === undefined ? undefined : Math.min(given, 0xffff_ffff);
  const iterTimeMs = number("iter-time");
  return {
    state,
    force,
    ...(newSecret === undefined ? {} : { newSecret }),
    ...(oldSecret === undefined ? {} : { oldSecret }),
    ...(keyslot === undefined ? {} : { keyslot }),
    ...(iterTimeMs === undefined ? {} : { iterTimeMs }),
  };
}

/** Rows of `amend -o help` for key slots; `prefix` is `"encrypt."` where they are part of another format. */
export function keySlotOptions(prefix: string): readonly CreateOption[] {
  const rows: readonly CreateOption[] = [
    { name: "iter-time", type: "num", help: "Time to spend in PBKDF in milliseconds" },
    { name: "keyslot", type: "num", help: "Select a single keyslot to modify explicitly" },
    { name: "new-secret", type: "str", help: "New secret to set in the matching keyslots. Empty string to erase" },
    { name: "old-secret", type: "str", help: "Select all keyslots that match this password" },
    { name: "state", type: "str", help: "Select new state of affected keyslots (active/inactive)" },
  ];
  return rows.map((row) => ({ ...row, name: prefix + row.name }));
}
