/**
 * `secret`: a passphrase or key that other options name by its id, so that it never stands in them itself.
 *
 * Its content is given in place or in a file, as it is or in base64, and possibly encrypted (AES-256-CBC) under another
 * secret. Left out: the kernel's keyring (`secret_keyring`).
 *
 * Source: qapi/crypto.json, SecretProperties.
 *
 * @module
 */
import { hostReason } from "../../base/errno.ts";
import { FileTooLargeError, readFileSync } from "../../base/read_file.ts";
import { nodeCrypto } from "../../base/node_crypto.ts";
import type { SecretSource } from "../crypto/secret_source.ts";
import { BlockError } from "../errors.ts";
import type { ObjectType, PropertyValue, UserObject } from "./types.ts";

const KEY_BYTES = 32;
const BLOCK_BYTES = 16;
/** Nobody's passphrase is longer; a device that never ends is. */
const MAX_FILE_BYTES = 1 << 20;

/** A secret with its content. */
export class Secret implements UserObject {
  readonly type = "secret";
  readonly id: string;
  readonly content: Uint8Array;
  /** What it was made with, as `qom-get` shows it. */
  #properties: Readonly<Record<string, PropertyValue>>;

  constructor(id: string, content: Uint8Array, properties: Readonly<Record<string, PropertyValue>>) {
    this.id = id;
    this.content = content;
    this.#properties = properties;
  }

  get(name: string): PropertyValue {
    if (name === "loaded") return true;
    return this.#properties[name] ?? (name === "format" ? "raw" : "");
  }

  /** Is shown from now on; the content stays. */
  set(name: string, value: PropertyValue): void {
    this.#properties = { ...this.#properties, [name]: value };
  }
}

/** The type's row. */
export const secretType: ObjectType = {
  name: "secret",
  parent: "secret_common",
  properties: {
    data: { type: "string" },
    file: { type: "string" },
    format: { type: "QCryptoSecretFormat", values: ["raw", "base64"] },
    iv: { type: "string" },
    keyid: { type: "string" },
    loaded: { type: "bool", deprecated: true },
  },
  listed: [
    { name: "iv", type: "string" },
    { name: "keyid", type: "string" },
    { name: "loaded", type: "bool" },
    { name: "format", type: "QCryptoSecretFormat" },
    { name: "file", type: "string" },
    { name: "data", type: "string" },
  ],
  make(id, properties, others) {
    // Strings all of them, by their rows.
    const { data, file, keyid, format, iv } = properties as Readonly<Record<string, string | undefined>>;
    if (data !== undefined && file !== undefined) throw refusal("'file' and 'data' are mutually exclusive");
    const input = data !== undefined
      ? new TextEncoder().encode(data)
      : file !== undefined
      ? readSmallFile(file)
      : undefined;
    if (input === undefined) throw refusal("Either 'file' or 'data' must be provided");
    const isBase64 = format === "base64";
    if (keyid === undefined) return new Secret(id, isBase64 ? decodeBase64(input) : input, properties);
    return new Secret(id, decrypt(input, isBase64, { keyid, iv }, others), properties);
  },
};

function refusal(text: string): BlockError {
  return new BlockError({ kind: "option", text });
}

function readSmallFile(path: string): Uint8Array {
  try {
    return readFileSync(path, MAX_FILE_BYTES);
  } catch (error) {
    throw refusal(
      error instanceof FileTooLargeError
        ? `Unable to read ${path}: a secret has at most ${MAX_FILE_BYTES} bytes`
        : `Unable to read ${path}: Failed to open file “${path}”: ${hostReason(error)}`,
    );
  }
}

function decodeBase64(input: Uint8Array): Uint8Array {
  const text = new TextDecoder().decode(input);
  if (!/^[A-Za-z0-9+/=\n]*$/.test(text)) throw refusal("Base64 data contains invalid characters");
  const digits = text.replaceAll(/[=\n]/g, "");
  // A last digit alone says nothing.
  return Uint8Array.from(atob(digits.length % 4 === 1 ? digits.slice(0, -1) : digits), (char) => char.charCodeAt(0));
}

function decrypt(
  input: Uint8Array,
  isBase64: boolean,
  how: { readonly keyid: string; readonly iv: string | undefined },
  others: SecretSource,
): Uint8Array {
  const key = others.secret(how.keyid);
  if (key.length !== KEY_BYTES) throw refusal(`Key should be ${KEY_BYTES} bytes in length`);
  if (how.iv === undefined) throw refusal("IV is required to decrypt secret");
  const iv = decodeBase64(new TextEncoder().encode(how.iv));
  if (iv.length !== BLOCK_BYTES) throw refusal(`IV should be ${BLOCK_BYTES} bytes in length not ${iv.length}`);
  const sealed = isBase64 ? decodeBase64(input) : input;
  if (sealed.length % BLOCK_BYTES !== 0) {
    throw refusal(`Length ${sealed.length} must be a multiple of block size ${BLOCK_BYTES}`);
  }
  const decipher = nodeCrypto().createDecipheriv("aes-256-cbc", key, iv);
  decipher.setAutoPadding(false);
  const plain = new Uint8Array(decipher.update(sealed));
  decipher.final();
  const padding = plain.at(-1) ?? 0;
  if (padding === 0 || padding > BLOCK_BYTES || padding > plain.length) {
    throw refusal(`Incorrect number of padding bytes (${padding}) found on decrypted data`);
  }
  return plain.slice(0, plain.length - padding);
}
