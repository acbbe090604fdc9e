/**
 * The algorithms of disk encryption by QEMU's names: ciphers, modes, hashes, generators of initialisation vectors.
 *
 * AES alone is done: Serpent, Twofish and CAST5, which LUKS names too, are in no runtime that moa runs on, and are refused
 * by name.
 *
 * Source: qapi/crypto.json; [LUKS1] "Cipher, mode and hash specification registry".
 *
 * @module
 */
import { headerError, optionError, unsupported } from "./failures.ts";

/** A block cipher with one key size. */
export interface CipherAlgorithm {
  /** QEMU's name: `"aes-256"`. */
  readonly name: string;
  /** The name in a LUKS header; absent where LUKS has none. */
  readonly luksName?: string;
  readonly keyBytes: number;
  /** The name of its ECB form in node:crypto; absent where moa has none. */
  readonly ecb?: string;
}

const CIPHERS: readonly CipherAlgorithm[] = [
  { name: "aes-128", luksName: "aes", keyBytes: 16, ecb: "aes-128-ecb" },
  { name: "aes-192", luksName: "aes", keyBytes: 24, ecb: "aes-192-ecb" },
  { name: "aes-256", luksName: "aes", keyBytes: 32, ecb: "aes-256-ecb" },
  { name: "des", keyBytes: 8 },
  { name: "3des", keyBytes: 24 },
  { name: "cast5-128", luksName: "cast5", keyBytes: 16 },
  { name: "serpent-128", luksName: "serpent", keyBytes: 16 },
  { name: "serpent-192", luksName: "serpent", keyBytes: 24 },
  { name: "serpent-256", luksName: "serpent", keyBytes: 32 },
  { name: "twofish-128", luksName: "twofish", keyBytes: 16 },
  { name: "twofish-192", luksName: "twofish", keyBytes: 24 },
  { name: "twofish-256", luksName: "twofish", keyBytes: 32 },
];

export type CipherMode = "ecb" | "cbc" | "xts" | "ctr";
const MODES: readonly CipherMode[] = ["ecb", "cbc", "xts", "ctr"];

/** How a sector's number becomes its initialisation vector. */
export type IvGenerator = "plain" | "plain64" | "essiv";
const IV_GENERATORS: readonly IvGenerator[] = ["plain", "plain64", "essiv"];

/** A hash by its name, which is the same in QEMU, in LUKS and in node:crypto. */
export type HashName = "md5" | "sha1" | "sha224" | "sha256" | "sha384" | "sha512" | "ripemd160";
const DIGEST_BYTES: Readonly<Record<HashName, number>> = {
  md5: 16,
  sha1: 20,
  sha224: 28,
  sha256: 32,
  sha384: 48,
  sha512: 64,
  ripemd160: 20,
};

export function digestBytes(hash: HashName): number {
  return DIGEST_BYTES[hash];
}

/** How a volume is encrypted. */
export interface CipherSpec {
  readonly cipher: CipherAlgorithm;
  readonly mode: CipherMode;
  readonly ivGenerator: IvGenerator;
  /** For `essiv`: the hash of the key. */
  readonly ivHash?: HashName;
  /** For deriving keys from passphrases, and for the anti-forensic split. */
  readonly hash: HashName;
}

/** Bytes of the volume's key: XTS takes two. */
export function volumeKeyBytes(cipher: CipherAlgorithm, mode: CipherMode): number {
  return mode === "xts" ? 2 * cipher.keyBytes : cipher.keyBytes;
}

/** Values as the user gives them; what is absent is QEMU's default. */
export interface CipherChoice {
  readonly cipherAlg?: string | undefined;
  readonly cipherMode?: string | undefined;
  readonly ivgenAlg?: string | undefined;
  readonly ivgenHashAlg?: string | undefined;
  readonly hashAlg?: string | undefined;
}

