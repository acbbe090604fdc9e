/**
 * A CD with an ISO 9660 file system, with Rock Ridge and Joliet: what installers read their answers and packages from.
 *
 * ```
 * 16 blocks | primary, boot, Joliet, end | path tables | folders (ISO) | folders (Joliet) | continuations | files
 * ```
 * Both hierarchies lead to the same files. Left out: files of 4 GiB and more, folders more than eight deep (both refused),
 * several sessions.
 *
 * Source: [ECMA-119] 6 to 9; [Joliet]; El Torito 1.0 for CDs that machines start from.
 *
 * @module
 */
import { concatBytes } from "../../base/bytes.ts";
import { alignUp, divideCeil } from "../../base/bits.ts";
import { GiB } from "../../base/units.ts";
import { MachineError } from "../errors.ts";
import { bootCatalog } from "./el_torito.ts";
import { encode, identifiers } from "./iso_names.ts";
import { noVolumeTime, putBoth16, putBoth32, recordingTime, volumeTime } from "./iso_numbers.ts";
import { continuation, rockRidgeEntries, splitEntries } from "./rock_ridge.ts";
import {
  type Folder,
  foldersOf,
  type MediaFile,
  type MediaFiles,
  type MediaNode,
  mediaTree,
  refusal,
  sortedEntries,
} from "./tree.ts";

/** How a CD is made. */
export interface IsoOptions {
  /** Up to 32 capitals, digits and `_`; Joliet shows 16 of them. */
  readonly label?: string;
  /** The date of all that is on it; 1 January 2000 where it is not given. */
  readonly date?: Date;
  /** The path of the file that a machine starts from, with no disk emulated: 512 bytes a sector are loaded at 7C00h. */
  readonly boot?: string;
}

/** Bytes of one block of a CD. */
export const ISO_BLOCK_BYTES = 2048;
const SYSTEM_BLOCKS = 16;
const MAX_FILE_BYTES = 4 * GiB - ISO_BLOCK_BYTES;
const MAX_DISC_BYTES = 2 * GiB - ISO_BLOCK_BYTES;
const MAX_DEPTH = 8;
const RECORD_BYTES = 33;
const FOLDER_FLAG = 2;
const DEFAULT_DATE = new Date(Date.UTC(2000, 0, 1));
type Hierarchy = "iso" | "joliet";

/**
 * The bytes of a CD that holds `files`; at most 2 GiB.
 * @throws {MachineError} for a path that cannot be
 * @example
 * ```ts
 * import { buildIso } from "./iso9660.ts";
 *
 * const disc = buildIso({ "ks.cfg": "text\nreboot\n" }, { label: "OEMDRV" });
 * if (new TextDecoder().decode(disc.subarray(0x8001, 0x8006)) !== "CD001") throw new Error("no CD");
 * ```
 */
export function buildIso(files: MediaFiles, options: IsoOptions = {}): Uint8Array {
  return new IsoWriter(mediaTree(files), options).write();
}

/** A directory record that has its place; its continuation gets one later. */
interface PlacedRecord {
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly rest: Uint8Array | undefined;
}

/** One folder of one hierarchy. */
interface Extent {
  block: number;
  blocks: number;
}

