/**
 * A floppy or small disk with a FAT12 or FAT16 file system: what installers read answers and drivers from.
 *
 * Files lie in one piece each, in order. Left out: FAT32, partition tables, links (refused).
 *
 * Source: [FAT] Microsoft Extensible Firmware Initiative FAT32 File System Specification 1.03.
 *
 * @module
 */
import { divideCeil } from "../../base/bits.ts";
import { KiB, SECTOR_BYTES } from "../../base/units.ts";
import { MachineError } from "../errors.ts";
import { ENTRY_BYTES, FAT_COUNT, type FatLayout, fatLayout, RESERVED_SECTORS } from "./fat_layout.ts";
import { longNameEntries, shortName } from "./fat_names.ts";
import { type Folder, type MediaFiles, type MediaNode, mediaTree, refusal, sortedEntries } from "./tree.ts";

/** How a FAT disk is made. */
export interface FatOptions {
  /** The disk's size; 1.44 MB where it is not given. */
  readonly sizeBytes?: number;
  /** Up to eleven characters. */
  readonly label?: string;
  /** The date of all that is on it; 1 January 2000 where it is not given. */
  readonly date?: Date;
  readonly serial?: number;
}

const FLOPPY_BYTES = 1440 * KiB;
const DEFAULT_DATE = new Date(Date.UTC(2000, 0, 1));
const ATTRIBUTE = { readOnly: 0x01, label: 0x08, folder: 0x10, archive: 0x20 } as const;
const END_OF_CHAIN = 0xffff;
const FIRST_CLUSTER = 2;
const BOOT_SIGNATURE = 0xaa55;

/**
 * The bytes of a FAT disk that holds `files`.
 * @throws {MachineError} for a path that cannot be, or where there is no room
 * @example
 * ```ts
 * import { buildFat } from "./fat.ts";
 *
 * const floppy = buildFat({ "ks.cfg": "text\nreboot\n" }, { label: "OEMDRV" });
 * if (floppy.length !== 1474560) throw new Error("not the size of a floppy");
 * ```
 */
export function buildFat(files: MediaFiles, options: FatOptions = {}): Uint8Array {
  return new FatWriter(options).write(mediaTree(files));
}

class FatWriter {
  readonly #layout: FatLayout;
  readonly #disk: Uint8Array;
  readonly #view: DataView;
  readonly #stamp: number;
  readonly #label: string | undefined;
  readonly #serial: number;
  /** The next cluster that nobody has; clusters are given in order, never back. */
  #next = FIRST_CLUSTER;

  constructor(options: FatOptions) {
    const sizeBytes = options.sizeBytes ?? FLOPPY_BYTES;
    this.#layout = fatLayout(sizeBytes);
    this.#disk = new Uint8Array(sizeBytes);
    this.#view = new DataView(this.#disk.buffer);
    this.#stamp = dosStamp(options.date ?? DEFAULT_DATE);
    this.#label = options.label?.toUpperCase();
    this.#serial = options.serial ?? 0x6d6f_6121;
    if (this.#label !== undefined && !/^[A-Z0-9 !#$%&'()@^_`{}~-]{1,11}$/.test(this.#label)) {
      throw new MachineError(`'${options.label}' is no label of a FAT disk: up to 11 letters, digits and blanks`);
    }
  }

  write(root: Folder): Uint8Array {
    const { rootEntries, media, bits } = this.#layout;
    this.#writeBootSector();
    const entries = this.#entriesOf(root, 0, 0);
    if (this.#label !== undefined) entries.unshift(this.#entry(this.#label.padEnd(11), ATTRIBUTE.label, 0, 0));
    if (entries.length > rootEntries) throw refusal("/", `the root folder has room for ${rootEntries} entries`);
    for (const [i, entry] of entries.entries()) this.#disk.set(entry, this.#rootAt + i * ENTRY_BYTES);
    this.#setLink(0, (bits === 12 ? 0xf00 : 0xff00) | media);
    this.#setLink(1, END_OF_CHAIN);
    const fatBytes = this.#layout.sectorsPerFat * SECTOR_BYTES;
    this.#disk.copyWithin(this.#fatAt + fatBytes, this.#fatAt, this.#fatAt + fatBytes);
    return this.#disk;
  }

  get #fatAt(): number {
    return RESERVED_SECTORS * SECTOR_BYTES;
  }

