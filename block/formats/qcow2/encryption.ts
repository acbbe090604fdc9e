/**
 * Encrypted data clusters: which method an image's header names, and the store that reads and writes them.
 *
 * Method 1 is the old AES-128 in CBC, whose key is the passphrase itself and whose sectors are numbered by guest offset;
 * tools read and write it, machines refuse it. Method 2 is LUKS: header and key material lie in clusters that a header
 * extension points at, and sectors are numbered by host offset. Compressed clusters are never encrypted.
 *
 * The ciphers are loaded when an image asks for them.
 *
 * Source: [QCOW2] "Header" (crypt_method), "Full disk encryption header pointer", "Data encryption".
 *
 * @module
 */
import { IoVector } from "../../../base/io_vector.ts";
import { SECTOR_BYTES } from "../../../base/units.ts";
import type { CiphertextFile, HeaderFile, LuksVolume, SectorCipher } from "../../crypto/mod.ts";
import { NO_SECRETS } from "../../crypto/secret_source.ts";
import { BlockError, ioError } from "../../errors.ts";
import type { BlockdevOptionsQcow2 } from "../../options/blockdev.ts";
import type { ClusterData } from "./cluster_data.ts";
import { formatError, optionError, stateError } from "./failures.ts";
import type { EncryptionHeader, Extensions } from "./header_extensions.ts";
import type { Header } from "./header.ts";
import type { HostFile } from "./host_file.ts";
import type { OpenScope } from "./open_data.ts";

/** Values of crypt_method. */
export const CRYPT_METHOD = { none: 0, aes: 1, luks: 2 } as const;

/** What is known of an image when its encryption is set up: everything that was read, nothing was written. */
export interface EncryptedParts {
  readonly header: Header;
  readonly extensions: Extensions;
  /** The image's own file, in which an encryption header lies. */
  readonly file: HostFile;
  /** The file of the data clusters, which may be an external one. */
  readonly dataFile: HostFile;
}

/** Data clusters that are encrypted one sector at a time. */
export class EncryptedData implements ClusterData {
  readonly file: HostFile;
  readonly isPlain = false;
  readonly alignBytes = SECTOR_BYTES;
  /** The volume whose key this is; absent with the old method. */
  readonly volume: LuksVolume | undefined;
  readonly #cipher: SectorCipher | undefined;
  readonly #ciphertext: CiphertextFile;
  readonly #io: typeof import("../../crypto/mod.ts");

  constructor(
    io: typeof import("../../crypto/mod.ts"),
    file: HostFile,
    parts: { readonly volume?: LuksVolume; readonly cipher: SectorCipher | undefined },
  ) {
    this.#io = io;
    this.file = file;
    this.volume = parts.volume;
    this.#cipher = parts.cipher;
    this.#ciphertext = {
      read: (at, into) => file.read(at, into),
      write: (at, from) => file.writeData(at, from),
    };
  }

  read(host: number, guest: number, into: IoVector): Promise<void> {
    const cipher = this.#cipher;
    if (cipher === undefined) return Promise.reject(ioError("read", "EPERM"));
    return this.#io.readEncrypted(this.#ciphertext, cipher, host, this.#position(host, guest), into);
  }

  write(host: number, guest: number, from: IoVector): Promise<void> {
    const cipher = this.#cipher;
    if (cipher === undefined) return Promise.reject(ioError("write", "EPERM"));
    return this.#io.writeEncrypted(this.#ciphertext, cipher, host, this.#position(host, guest), from);
  }

  close(): void {
    this.#cipher?.[Symbol.dispose]();
  }

  /** What `info` shows under "encrypt". */
  info(): Readonly<Record<string, unknown>> {
    return this.volume === undefined ? { format: "aes" } : { format: "luks", ...this.volume.info() };
  }

  #position(host: number, guest: number): number {
    return this.volume === undefined ? guest : host;
  }
}

/**
 * The store of an image whose header names an encryption method (`cryptMethod` is 1 or 2). With `metadataOnly` it knows
 * no key, and reads nothing.
 *
 * @throws {BlockError} where the method, the secret or the encryption header will not do
 */
