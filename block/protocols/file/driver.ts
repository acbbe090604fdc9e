/**
 * The driver of files and devices of this host: `file`, `host_device` and `host_cdrom`, which differ in what they open.
 *
 * A request first tries the quick path (`quick.ts`), where what the page cache has costs one system call and no
 * promise of its own; all others go through an engine (`engine.ts`). With `cache.direct=on` there is no page cache and
 * all of them do.
 *
 * Left out: persistent reservations (`pr-manager`), zoned devices.
 *
 * @module
 */
import {
  closeDescriptor,
  controlNumber,
  dropPageCache,
  type FileStat,
  openPath,
  statDescriptor,
} from "../../../base/host/files.ts";
import {
  CDROM_DRIVE_STATUS,
  CDROM_LOCKDOOR,
  CDROMCLOSETRAY,
  CDROMEJECT,
  CDS_DISC_OK,
  FALLOC_FL_KEEP_SIZE,
  O_DIRECT,
  O_RDONLY,
  O_RDWR,
} from "../../../base/host/constants.ts";
import { nextTurn } from "../../../base/turn.ts";
import type { HostLibrary } from "../../../base/host/libc.ts";
import type { IoVector } from "../../../base/io_vector.ts";
import { GiB, KiB } from "../../../base/units.ts";
import type { AccessAdvice, AdvisedDriver } from "../../access_advice.ts";
import type { KernelCopier } from "../../copy_in_kernel.ts";
import { DONE } from "../../done.ts";
import type {
  BlockDriver,
  Extent,
  ReopenChange,
  Reopening,
  RequestLimits,
  TruncateOptions,
  ZeroOptions,
} from "../../driver.ts";
import { BlockError } from "../../errors.ts";
import { Permission } from "../../permissions.ts";
import { gainsFromRoom, RoomAhead } from "./ahead.ts";
import { type FileEngine, MAX_SLICES } from "./engine.ts";
import { FileExtents } from "./extents.ts";
import type { ImageLocks } from "./locks.ts";
import { directAlignment, type FileDriverName, fileSize, type OpenFile } from "./open.ts";
import type { QuickPath } from "./quick.ts";
import { FileRanges } from "./ranges.ts";
import { resizeFile } from "./resize.ts";
import { errnoOfResult, requestError, stateError } from "./results.ts";
import { bouncePool, copyAll, readAll, type TransferTarget, writeAll } from "./transfer.ts";

/** Shorter writes gain less than one more call costs. */
const LARGE_WRITE_BYTES = 256 * KiB;
/** Shorter reads take less time than telling another thread of them. */
const LARGE_READ_BYTES = 256 * KiB;

/** What a driver is made of; it closes all of it. */
export interface FileDriverParts {
  readonly host: HostLibrary;
  readonly name: FileDriverName;
  readonly path: string;
  readonly file: OpenFile;
  readonly engine: FileEngine;
  readonly quick: QuickPath;
  readonly locks: ImageLocks | undefined;
  readonly dropCache: boolean;
}

/** An open file or device. */
export class FileDriver implements AdvisedDriver, KernelCopier {
  readonly reopening: Reopening = { options: ["drop-cache", "x-check-cache-dropped"], kept: ["drop-cache"] };
  readonly name: FileDriverName;
  readonly path: string;
  readonly #host: HostLibrary;
  readonly #engine: FileEngine;
  readonly #quick: QuickPath;
  readonly #locks: ImageLocks | undefined;
  readonly #extents: FileExtents;
  readonly #ranges: FileRanges;
  readonly #dropCache: boolean;
  readonly #isRegular: boolean;
  readonly #stat: FileStat;
  #file: OpenFile;
  #descriptor: number;
  #direct: boolean;
  #size: number;
  #limits: RequestLimits;
  #target: TransferTarget;
  #flushError = 0;
  #closed = false;
  /** Reads from this length on are made by another thread. */
  #readAsideBytes = Infinity;
  #ahead: RoomAhead | undefined;
  /** Writes from this length on get their blocks first, in one piece: see ahead.ts. */
  #roomFirstBytes = Infinity;