  get #rootAt(): number {
    return this.#fatAt + FAT_COUNT * this.#layout.sectorsPerFat * SECTOR_BYTES;
  }

  get #dataAt(): number {
    return this.#rootAt + this.#layout.rootEntries * ENTRY_BYTES;
  }

  get #clusterBytes(): number {
    return this.#layout.sectorsPerCluster * SECTOR_BYTES;
  }

  #writeBootSector(): void {
    const { sectors, sectorsPerCluster, rootEntries, media, sectorsPerFat, sectorsPerTrack, heads, bits } =
      this.#layout;
    const view = this.#view;
    const text = (at: number, value: string) => new TextEncoder().encodeInto(value, this.#disk.subarray(at));
    // Started from, it stops: jump over the table to int 18h ("nothing to boot here") and a loop.
    this.#disk.set([0xeb, 0x3c, 0x90]);
    this.#disk.set([0xcd, 0x18, 0xeb, 0xfe], 62);
    text(3, "MOA     ");
    view.setUint16(11, SECTOR_BYTES, true);
    view.setUint8(13, sectorsPerCluster);
    view.setUint16(14, RESERVED_SECTORS, true);
    view.setUint8(16, FAT_COUNT);
    view.setUint16(17, rootEntries, true);
    if (sectors < 0x10000) view.setUint16(19, sectors, true);
    else view.setUint32(32, sectors, true);
    view.setUint8(21, media);
    view.setUint16(22, sectorsPerFat, true);
    view.setUint16(24, sectorsPerTrack, true);
    view.setUint16(26, heads, true);
    view.setUint8(36, media === 0xf8 ? 0x80 : 0);
    view.setUint8(38, 0x29);
    view.setUint32(39, this.#serial, true);
    text(43, (this.#label ?? "NO NAME").padEnd(11));
    text(54, `FAT${bits}   `);
    view.setUint16(510, BOOT_SIGNATURE, true);
  }

  /** The entries of `folder`, whose first cluster is `own` and whose parent's is `parent`; writes what is in it. */
  #entriesOf(folder: Folder, own: number, parent: number): Uint8Array[] {
    const entries: Uint8Array[] = own === 0 ? [] : [
      this.#entry(".".padEnd(11), ATTRIBUTE.folder, own, 0),
      this.#entry("..".padEnd(11), ATTRIBUTE.folder, parent, 0),
    ];
    const taken = new Set<string>();
    const folded = new Set<string>();
    for (const node of sortedEntries(folder)) {
      if (folded.has(node.name.toUpperCase())) throw refusal(node.name, "FAT does not tell upper case from lower case");
      folded.add(node.name.toUpperCase());
      const { short, long } = shortName(node.name, taken);
      taken.add(short);
      if (long) entries.push(...longNameEntries(node.name, short));
      entries.push(this.#entryOf(node, short, own));
    }
    return entries;
  }

  #entryOf(node: MediaNode, short: string, parent: number): Uint8Array {
    if (node.kind === "link") throw refusal(node.name, "FAT has no symbolic links");
    if (node.kind === "device") throw refusal(node.name, "FAT has no devices");
    if (node.kind === "file") {
      const readOnly = (node.mode & 0o200) === 0 ? ATTRIBUTE.readOnly : 0;
      return this.#entry(short, ATTRIBUTE.archive | readOnly, this.#store(node.bytes, node.name), node.bytes.length);
    }
    // Its entries name its first cluster, so the clusters are taken before the entries are known: as many as they need.
    const count = 2 + [...node.entries.values()].reduce((sum, { name }) => sum + 1 + Math.ceil(name.length / 13), 0);
    const clusters = divideCeil(count * ENTRY_BYTES, this.#clusterBytes);
    const first = this.#take(clusters, node.name);
    for (const [i, entry] of this.#entriesOf(node, first, parent).entries()) {
      this.#disk.set(entry, this.#clusterAt(first) + i * ENTRY_BYTES);
    }
    return this.#entry(short, ATTRIBUTE.folder, first, 0);
  }

  #entry(short: string, attributes: number, cluster: number, lengthBytes: number): Uint8Array {
    const entry = new Uint8Array(ENTRY_BYTES);
    const view = new DataView(entry.buffer);
    new TextEncoder().encodeInto(short, entry);
    view.setUint8(11, attributes);
    for (const at of [14, 22]) view.setUint32(at, this.#stamp, true);
    view.setUint16(18, this.#stamp >>> 16, true);
    view.setUint16(26, cluster, true);
    view.setUint32(28, lengthBytes, true);
    return entry;
  }

  /** Writes a file's bytes; its first cluster, 0 for an empty one. */
  #store(bytes: Uint8Array, name: string): number {
    if (bytes.length === 0) return 0;
    const first = this.#take(divideCeil(bytes.length, this.#clusterBytes), name);
    this.#disk.set(bytes, this.#clusterAt(first));
    return first;
  }

  /** Takes clusters that lie one after the other and chains them. */
  #take(count: number, name: string): number {
    const first = this.#next;
    const end = first + count;
    if (end > FIRST_CLUSTER + this.#layout.clusters) {
      throw refusal(name, `the disk of ${this.#disk.length / KiB} KiB is full`);
    }
    for (let cluster = first; cluster < end; cluster++) {
      this.#setLink(cluster, cluster + 1 < end ? cluster + 1 : END_OF_CHAIN);
    }
    this.#next = end;
    return first;
  }

  #clusterAt(cluster: number): number {
    return this.#dataAt + (cluster - FIRST_CLUSTER) * this.#clusterBytes;
  }

  #setLink(cluster: number, value: number): void {
    const { bits } = this.#layout;
    if (bits === 16) return this.#view.setUint16(this.#fatAt + cluster * 2, value, true);
    // Two entries of 12 bits share three bytes.
    const at = this.#fatAt + Math.floor(cluster * 3 / 2);
    const old = this.#view.getUint16(at, true);
    const both = cluster % 2 === 0 ? (old & 0xf000) | (value & 0xfff) : (old & 0x000f) | ((value & 0xfff) << 4);
    this.#view.setUint16(at, both, true);
  }
}

/** Date above, time below, as FAT has them: years from 1980, two seconds a step. */
function dosStamp(date: Date): number {
  const year = Math.min(Math.max(date.getUTCFullYear(), 1980), 2107) - 1980;
  const day = (year << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate();
  const time = (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1);
  return ((day << 16) | time) >>> 0;
}