class IsoWriter {
  readonly #root: Folder;
  readonly #date: Date;
  readonly #label: string;
  readonly #boot: string | undefined;
  /** In the order of path tables: by depth, then by parent, then by name. */
  readonly #folders: Record<Hierarchy, Folder[]>;
  readonly #parents = new Map<Folder, Folder>();
  readonly #extents: Record<Hierarchy, Map<Folder, Extent>> = { iso: new Map(), joliet: new Map() };
  readonly #fileBlocks = new Map<MediaFile, number>();
  readonly #names: Record<Hierarchy, Map<Folder, ReturnType<typeof identifiers>>> = {
    iso: new Map(),
    joliet: new Map(),
  };
  #disc = new Uint8Array(0);
  #blocks = 0;

  constructor(root: Folder, options: IsoOptions) {
    this.#root = root;
    this.#date = options.date ?? DEFAULT_DATE;
    this.#label = options.label ?? "CDROM";
    this.#boot = options.boot;
    if (!/^[A-Z0-9_]{1,32}$/.test(this.#label)) {
      throw new MachineError(`'${this.#label}' is no label of a CD: up to 32 capitals, digits and '_'`);
    }
    for (const folder of foldersOf(root)) {
      for (const entry of folder.entries.values()) {
        if (entry.kind === "folder") this.#parents.set(entry, folder);
        if (entry.kind === "device") throw refusal(entry.name, "moa puts no devices on CDs");
      }
      for (const kind of ["iso", "joliet"] as const) {
        this.#names[kind].set(folder, identifiers(sortedEntries(folder), kind));
      }
    }
    this.#folders = { iso: this.#pathTableOrder("iso"), joliet: this.#pathTableOrder("joliet") };
  }

  write(): Uint8Array {
    const boot = this.#boot === undefined ? undefined : this.#bootFile(this.#boot);
    let next = SYSTEM_BLOCKS + (boot === undefined ? 3 : 4);
    const tables = {} as Record<Hierarchy, { little: number; big: number; bytes: number }>;
    for (const kind of ["iso", "joliet"] as const) {
      const bytes = this.#pathTable(kind, true).length;
      const blocks = divideCeil(bytes, ISO_BLOCK_BYTES);
      tables[kind] = { little: next, big: next + blocks, bytes };
      next += 2 * blocks;
    }
    const catalogBlock = next;
    if (boot !== undefined) next++;
    for (const kind of ["iso", "joliet"] as const) {
      for (const folder of this.#folders[kind]) {
        const blocks = this.#layOut(folder, kind).blocks;
        this.#extents[kind].set(folder, { block: next, blocks });
        next += blocks;
      }
    }
    const continuationBlock = next;
    next += this.#continuationBlocks();
    next = this.#placeFiles(next);
    this.#blocks = next;
    if (next * ISO_BLOCK_BYTES > MAX_DISC_BYTES) throw new MachineError("A CD that moa makes has at most 2 GiB");
    this.#disc = new Uint8Array(next * ISO_BLOCK_BYTES);
    this.#writeDescriptors(tables, boot === undefined ? undefined : catalogBlock);
    for (const kind of ["iso", "joliet"] as const) {
      this.#disc.set(this.#pathTable(kind, true), tables[kind].little * ISO_BLOCK_BYTES);
      this.#disc.set(this.#pathTable(kind, false), tables[kind].big * ISO_BLOCK_BYTES);
    }
    if (boot !== undefined) {
      const image = { block: this.#fileBlocks.get(boot)!, bytes: boot.bytes.length };
      this.#disc.set(bootCatalog(image), catalogBlock * ISO_BLOCK_BYTES);
    }
    this.#writeFolders(continuationBlock);
    for (const [file, block] of this.#fileBlocks) this.#disc.set(file.bytes, block * ISO_BLOCK_BYTES);
    return this.#disc;
  }

  #bootFile(path: string): MediaFile {
    let node: MediaNode | undefined = this.#root;
    for (const name of path.split("/")) node = node?.kind === "folder" ? node.entries.get(name) : undefined;
    if (node?.kind !== "file") throw refusal(path, "there is no such file to start from");
    return node;
  }

  #pathTableOrder(kind: Hierarchy): Folder[] {
    const order: Folder[] = [];
    let level: Folder[] = [this.#root];
    for (let depth = 1; level.length > 0; depth++) {
      if (depth > MAX_DEPTH) throw refusal(level[0]!.name, `a CD has at most ${MAX_DEPTH} folders in one another`);
      order.push(...level);
      level = level.flatMap((folder) =>
        this.#names[kind].get(folder)!.flatMap(({ node }) => node.kind === "folder" ? [node] : [])
      );
    }
    return order;
  }

  #placeFiles(start: number): number {
    let next = start;
    for (const folder of foldersOf(this.#root)) {
      for (const entry of sortedEntries(folder)) {
        if (entry.kind !== "file") continue;
        if (entry.bytes.length > MAX_FILE_BYTES) throw refusal(entry.name, "a file on a CD has less than 4 GiB");
        this.#fileBlocks.set(entry, next);
        next += divideCeil(entry.bytes.length, ISO_BLOCK_BYTES);
      }
    }
    return next;
  }

  /** The records of a folder with their places in it; a record never crosses the border of a block. */
  #layOut(folder: Folder, kind: Hierarchy): { records: PlacedRecord[]; blocks: number } {
    const records: PlacedRecord[] = [];
    let at = 0;
    for (const { bytes, rest } of this.#records(folder, kind)) {
      if (at % ISO_BLOCK_BYTES + bytes.length > ISO_BLOCK_BYTES) at = alignUp(at, ISO_BLOCK_BYTES);
      records.push({ bytes, at, rest });
      at += bytes.length;
    }
    return { records, blocks: divideCeil(at, ISO_BLOCK_BYTES) };
  }

  *#records(folder: Folder, kind: Hierarchy): Generator<{ bytes: Uint8Array; rest: Uint8Array | undefined }> {
    const parent = this.#parents.get(folder) ?? folder;
    yield this.#record(Uint8Array.of(0), folder, kind, { named: false, isRootItself: folder === this.#root });
    yield this.#record(Uint8Array.of(1), parent, kind, { named: false, isRootItself: false });
    for (const { node, identifier } of this.#names[kind].get(folder)!) {
      // Joliet knows no links.
      if (node.kind === "link" && kind === "joliet") continue;
      yield this.#record(identifier, node, kind, { named: true, isRootItself: false });
    }
  }

  #record(
    identifier: Uint8Array,
    node: MediaNode,
    kind: Hierarchy,
    how: { readonly named: boolean; readonly isRootItself: boolean },
  ): { bytes: Uint8Array; rest: Uint8Array | undefined } {
    const fixed = alignUp(RECORD_BYTES + identifier.length, 2);
    let entries: Uint8Array[] = [];
    if (kind === "iso") {
      const folders = node.kind === "folder" ? [...node.entries.values()].filter((one) => one.kind === "folder") : [];
      const links = node.kind === "folder" ? 2 + folders.length : 1;
      entries = rockRidgeEntries({ node, ...how, links, date: this.#date });
    }
    const here = splitEntries(entries, fixed);
    const goesOn = here < entries.length;
    const own = entries.slice(0, here);
    // Where it goes on is known once all folders have their places: see writeFolders.
    if (goesOn) own.push(continuation(0, 0, 0));
    const bytes = new Uint8Array(alignUp(fixed + own.reduce((sum, { length }) => sum + length, 0), 2));
    const extent = node.kind === "folder" ? this.#extents[kind].get(node) : undefined;
    const block = extent?.block ?? (node.kind === "file" ? this.#fileBlocks.get(node) : undefined) ?? 0;
    const lengthBytes = node.kind === "file" ? node.bytes.length : (extent?.blocks ?? 0) * ISO_BLOCK_BYTES;
    bytes[0] = bytes.length;
    putBoth32(bytes, 2, block);
    putBoth32(bytes, 10, lengthBytes);
    bytes.set(recordingTime(this.#date), 18);
    bytes[25] = node.kind === "folder" ? FOLDER_FLAG : 0;
    putBoth16(bytes, 28, 1);
    bytes[32] = identifier.length;
    bytes.set(identifier, RECORD_BYTES);
    bytes.set(concatBytes(own), fixed);
    const rest = goesOn ? concatBytes(entries.slice(here)) : undefined;
    return { bytes, rest };
  }

  #continuationBlocks(): number {
    let at = 0;
    for (const folder of this.#folders.iso) {
      for (const { rest } of this.#layOut(folder, "iso").records) if (rest !== undefined) at = afterRest(at, rest);
    }
    return divideCeil(at, ISO_BLOCK_BYTES);
  }

  #writeFolders(continuationBlock: number): void {
    let next = 0;
    for (const kind of ["iso", "joliet"] as const) {
      for (const folder of this.#folders[kind]) {
        const start = this.#extents[kind].get(folder)!.block * ISO_BLOCK_BYTES;
        for (const { bytes, at, rest } of this.#layOut(folder, kind).records) {
          if (rest !== undefined) {
            const end = afterRest(next, rest);
            const place = end - rest.length;
            const mark = continuation(
              continuationBlock + Math.floor(place / ISO_BLOCK_BYTES),
              place % ISO_BLOCK_BYTES,
              rest.length,
            );
            bytes.set(mark, lastEntryOf(bytes) - mark.length);
            this.#disc.set(rest, continuationBlock * ISO_BLOCK_BYTES + place);
            next = end;
          }
          this.#disc.set(bytes, start + at);
        }
      }
    }
  }

  #pathTable(kind: Hierarchy, little: boolean): Uint8Array {
    const numbers = new Map(this.#folders[kind].map((folder, i) => [folder, i + 1]));
    const rows = this.#folders[kind].map((folder) => {
      const parent = this.#parents.get(folder);
      const found = parent === undefined
        ? undefined
        : this.#names[kind].get(parent)!.find(({ node }) => node === folder);
      const identifier = found?.identifier ?? Uint8Array.of(0);
      const row = new Uint8Array(alignUp(8 + identifier.length, 2));
      const view = new DataView(row.buffer);
      view.setUint8(0, identifier.length);
      view.setUint32(2, this.#extents[kind].get(folder)?.block ?? 0, little);
      view.setUint16(6, numbers.get(parent ?? folder)!, little);
      row.set(identifier, 8);
      return row;
    });
    return concatBytes(rows);
  }

  #writeDescriptors(
    tables: Record<Hierarchy, { little: number; big: number; bytes: number }>,
    catalogBlock: number | undefined,
  ): void {
    let block = SYSTEM_BLOCKS;
    const put = (bytes: Uint8Array) => this.#disc.set(bytes, block++ * ISO_BLOCK_BYTES);
    put(this.#volume("iso", tables.iso));
    if (catalogBlock !== undefined) put(bootRecord(catalogBlock));
    put(this.#volume("joliet", tables.joliet));
    put(descriptor(255));
  }

  #volume(kind: Hierarchy, table: { little: number; big: number; bytes: number }): Uint8Array {
    const bytes = descriptor(kind === "iso" ? 1 : 2);
    const view = new DataView(bytes.buffer);
    const text = (at: number, length: number, value: string) => {
      const field = bytes.subarray(at, at + length);
      if (kind === "iso") field.fill(0x20);
      else for (let i = 0; i + 1 < length; i += 2) field[i + 1] = 0x20;
      field.set(encode(value, kind).subarray(0, length));
    };
    text(8, 32, "LINUX");
    text(40, 32, this.#label);
    putBoth32(bytes, 80, this.#blocks);
    // UCS-2 level 3.
    if (kind === "joliet") bytes.set([0x25, 0x2f, 0x45], 88);
    putBoth16(bytes, 120, 1);
    putBoth16(bytes, 124, 1);
    putBoth16(bytes, 128, ISO_BLOCK_BYTES);
    putBoth32(bytes, 132, table.bytes);
    view.setUint32(140, table.little, true);
    view.setUint32(148, table.big);
    const root = this.#record(Uint8Array.of(0), this.#root, kind, { named: false, isRootItself: false });
    bytes.set(root.bytes.subarray(0, 34), 156);
    bytes[156] = 34;
    for (const at of [190, 318, 446]) text(at, 128, "");
    text(574, 128, "MOA");
    for (const at of [702, 739, 776]) text(at, 37, "");
    for (const at of [813, 830]) bytes.set(volumeTime(this.#date), at);
    for (const at of [847, 864]) bytes.set(noVolumeTime(), at);
    bytes[881] = 1;
    return bytes;
  }
}

/** Where the next continuation begins after `rest` was put at `at` or, where a block would end in it, in the next. */
function afterRest(at: number, rest: Uint8Array): number {
  const start = at % ISO_BLOCK_BYTES + rest.length > ISO_BLOCK_BYTES ? alignUp(at, ISO_BLOCK_BYTES) : at;
  return start + rest.length;
}

/** The end of the last entry of a record, which may be one byte before its own. */
function lastEntryOf(record: Uint8Array): number {
  let at = alignUp(RECORD_BYTES + record[32]!, 2);
  while (at + 4 <= record.length && record[at + 2] !== 0) at += record[at + 2]!;
  return at;
}

function descriptor(type: number): Uint8Array {
  const bytes = new Uint8Array(ISO_BLOCK_BYTES);
  bytes[0] = type;
  new TextEncoder().encodeInto("CD001", bytes.subarray(1));
  bytes[6] = 1;
  return bytes;
}

/** The descriptor that leads to the boot catalog. */
function bootRecord(catalogBlock: number): Uint8Array {
  const bytes = descriptor(0);
  new TextEncoder().encodeInto("EL TORITO SPECIFICATION", bytes.subarray(7));
  new DataView(bytes.buffer).setUint32(71, catalogBlock, true);
  return bytes;
}
