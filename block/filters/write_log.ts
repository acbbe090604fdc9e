/**
 * A log of writes as dm-log-writes keeps it: one sector that counts entries, then each entry with its data behind it.
 *
 *     sector 0           magic, version, number of entries, sector size
 *     sector n           where, how many sectors, flags         } one entry; a discard or
 *     sectors n+1 ...    the data                               } flush has no data
 *
 * All numbers are little-endian and count sectors of the log's own size.
 *
 * Source: Linux, drivers/md/dm-log-writes.c's on-disk description in the admin guide, "Log Ordering".
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { struct, u32, u64, u64big } from "../../base/struct.ts";
import { BlockError } from "../errors.ts";
import type { BlockNode } from "../node.ts";

/** What an entry is, where it is more than a write. */
export const LogFlag = { flush: 1, discard: 4 } as const;

const MAGIC = 0x6a736677736872n;
const VERSION = 1n;
const DEFAULT_UPDATE_INTERVAL = 4096;

const Super = struct("little", 28, { magic: u64big, version: u64big, entries: u64, sectorBytes: u32 });
const Entry = struct("little", 32, { sector: u64, sectors: u64, flags: u64, dataBytes: u64 });

/** A log that is being written. */
export class WriteLog {
  readonly sectorBytes: number;
  readonly #file: BlockNode;
  readonly #updateInterval: number;
  #entries: number;
  /** The sector where the next entry goes. */
  #next: number;

  /** `updateInterval`: after how many entries the first sector is written in between flushes. */
  constructor(file: BlockNode, sectorBytes: number, updateInterval?: number, entries = 0, next = 1) {
    this.#file = file;
    this.sectorBytes = sectorBytes;
    this.#updateInterval = updateInterval ?? DEFAULT_UPDATE_INTERVAL;
    this.#entries = entries;
    this.#next = next;
  }

  /** The log that lies in `file`, to be continued at its end. @throws {BlockError} where there is none */
  static async continued(
    file: BlockNode,
    isSectorSize: (bytes: number) => boolean,
    updateInterval: number | undefined,
  ): Promise<WriteLog> {
    const head = IoVector.allocate(512);
    await file.read(0, head);
    const found = Super.decode(head.toBytes());
    if (found.magic !== MAGIC) throw broken("Invalid log superblock magic");
    if (found.version !== VERSION) throw broken(`Unsupported log version ${found.version}`);
    const { sectorBytes, entries } = found;
    if (!isSectorSize(sectorBytes)) throw broken(`Invalid log sector size ${sectorBytes}`);
    return new WriteLog(file, sectorBytes, updateInterval, entries, await endOf(file, sectorBytes, entries));
  }

  /** Records an operation of `length` bytes at `at`, with its data if it is a write. Its place is taken at once. */
  async append(at: number, length: number, flags: number, data?: IoVector | "zeroes"): Promise<void> {
    const place = this.#next * this.sectorBytes;
    this.#next += 1 + (data === undefined ? 0 : length / this.sectorBytes);
    this.#entries++;
    const isDue = this.#entries % this.#updateInterval === 0;
    const head = new Uint8Array(this.sectorBytes);
    const number = (bytes: number) => bytes / this.sectorBytes;
    Entry.encode({ sector: number(at), sectors: number(length), flags, dataBytes: 0 }, head);
    if (data === undefined || data === "zeroes") await this.#file.write(place, IoVector.of(head));
    else await this.#file.write(place, IoVector.from([head, ...data.slices]));
    if (data === "zeroes") await this.#file.writeZeroes(place + this.sectorBytes, length);
    if (isDue) await this.flush();
  }

  /** Writes how many entries there are; what was appended before is durable then. */
  async flush(): Promise<void> {
    const { sectorBytes } = this;
    const sector = new Uint8Array(sectorBytes);
    Super.encode({ magic: MAGIC, version: VERSION, entries: this.#entries, sectorBytes }, sector);
    await this.#file.write(0, IoVector.of(sector));
    await this.#file.flush();
  }
}

/** The sector behind the last entry. */
async function endOf(file: BlockNode, sectorBytes: number, entries: number): Promise<number> {
  const entry = IoVector.allocate(Entry.sizeBytes);
  let next = 1;
  for (let i = 0; i < entries; i++) {
    if (next * sectorBytes >= file.driver.size) break;
    await file.read(next * sectorBytes, entry);
    const { sectors, flags } = Entry.decode(entry.toBytes());
    next += 1 + ((flags & LogFlag.discard) === 0 ? sectors : 0);
    if (!Number.isSafeInteger(next * sectorBytes)) throw broken("Log contains an invalid entry");
  }
  return next;
}

function broken(text: string): BlockError {
  return new BlockError({ kind: "format", format: "dm-log-writes", text });
}
