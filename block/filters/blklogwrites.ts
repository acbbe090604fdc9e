/**
 * `blklogwrites`: writes go through, and are recorded in a log in the order in which they came.
 *
 * The log is that of Linux's dm-log-writes, so that its tools can replay it up to any write and look at what a power
 * failure would have left. Requests are made of whole sectors of the log.
 *
 * Source: Linux, Documentation/admin-guide/device-mapper/log-writes.rst; qapi/block-core.json,
 * BlockdevOptionsBlklogwrites.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import type { DriverDefinition, RequestLimits, ZeroOptions } from "../driver.ts";
import { BlockError } from "../errors.ts";
import type { BlockNode } from "../node.ts";
import type { BlockdevOptionsBlklogwrites } from "../options/blockdev.ts";
import { Filter } from "./filter.ts";
import { LogFlag, WriteLog } from "./write_log.ts";

const MAX_SECTOR_BYTES = 2 ** 23;

class BlklogwritesDriver extends Filter {
  readonly #log: WriteLog;

  constructor(below: BlockNode, log: WriteLog) {
    super("blklogwrites", below);
    this.#log = log;
  }

  override get limits(): RequestLimits {
    return { ...super.limits, alignBytes: this.#log.sectorBytes };
  }

  override async write(at: number, from: IoVector): Promise<void> {
    await together(this.#log.append(at, from.length, 0, from), super.write(at, from));
  }

  override async writeZeroes(at: number, length: number, how?: ZeroOptions): Promise<void> {
    await together(this.#log.append(at, length, 0, "zeroes"), super.writeZeroes(at, length, how));
  }

  override async discard(at: number, length: number): Promise<void> {
    await together(this.#log.append(at, length, LogFlag.discard), super.discard(at, length));
  }

  override async flush(): Promise<void> {
    // What the log says was durable is: the disk first.
    await super.flush();
    await this.#log.append(0, 0, LogFlag.flush);
    await this.#log.flush();
  }
}

/** Waits for both, whatever becomes of one. */
async function together(log: Promise<void>, work: Promise<void>): Promise<void> {
  const [logged, done] = await Promise.allSettled([log, work]);
  if (logged.status === "rejected") throw logged.reason;
  if (done.status === "rejected") throw done.reason;
}

function refusal(option: string, text: string): BlockError {
  return new BlockError({ kind: "option", option, text });
}

/** The `blklogwrites` filter. */
export const blklogwrites: DriverDefinition<BlockdevOptionsBlklogwrites> = {
  name: "blklogwrites",
  kind: "filter",
  overFile: true,
  async open(options, context) {
    const below = await context.openChild("file", options.file);
    const log = await context.openChild("log", options.log);
    const { "log-append": append = false, "log-sector-size": given, "log-super-update-interval": interval } = options;
    if (append && given !== undefined) {
      throw refusal("log-append", "log-append and log-sector-size are mutually exclusive");
    }
    const sectorBytes = given ?? 512;
    if (!isSectorSize(sectorBytes)) throw refusal("log-sector-size", `Invalid log sector size ${sectorBytes}`);
    if (interval === 0) throw refusal("log-super-update-interval", "Invalid log superblock update interval 0");
    const writeLog = append && log.driver.size > 0
      ? await WriteLog.continued(log, isSectorSize, interval)
      : new WriteLog(log, sectorBytes, interval);
    return new BlklogwritesDriver(below, writeLog);
  },
};

function isSectorSize(bytes: number): boolean {
  return bytes >= 512 && bytes <= MAX_SECTOR_BYTES && Number.isInteger(Math.log2(bytes));
}