  constructor(parts: FileDriverParts) {
    const { host, file } = parts;
    this.name = parts.name;
    this.path = parts.path;
    this.#host = host;
    this.#engine = parts.engine;
    this.#quick = parts.quick;
    this.#locks = parts.locks;
    this.#dropCache = parts.dropCache;
    this.#stat = file.stat;
    this.#isRegular = file.stat.kind === "file";
    this.#extents = new FileExtents(host);
    this.#ranges = new FileRanges(host, !this.#isRegular);
    this.#file = file;
    this.#descriptor = file.descriptor;
    this.#direct = file.direct;
    this.#size = fileSize(host, file);
    [this.#limits, this.#target] = this.#shapes(file);
  }

  /** Bytes, exactly: no rounding to sectors. */
  get startsZero(): boolean {
    return this.#isRegular;
  }

  get size(): number {
    return this.#size;
  }

  get limits(): RequestLimits {
    return this.#limits;
  }

  get readOnly(): boolean {
    return this.#file.readOnly;
  }

  /** Which engine does what the quick path cannot. */
  get engineName(): string {
    return this.#engine.name;
  }

  /** How many reads the quick path answered at once, how many it did not, and how many of its writes were slow. */
  get quickCounts(): Readonly<QuickPath["counts"]> {
    return this.#quick.counts;
  }

  read(at: number, into: IoVector): Promise<void> {
    if (this.#direct) return readAll(this.#target, at, into);
    const { slices, length } = into;
    if (length >= this.#readAsideBytes) return readAll(this.#target, at, into, true);
    const quick = this.#quick;
    const got = slices.length === 1
      ? quick.read(this.#descriptor, at, slices[0] as Uint8Array<ArrayBuffer>)
      : quick.readVector(this.#descriptor, at, slices, length);
    if (got === length) return quick.worked(length) ? nextTurn() : DONE;
    return this.#readOn(at, into, got);
  }

  /** Goes on where the quick path ended after `got` bytes. */
  async #readOn(at: number, into: IoVector, got: number): Promise<void> {
    if (got < 0) return readAll(this.#target, at, into);
    if (at + got >= this.#size) return into.fill(0, got);
    await readAll(this.#target, at + got, into.slice(got));
  }

  write(at: number, from: IoVector, how?: { readonly fua?: boolean }): Promise<void> {
    const { slices, length } = from;
    if (this.#direct || how?.fua === true) return this.#writeOn(at, from, 0, how);
    const quick = this.#quick;
    const put = slices.length === 1
      ? quick.write(this.#descriptor, at, slices[0] as Uint8Array<ArrayBuffer>)
      : quick.writeVector(this.#descriptor, at, slices, length);
    if (put !== length) return this.#writeOn(at, from, Math.max(put, 0), how);
    this.#written(at, length);
    return quick.worked(length) ? nextTurn() : DONE;
  }

  async #writeOn(at: number, from: IoVector, done: number, how?: { readonly fua?: boolean }): Promise<void> {
    try {
      if (from.length >= this.#roomFirstBytes) await this.#takeRoom(at, from.length);
      await writeAll(this.#target, at + done, done === 0 ? from : from.slice(done));
    } finally {
      this.#written(at, from.length);
      if (at + from.length > this.#size) this.#size = fileSize(this.#host, this.#file);
    }
    if (how?.fua) await this.flush();
  }

  /** Why it fails the write itself will tell. */
  async #takeRoom(at: number, length: number): Promise<void> {
    const result = await this.#engine.allocate(this.#descriptor, FALLOC_FL_KEEP_SIZE, at, length);
    if (result < 0) this.#roomFirstBytes = Infinity;
  }

  #written(at: number, length: number): void {
    const end = at + length;
    if (end > this.#size && length > 0 && this.#isRegular && !this.#direct) this.#grow(end);
    this.#extents.written(at, length);
  }

  #grow(end: number): void {
    this.#size = end;
    this.#extents.forget();
    this.#ahead?.grown(this.#descriptor, end);
  }

  async writeZeroes(at: number, length: number, how: ZeroOptions = {}): Promise<void> {
    const range = { at, length, unmap: how.unmap ?? false, fileBytes: this.#size };
    const result = await this.#ranges.zero(this.#engine, this.#descriptor, range);
    this.#extents.forget();
    if (this.#isRegular) this.#size = Math.max(this.#size, fileSize(this.#host, this.#file));
    if (result < 0) {
      throw requestError("write-zeroes", result, { path: this.path, offsetBytes: at, lengthBytes: length });
    }
    if (how.fua) await this.flush();
  }

  async discard(at: number, length: number): Promise<void> {
    const result = await this.#ranges.discard(this.#engine, this.#descriptor, at, length);
    this.#extents.forget();
    if (result < 0) throw requestError("discard", result, { path: this.path, offsetBytes: at, lengthBytes: length });
  }

  /**
   * Returns when all data is durable. After a failure the page cache may have dropped what it could not write, so
   * every later flush fails too, unless the file bypasses that cache.
   */
  async flush(): Promise<void> {
    if (this.#flushError < 0) throw requestError("flush", this.#flushError, { path: this.path });
    const result = await this.#engine.flush(this.#descriptor);
    if (result >= 0) return;
    if (!this.#direct) this.#flushError = result;
    throw requestError("flush", result, { path: this.path });
  }

  async status(at: number, length: number): Promise<Extent> {
    if (!this.#isRegular || at >= this.#size) {
      return { lengthBytes: length, kind: "data", hostOffset: at, allocated: true };
    }
    const run = this.#extents.find(this.#descriptor, at, this.#size);
    // what lies behind the end in the last unit belongs to whatever ends the file
    const end = run.end >= this.#size ? Infinity : run.end;
    const lengthBytes = Math.min(length, end - at);
    return { lengthBytes, kind: run.data ? "data" : "zero", hostOffset: at, allocated: true };
  }

  async truncate(size: number, how: TruncateOptions = {}): Promise<void> {
    const preallocation = how.preallocation ?? "off";
    if (!this.#isRegular) return this.#truncateDevice(size, preallocation, how.exact ?? false);
    try {
      await resizeFile(this.#host, this.#target, { fromBytes: this.#size, toBytes: size, preallocation });
    } finally {
      this.#size = fileSize(this.#host, this.#file);
      this.#extents.forget();
    }
  }

  #truncateDevice(size: number, preallocation: string, exact: boolean): void {
    if (preallocation !== "off") {
      const text = `Preallocation mode '${preallocation}' unsupported for this non-regular file`;
      throw new BlockError({ kind: "state", text, errno: "ENOTSUP" });
    }
    this.#size = fileSize(this.#host, this.#file);
    if (size === this.#size || (!exact && size < this.#size)) return;
    const text = size > this.#size ? "Cannot grow device files" : "Cannot resize device files";
    throw new BlockError({ kind: "state", text, errno: size > this.#size ? "EINVAL" : "ENOTSUP" });
  }

  /** `false` where the kernel cannot copy between the two; why not, the ordinary way will tell. */
  async copyFrom(source: BlockDriver, from: number, to: number, length: number): Promise<boolean> {
    if (!(source instanceof FileDriver) || this.#direct || from + length > source.size) return false;
    try {
      return await copyAll(this.#host, [source.#descriptor, from], [this.#descriptor, to], length);
    } finally {
      this.#size = fileSize(this.#host, this.#file);
      this.#extents.forget();
    }
  }

  advise(advice: AccessAdvice): void {
    if (advice === "large-reads-aside") this.#readAsideBytes = LARGE_READ_BYTES;
    if (advice !== "grows" && advice !== "fills-holes") return;
    if (this.#isRegular && !this.#direct && gainsFromRoom(this.#host, this.#descriptor)) {
      if (advice === "grows") this.#ahead ??= new RoomAhead(this.#engine);
      else this.#roomFirstBytes = LARGE_WRITE_BYTES;
    }
  }

  async allocatedBytes(): Promise<number> {
    const stat = statDescriptor(this.#host, this.#descriptor);
    if (typeof stat === "number") throw stateError("Could not stat file", stat);
    return stat.allocatedBytes;
  }

  /** Holds image locks for what all users of the node do and share; `locked` when another process stands against it. */
  async setPermissions(used: number, shared: number): Promise<void> {
    this.#locks?.set(used, shared);
    this.#extents.exclusive = this.#locks !== undefined && (shared & Permission.write) === 0;
  }

  /** Takes another mode of access over: the same file, opened again, with the locks that are held. */
  async reopen(change: ReopenChange): Promise<void> {
    if (change.readOnly === this.#file.readOnly && change.cacheDirect === this.#direct) return;
    const flags = (change.readOnly ? O_RDONLY : O_RDWR) | (change.cacheDirect ? O_DIRECT : 0);
    // by way of /proc it is the same file even where its name has changed
    const descriptor = openPath(this.#host, `/proc/self/fd/${this.#descriptor}`, flags);
    if (descriptor < 0) {
      throw new BlockError({ kind: "open", path: this.path, errno: errnoOfResult(descriptor) });
    }
    try {
      const stat = statDescriptor(this.#host, descriptor);
      if (typeof stat === "number") throw stateError("Could not stat file", stat);
      const file = { descriptor, readOnly: change.readOnly, direct: change.cacheDirect, stat };
      const [limits, target] = this.#shapes(file);
      this.#locks?.moveTo(descriptor);
      closeDescriptor(this.#host, this.#descriptor);
      this.#file = file;
      this.#descriptor = descriptor;
      this.#direct = file.direct;
      this.#limits = limits;
      this.#target = target;
    } catch (error) {
      closeDescriptor(this.#host, descriptor);
      throw error;
    }
  }

  /** Another process has written: sizes and what is remembered are asked for again. */
  async invalidate(): Promise<void> {
    if (this.#dropCache && !this.#direct) dropPageCache(this.#host, this.#descriptor);
    this.#extents.forget();
    this.#size = fileSize(this.#host, this.#file);
  }

  /** Whether a drive has a medium in it; of a file always. */
  isInserted(): boolean {
    if (this.name !== "host_cdrom") return true;
    return controlNumber(this.#host, this.#descriptor, CDROM_DRIVE_STATUS, 0x7fff_ffff) === CDS_DISC_OK;
  }

  /** Opens or closes the drive's tray. */
  moveTray(open: boolean): void {
    if (this.name === "host_cdrom") {
      controlNumber(this.#host, this.#descriptor, open ? CDROMEJECT : CDROMCLOSETRAY, 0);
    }
  }

  /** Locks or unlocks the drive's door. */
  lockMedium(locked: boolean): void {
    if (this.name === "host_cdrom") controlNumber(this.#host, this.#descriptor, CDROM_LOCKDOOR, locked ? 1 : 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#ahead?.end(this.#host, this.#descriptor, this.#size);
    this.#engine.close();
    closeDescriptor(this.#host, this.#descriptor);
  }

  /** Limits and transfer target of `file`. */
  #shapes(file: OpenFile): [RequestLimits, TransferTarget] {
    const direct = file.direct ? directAlignment(this.#host, file) : undefined;
    const memoryAlignBytes = direct?.memoryBytes ?? 1;
    const common = { maxTransferBytes: GiB, maxSlices: MAX_SLICES };
    const sectors = this.#isRegular ? undefined : direct?.offsetBytes ?? 512;
    const limits: RequestLimits = {
      alignBytes: direct?.offsetBytes ?? 1,
      memoryAlignBytes,
      ...common,
      ...(sectors === undefined ? {} : { zeroAlignBytes: sectors, discardAlignBytes: sectors }),
    };
    const target: TransferTarget = {
      engine: this.#engine,
      descriptor: file.descriptor,
      path: this.path,
      memoryAlignBytes,
      bounce: bouncePool(Math.max(memoryAlignBytes, 512)),
    };
    return [limits, target];
  }
}
