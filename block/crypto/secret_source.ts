/**
 * Where passphrases come from: objects that the user made beforehand, found by their id.
 *
 * @module
 */
import { optionError, stateError } from "./failures.ts";

/** Whoever keeps secrets. */
export interface SecretSource {
  /** The content of the secret `id`. @throws {BlockError} where there is none, or the object is none */
  secret(id: string): Uint8Array;
}

/** Nobody has any. */
export const NO_SECRETS: SecretSource = {
  secret(id) {
    throw stateError(`No secret with id '${id}'`, "ENOENT");
  },
};

/** The secret `id` as a passphrase: it has to be UTF-8, as everything that was ever typed. */
export function passphraseOf(secrets: SecretSource, id: string): Uint8Array {
  const bytes = secrets.secret(id);
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw stateError(`Data from secret ${id} is not valid UTF-8`);
  }
  return bytes;
}

/** The same of an option that has to be there; `prefix` is `"encrypt."` where the option is one of qcow2's. */
export function requiredPassphrase(secrets: SecretSource, id: string | undefined, prefix: string): Uint8Array {
  if (id === undefined) {
    throw optionError(`Parameter '${prefix}key-secret' is required for cipher`, `${prefix}key-secret`);
  }
  return passphraseOf(secrets, id);
}