/** What a LUKS volume is made with. @throws {BlockError} `option` or `unsupported`, in QEMU's words */
export function chooseCipher(choice: CipherChoice): CipherSpec {
  const cipher = CIPHERS.find(({ name }) => name === (choice.cipherAlg ?? "aes-256"));
  if (cipher === undefined) throw badValue("cipher-alg", choice.cipherAlg);
  const mode = MODES.find((one) => one === (choice.cipherMode ?? "xts"));
  if (mode === undefined) throw badValue("cipher-mode", choice.cipherMode);
  const ivGenerator = IV_GENERATORS.find((one) => one === (choice.ivgenAlg ?? "plain64"));
  if (ivGenerator === undefined) throw badValue("ivgen-alg", choice.ivgenAlg);
  const hash = choice.hashAlg ?? "sha256";
  if (!isHash(hash)) throw badValue("hash-alg", hash);
  const ivHash = choice.ivgenHashAlg ?? "sha256";
  if (!isHash(ivHash)) throw badValue("ivgen-hash-alg", ivHash);
  if (cipher.ecb === undefined) throw unsupported(cipher.name, `Algorithm '${cipher.name}' not supported`);
  const spec = { cipher, mode, ivGenerator, hash };
  if (ivGenerator !== "essiv") return spec;
  essivCipher(cipher, ivHash);
  return { ...spec, ivHash };
}

function badValue(name: string, value: string | undefined): Error {
  return optionError(`Parameter '${name}' does not accept value '${value}'`, name);
}

function isHash(name: string): name is HashName {
  return Object.hasOwn(DIGEST_BYTES, name);
}

/** The cipher that ESSIV takes: the same family, with a key as long as the hash. */
export function essivCipher(cipher: CipherAlgorithm, hash: HashName): CipherAlgorithm {
  const keyBytes = digestBytes(hash);
  const found = CIPHERS.find((one) => one.luksName === cipher.luksName && one.keyBytes === keyBytes);
  if (found !== undefined) return found;
  throw optionError(`No AES cipher with key size ${keyBytes} available`, "ivgen-hash-alg");
}

/** The three strings of a LUKS header, as [LUKS1] writes them: `aes`, `xts-plain64`, `sha256`. */
export function headerNames(spec: CipherSpec): { cipherName: string; cipherMode: string; hashSpec: string } {
  const generator = spec.ivHash === undefined ? spec.ivGenerator : `${spec.ivGenerator}:${spec.ivHash}`;
  return { cipherName: spec.cipher.luksName!, cipherMode: `${spec.mode}-${generator}`, hashSpec: spec.hash };
}

/** Reads those strings; `keyBytes` is the length of the volume's key. @throws {BlockError} in QEMU's words */
export function parseHeaderNames(
  names: { readonly cipherName: string; readonly cipherMode: string; readonly hashSpec: string },
  keyBytes: number,
): CipherSpec {
  const dash = names.cipherMode.indexOf("-");
  if (dash < 0) throw headerError(`Unexpected cipher mode string format '${names.cipherMode}'`);
  const modeName = names.cipherMode.slice(0, dash);
  const [generatorName, hashName] = splitOnce(names.cipherMode.slice(dash + 1), ":");
  const ivHash = hashName === undefined ? undefined : knownHash(hashName);
  const mode = MODES.find((one) => one === modeName);
  if (mode === undefined) throw headerError(`Cipher mode '${modeName}' not supported`, "ENOTSUP");
  const cipher = knownCipher(names.cipherName, mode === "xts" ? Math.floor(keyBytes / 2) : keyBytes);
  const hash = knownHash(names.hashSpec);
  const ivGenerator = IV_GENERATORS.find((one) => one === generatorName);
  if (ivGenerator === undefined) throw headerError(`IV generator '${generatorName}' not supported`, "ENOTSUP");
  const spec = { cipher, mode, ivGenerator, hash };
  // A hash behind another generator means nothing.
  if (ivGenerator !== "essiv") return spec;
  if (ivHash === undefined) throw headerError("Missing IV generator hash specification");
  essivCipher(cipher, ivHash);
  return { ...spec, ivHash };
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function knownHash(name: string): HashName {
  if (!isHash(name)) throw headerError(`Hash algorithm '${name}' not supported`, "ENOTSUP");
  return name;
}

function knownCipher(luksName: string, keyBytes: number): CipherAlgorithm {
  const found = CIPHERS.find((one) => one.luksName === luksName && one.keyBytes === keyBytes);
  if (found === undefined) {
    throw headerError(`Algorithm '${luksName}' with key size ${keyBytes} bytes not supported`, "ENOTSUP");
  }
  if (found.ecb === undefined) throw unsupported(found.name, `Algorithm '${found.name}' not supported`);
  return found;
}

/** What qcow2's first encryption was: AES-128 in CBC, numbered by guest sector. */
export const LEGACY_AES: CipherSpec = {
  cipher: CIPHERS[0]!,
  mode: "cbc",
  ivGenerator: "plain64",
  hash: "sha256",
};