export async function openEncryption(
  parts: EncryptedParts,
  options: BlockdevOptionsQcow2,
  scope: OpenScope,
): Promise<EncryptedData> {
  const { cryptMethod } = parts.header;
  const isLuks = cryptMethod === CRYPT_METHOD.luks;
  if (!isLuks && scope.inMachine === true) throw refusedByMachine();
  checkOptions(isLuks ? "luks" : "aes", options);
  const crypto = await import("../../crypto/mod.ts");
  const passphrase = scope.metadataOnly === true ? undefined : crypto.requiredPassphrase(
    scope.secrets ?? NO_SECRETS,
    options.encrypt?.["key-secret"],
    "encrypt.",
  );
  if (!isLuks) {
    const cipher = passphrase && new crypto.SectorCipher(crypto.LEGACY_AES, legacyKey(passphrase));
    return new EncryptedData(crypto, parts.dataFile, { cipher });
  }
  const place = parts.extensions.encryption;
  if (place === undefined) {
    if (scope.metadataOnly !== true) throw formatError(`Missing CRYPTO header for crypt method ${cryptMethod}`);
    return new EncryptedData(crypto, parts.dataFile, { cipher: undefined });
  }
  const volume = await crypto.LuksVolume.open(headerFile(parts.file, place), passphrase);
  return new EncryptedData(crypto, parts.dataFile, { volume, cipher: volume.isUnlocked ? volume.cipher() : undefined });
}

/** @throws {BlockError} where an encryption header is not where one can be */
export function checkEncryptionHeader({ cryptMethod, clusterBits }: Header, { encryption }: Extensions): void {
  if (encryption === undefined) return;
  if (cryptMethod !== CRYPT_METHOD.luks) {
    throw formatError("CRYPTO header extension only expected with LUKS encryption method");
  }
  const clusterSize = 2 ** clusterBits;
  if (encryption.offset % clusterSize === 0) return;
  throw formatError(
    `Encryption header offset '${encryption.offset}' is not a multiple of cluster size '${clusterSize}'`,
  );
}

/** Options of an image that is not encrypted. @throws {BlockError} where they say that it is */
export function refuseEncryptionOptions(options: BlockdevOptionsQcow2): void {
  const format = options.encrypt?.format;
  if (format === undefined) return;
  throw optionError(`No encryption in image header, but options specified format '${format}'`, "encrypt.format");
}

function refusedByMachine(): BlockError {
  return new BlockError(
    {
      kind: "unsupported",
      feature: "encrypt.format=aes",
      text: "Use of AES-CBC encrypted qcow2 images is no longer supported in system emulators",
    },
    {
      help: "You can use 'qemu-img convert' to convert your image to an alternative supported format, such as " +
        "unencrypted qcow2, or raw with the LUKS format instead.",
    },
  );
}

function checkOptions(format: "aes" | "luks", options: BlockdevOptionsQcow2): void {
  const given: Readonly<Record<string, unknown>> = { ...options.encrypt };
  if (given["format"] !== undefined && given["format"] !== format) {
    throw optionError(
      `Header reported '${format}' encryption format but options specify '${given["format"]}'`,
      "encrypt.format",
    );
  }
  const unknown = Object.keys(given).find((name) => name !== "format" && name !== "key-secret");
  if (unknown !== undefined) throw optionError(`Parameter '${unknown}' is unexpected`, `encrypt.${unknown}`);
}

/** The old method's key: the passphrase, cut off or filled up with zeroes. */
function legacyKey(passphrase: Uint8Array): Uint8Array {
  const key = new Uint8Array(16);
  key.set(passphrase.subarray(0, key.length));
  return key;
}

/** The LUKS header in clusters of `file`; what lies outside is nobody's to ask for. */
export function headerFile(file: HostFile, place: EncryptionHeader): HeaderFile {
  const { offset, lengthBytes: room } = place;
  const check = (at: number, length: number) => {
    if (at + length > room) throw formatError("Request for data outside of extension header");
  };
  return {
    async read(at, lengthBytes) {
      check(at, lengthBytes);
      return await file.readBytes(offset + at, lengthBytes);
    },
    async write(at, bytes) {
      check(at, bytes.length);
      await file.write(offset + at, bytes);
    },
    flush: () => file.flush(),
  };
}

/** Reads part of what the guest has, where no node has widened the request to whole sectors. */
export async function readUnaligned(data: ClusterData, host: number, guest: number, into: IoVector): Promise<void> {
  const before = guest % data.alignBytes;
  const after = (data.alignBytes - (before + into.length) % data.alignBytes) % data.alignBytes;
  if (before + after === 0) return await data.read(host, guest, into);
  const whole = new Uint8Array(before + into.length + after);
  await data.read(host - before, guest - before, IoVector.of(whole));
  into.copyFrom(whole.subarray(before, before + into.length));
}

/** The volume whose key slots can be changed. @throws {BlockError} in QEMU's words where there is none */
export function amendableVolume(data: ClusterData): LuksVolume {
  if (!(data instanceof EncryptedData)) {
    throw stateError("Can't amend encryption options - encryption not present");
  }
  if (data.volume === undefined) throw stateError("Only LUKS encryption options can be amended", "ENOTSUP");
  return data.volume;
}
