/**
 * Reads files from a CD by path: by their Rock Ridge names where it has them, else by the short ones, case aside.
 *
 * The medium may lie: every size and place is checked against its end, and folders are read up to a limit.
 *
 * Left out: Joliet names (whoever writes them writes short ones too), names so long that they go on in another area (found
 * by their short ones), files in several pieces, links.
 *
 * Source: [ECMA-119] 8.4 "Primary Volume Descriptor", 9.1 "Directory Record"; [RRIP] 4.1.4 "NM".
 *
 * @module
 */
import { MiB } from "../../base/units.ts";
import { MachineError } from "../errors.ts";

const BLOCK_BYTES = 2048;
const PRIMARY_AT = 16 * BLOCK_BYTES;
const ROOT_RECORD_AT = 156;
const FOLDER_FLAG = 2;
/** More entries than any real folder has. */
const MAX_FOLDER_BYTES = 4 * MiB;
const MAX_DEPTH = 16;

/** Where bytes come from; beyond the end there are none. */
export interface MediumBytes {
  readonly sizeBytes: number;
  read(at: number, lengthBytes: number): Promise<Uint8Array>;
}

interface Entry {
  readonly names: readonly string[];
  readonly at: number;
  readonly lengthBytes: number;
  readonly isFolder: boolean;
}

/** A CD that can be read from. */
export class IsoReader {
  /** The volume's name. */
  readonly label: string;
  readonly #bytes: MediumBytes;
  readonly #root: Entry;

  private constructor(bytes: MediumBytes, label: string, root: Entry) {
    this.#bytes = bytes;
    this.label = label;
    this.#root = root;
  }

  /**
   * Looks at a medium. @throws {MachineError} where it is no CD with ISO 9660
   * @example
   * ```ts
   * import { buildIso } from "./iso9660.ts";
   * import { IsoReader } from "./iso_reader.ts";
   *
   * const disc = buildIso({ "a/ks.cfg": "text\n" }, { label: "OEMDRV" });
   * const reader = await IsoReader.open({
   *   sizeBytes: disc.length,
   *   read: (at, length) => Promise.resolve(disc.subarray(at, at + length)),
   * });
   * if (new TextDecoder().decode(await reader.readFile("a/ks.cfg")) !== "text\n") throw new Error("not the same");
   * ```
   */
  static async open(bytes: MediumBytes): Promise<IsoReader> {
    const primary = await bytes.read(PRIMARY_AT, BLOCK_BYTES);
    if (primary.length < BLOCK_BYTES || primary[0] !== 1 || ascii(primary.subarray(1, 6)) !== "CD001") {
      throw new MachineError("Could not read the medium: it is no CD image (ISO 9660)");
    }
    const root = entryAt(primary, ROOT_RECORD_AT);
    if (root === undefined || !root.isFolder) {
      throw new MachineError("Could not read the medium: it has no root folder");
    }
    return new IsoReader(bytes, ascii(primary.subarray(40, 72)).trimEnd(), root);
  }

  /** Whether there is a file of that path. @throws {MachineError} where the medium is damaged on the way */
  async has(path: string): Promise<boolean> {
    return (await this.#find(path))?.isFolder === false;
  }

  /**
   * A file's bytes; `undefined` where there is no such file.
   *
   * @throws {MachineError} where the file is longer than `maxBytes` (256 MiB), or lies beyond the medium's end
   */
  async readFile(path: string, maxBytes = 256 * MiB): Promise<Uint8Array | undefined> {
    const entry = await this.#find(path);
    if (entry === undefined || entry.isFolder) return undefined;
    if (entry.lengthBytes > maxBytes) {
      throw new MachineError(`Could not read '${path}' from the medium: it has ${entry.lengthBytes} bytes`);
    }
    return await this.#read(entry, path);
  }

  async #find(path: string): Promise<Entry | undefined> {
    const names = path.split("/").filter((name) => name !== "");
    if (names.length > MAX_DEPTH) return undefined;
    let entry: Entry | undefined = this.#root;
    for (const name of names) {
      if (!entry?.isFolder) return undefined;
      const entries: Entry[] = await this.#entries(entry, path);
      entry = entries.find((one) => one.names[0] === name) ??
        entries.find((one) => one.names.some((other) => other.toUpperCase() === name.toUpperCase()));
    }
    return entry;
  }

  async #entries(folder: Entry, path: string): Promise<Entry[]> {
    if (folder.lengthBytes > MAX_FOLDER_BYTES) {
      throw new MachineError(`Could not read '${path}' from the medium: a folder of ${folder.lengthBytes} bytes`);
    }
    const bytes = await this.#read(folder, path);
    const entries: Entry[] = [];
    for (let at = 0; at < bytes.length;) {
      const length = bytes[at]!;
      if (length === 0) {
        // The rest of the block is empty.
        at = (Math.floor(at / BLOCK_BYTES) + 1) * BLOCK_BYTES;
        continue;
      }
      const entry = entryAt(bytes, at);
      if (entry !== undefined) entries.push(entry);
      at += length;
    }
    return entries;
  }

  async #read({ at, lengthBytes }: Entry, path: string): Promise<Uint8Array> {
    const bytes = at + lengthBytes > this.#bytes.sizeBytes ? undefined : await this.#bytes.read(at, lengthBytes);
    if (bytes?.length !== lengthBytes) {
      throw new MachineError(`Could not read '${path}' from the medium: it lies beyond the medium's end`);
    }
    return bytes;
  }
}

/** The directory record at `at`; `undefined` where what is there is none. */
function entryAt(bytes: Uint8Array, at: number): Entry | undefined {
  const length = bytes[at]!;
  if (length < 34 || at + length > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, length);
  const nameLength = view.getUint8(32);
  if (33 + nameLength > length) return undefined;
  const short = ascii(bytes.subarray(at + 33, at + 33 + nameLength)).replace(/;\d+$/, "").replace(/\.$/, "");
  const extra = at + 33 + nameLength + (nameLength % 2 === 0 ? 1 : 0);
  const long = rockRidgeName(bytes.subarray(Math.min(extra, at + length), at + length));
  return {
    names: long === undefined ? [short] : [long, short],
    at: view.getUint32(2, true) * BLOCK_BYTES,
    lengthBytes: view.getUint32(10, true),
    isFolder: (view.getUint8(25) & FOLDER_FLAG) !== 0,
  };
}

/** The name in the entries of Rock Ridge, where there is one. */
function rockRidgeName(bytes: Uint8Array): string | undefined {
  const parts: number[] = [];
  let found = false;
  for (let at = 0; at + 4 <= bytes.length;) {
    const length = bytes[at + 2]!;
    if (length < 4 || at + length > bytes.length) break;
    if (bytes[at] === 0x4e && bytes[at + 1] === 0x4d && length > 5) {
      found = true;
      parts.push(...bytes.subarray(at + 5, at + length));
    }
    at += length;
  }
  return found ? new TextDecoder().decode(Uint8Array.from(parts)) : undefined;
}

function ascii(bytes: Uint8Array): string {
  return [...bytes].map((byte) => String.fromCharCode(byte)).join("");
}
