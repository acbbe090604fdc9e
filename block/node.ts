/**
 * A node of the block graph: everything that is the same for every format, protocol and filter.
 *
 * It keeps the bounds, cuts and pads requests to the driver's limits, keeps overlapping writes apart where one of them
 * reads before it writes, runs before-write hooks, feeds dirty bitmaps, detects zeroes, copies on read, and counts what
 * is in flight. The driver below sees aligned requests only. As in QEMU, reading beyond the end gives zeroes and writing
 * there grows what can grow: the guest-facing check is {@link import("./backend.ts").BlockBackend}'s.
 *
 * The fast path (aligned, nothing serialising in flight, no hooks) allocates nothing, and where the driver is done at
 * once (done.ts) it needs no promise either.
 *
 * @module
 */
import { alignDown, alignUp } from "../base/bits.ts";
import { assert } from "../base/assert.ts";
import type { IoVector } from "../base/io_vector.ts";
import { SECTOR_BYTES } from "../base/units.ts";
import { clipExtent, discardUnaligned, readUnaligned, writeUnaligned, zeroUnaligned } from "./align.ts";
import type { DirtyBitmap } from "./bitmap.ts";
import { copyOnReadAlone, zeroUpAlone } from "./copy_on_read.ts";
import { closedDriver } from "./closed.ts";
import { DONE } from "./done.ts";
import type { BlockDriver, Extent, TruncateOptions, ZeroOptions } from "./driver.ts";
import { type BlockError, ioError, type Operation } from "./errors.ts";
import type { OptionTree } from "./options/tree.ts";
import type { BlockEdge } from "./permissions.ts";
import { RequestTracker, type TrackedRequest } from "./request.ts";
import { quiesceAbove, suspendBelow, unquiesceAbove } from "./drain.ts";
import type { BeforeWrite, NodeOptions } from "./node_options.ts";
import { NodeTraces } from "./traces.ts";
import type { WriteThreshold } from "./write_threshold.ts";

/** One node: a driver with the rules of the graph around it. */
export class BlockNode {
  readonly name: string;
  /** As messages name it. */
  readonly description: string;
  readonly kind: "format" | "protocol" | "filter";
  /** Asks of its children what is asked of itself, and no more: a filter, or raw. */
  readonly plain: boolean;
  cacheDirect: boolean;
  cacheNoFlush: boolean;
  discardEnabled: boolean;
  readonly forceShare: boolean;
  readonly autoReadOnly: boolean;
  /** What `info block` shows: a path, or `json:{...}`. */
  filename: string;
  /** The path that alone opens the same disk; empty where there is none. */
  exactFilename = "";
  /** What it was opened with, or reopened; children that were described within it have their own. */
  options: OptionTree = {};
  /** The options that open the same disk. */
  fullOptions: OptionTree = {};
  readOnly: boolean;
  /** Read-only for want of leave, not of wish: opened again when somebody wants to write. */
  openedReadOnly = false;
  /** It has been handed over to another program (activity.ts): read-only meanwhile, and what it will be again. */
  inactive: { readonly readOnly: boolean } | undefined;
  /** Set when the format was guessed. */
  probed = false;
  /** Edges down, in order of opening. */
  readonly children: BlockEdge[] = [];
  /** Edges up: from nodes, backends and jobs. */
  readonly parents: BlockEdge[] = [];
  /** Dirty bitmaps, the newest first. */
  readonly bitmaps: DirtyBitmap[] = [];
  /** The highest byte that was written, plus one: `wr_highest_offset` of `query-blockstats`. */
  writeHighestOffset = 0;
  /** Tells once when a write reaches beyond it. */
  writeThreshold: WriteThreshold | undefined;
  /** Requests that have entered and not ended. */
  inFlight = 0;
  /** Nodes from here down to the deepest one, as it was when the driver was opened. */
  depth = 1;
  /** Grows with every write; a flush with nothing new below it is left out. */
  writeGeneration: number;

  #driver: BlockDriver;
  #detectZeroes: "off" | "on" | "unmap";
  #alignBytes = 1;
  #maxTransferBytes = Infinity;
  #maxSlices = Infinity;
  #flushedGeneration = 0;
  #flushing: Promise<void> | undefined;
  #copyOnRead = 0;
  /** The driver is told of points with names. */
  #debugs = false;
  #hooks: BeforeWrite[] = [];
  /** A write takes the slow path: hooks, or zeroes to be detected. */
  #watched = false;
  readonly #idleWaiters: (() => void)[] = [];
  #quiesced = 0;
  readonly #suspended: (readonly BlockDriver[])[] = [];
  readonly #requests = new RequestTracker();
  readonly #traces: NodeTraces;

  constructor(options: NodeOptions) {
    this.name = options.name;
    this.description = `node '${this.name}'`;
    this.kind = options.kind ?? "format";
    // What a filter is put over may have been written and not flushed.
    this.writeGeneration = this.kind === "filter" ? 1 : 0;
    this.plain = options.plain ?? this.kind === "filter";
    this.readOnly = options.readOnly ?? false;
    this.cacheDirect = options.cacheDirect ?? false;
    this.cacheNoFlush = options.cacheNoFlush ?? false;
    this.discardEnabled = options.discard ?? false;
    this.#detectZeroes = options.detectZeroes ?? "off";
    this.forceShare = options.forceShare ?? false;
    this.autoReadOnly = options.autoReadOnly ?? false;
    this.filename = options.filename ?? "";
    this.#traces = options.traces ?? NodeTraces.none();
    this.#driver = closedDriver;
    if (options.driver !== undefined) this.attachDriver(options.driver);
  }

  get driver(): BlockDriver {
    return this.#driver;
  }

  /** The child in `role`. */
  child(role: string): BlockNode | undefined {
    return this.children.find((edge) => edge.role === role)?.node;
  }

  /** The backing node: what shows where this one holds nothing. */
  get backing(): BlockNode | undefined {
    return this.child("backing");
  }

  /** Whether writes of zeroes are made into zero writes; `unmap` may free their space too. */
  get detectZeroes(): "off" | "on" | "unmap" {
    return this.#detectZeroes;
  }

  set detectZeroes(mode: "off" | "on" | "unmap") {
    this.#detectZeroes = mode;
    this.#watch();
  }

  /** Bytes that users of the node see, in whole sectors: files round up, sizes that an image's header names down. */
  get size(): number {
    const { size } = this.#driver;
    // The low bits are exact for every size, and `%` is slow above 2^31.
    if ((size & (SECTOR_BYTES - 1)) === 0) return size;
    const named = this.kind === "format" && !this.plain;
    return named ? alignDown(size, SECTOR_BYTES) : alignUp(size, SECTOR_BYTES);
  }

  /** Joins the driver that was opened for this node; or, at its end, the closed one. */
  attachDriver(driver: BlockDriver): void {
    this.#driver = driver;
    this.depth = 1 + this.children.reduce((deepest, { node }) => Math.max(deepest, node.depth), 0);
    this.#debugs = driver.debugEvent !== undefined;
    driver.bitmapStore?.join(this.bitmaps);
    this.#watch();
    this.refreshLimits();
  }

  /** Takes over the driver's limits again, after it was reopened or resized. */
  refreshLimits(): void {
    const { alignBytes, maxTransferBytes, maxSlices } = this.#driver.limits;
    this.#alignBytes = alignBytes;
    this.#maxTransferBytes = maxTransferBytes || Infinity;
    this.#maxSlices = maxSlices || Infinity;
  }

  /** Reads `into.length` bytes at `at`; what lies beyond the end reads as zeroes. */
  read(at: number, into: IoVector): Promise<void> {
    if (this.#traces.read.enabled) this.#traces.read.emit({ node: this.name, at, length: into.length });
    if (into.length === 0) return DONE;
    this.inFlight++;
    const work = this.#startRead(at, into);
    if (work !== DONE) return this.#endRead(work);
    if (--this.inFlight === 0) this.#becameIdle();
    return DONE;
  }

  #startRead(at: number, into: IoVector): Promise<void> {
    if (this.#copyOnRead > 0) return this.#readCopying(at, into);
    if (!this.#fits(at, into) || at + into.length > this.#driver.size) return readUnaligned(this.#driver, at, into);
    try {
      return this.#driver.read(at, into);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #endRead(work: Promise<void>): Promise<void> {
    try {
      await work;
    } finally {
      if (--this.inFlight === 0) this.#becameIdle();
    }
  }

  /** Writes `from` at `at`; with `fua` it is durable when this returns. */
  write(at: number, from: IoVector, how?: { readonly fua?: boolean }): Promise<void> {
    if (this.#traces.write.enabled) this.#traces.write.emit({ node: this.name, at, length: from.length });
    if (from.length === 0) return DONE;
    if (this.readOnly) return Promise.reject(this.#readOnlyError("write", at, from.length));
    const request = this.#begin("write", at, from.length);
    const work = this.#startWrite(request, at, from);
    if (work !== DONE) return this.#endWrite(work, request, at, from.length, how?.fua ?? false);
    this.#written(at, from.length);
    this.#end(request);
    return how?.fua ? this.flush() : DONE;
  }

  #startWrite(request: TrackedRequest, at: number, from: IoVector): Promise<void> {
    if (this.#watched || this.#requests.serialising > 0) return this.#writeWatched(request, at, from);
    if (!this.#fits(at, from)) return this.#writePadded(request, at, from);
    try {
      return this.#driver.write(at, from);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #endWrite(
    work: Promise<void>,
    request: TrackedRequest,
    at: number,
    length: number,
    fua: boolean,
  ): Promise<void> {
    try {
      await work;
    } finally {
      // Of one that failed a part may have been written.
      this.#written(at, length);
      this.#end(request);
    }
    if (fua) await this.flush();
  }

  /** Writes zeroes; by hand where the driver has no way of its own. */
  async writeZeroes(at: number, length: number, how: ZeroOptions = {}): Promise<void> {
    if (this.#traces.writeZeroes.enabled) this.#traces.writeZeroes.emit({ node: this.name, at, length });
    if (length === 0) return;
    const request = this.#begin("write-zeroes", at, length);
    try {
      await this.#zero(request, at, length, how);
    } finally {
      this.#written(at, length);
      this.#end(request);
    }
    if (how.fua) await this.flush();
  }

  /** The area's content is of no further use. Does nothing with `discard=ignore`. */
  async discard(at: number, length: number): Promise<void> {
    if (!this.discardEnabled) {
      if (this.readOnly) throw ioError("discard", "EPERM", { node: this.name });
      return;
    }
    const request = this.#begin("discard", at, length);
    try {
      if (this.#requests.serialising > 0) await this.#requests.wait(request);
      for (const hook of this.#hooks) await hook({ kind: "discard", at, length });
      await discardUnaligned(this.#driver, at, length);
    } finally {
      this.writeGeneration++;
      this.#mark(at, length);
      this.#end(request);
    }
  }

  /** Returns when all that was written before is durable; at once where nothing was written since the last one. */
  async flush(): Promise<void> {
    if (this.readOnly) return;
    this.inFlight++;
    try {
      while (this.#flushing !== undefined) await this.#flushing;
      const generation = this.writeGeneration;
      if (this.#flushedGeneration === generation) return;
      if (this.kind === "protocol" && this.cacheNoFlush) return;
      if (this.#debugs) this.#driver.debugEvent?.("flush_to_disk");
      const flush = this.#driver.flush();
      // Those who wait for this flush look again; whether it failed is told to the one who asked for it.
      this.#flushing = flush.then(() => {}, () => {});
      try {
        await flush;
        this.#flushedGeneration = generation;
      } finally {
        this.#flushing = undefined;
      }
    } finally {
      if (--this.inFlight === 0) this.#becameIdle();
    }
  }

  /** The state of the first run of `length` bytes at `at`, as this layer knows it. */
  async status(at: number, length: number): Promise<Extent> {
    assert(length > 0, "status of no bytes");
    const size = this.#driver.size;
    if (at >= size) return { lengthBytes: length, kind: "zero" };
    this.inFlight++;
    try {
      const inside = Math.min(length, size - at);
      const start = alignDown(at, this.#alignBytes);
      const extent = await this.#driver.status(start, alignUp(at + inside, this.#alignBytes) - start);
      return clipExtent(extent, at - start, inside);
    } finally {
      if (--this.inFlight === 0) this.#becameIdle();
    }
  }

  /** Changes the size. */
  async truncate(size: number, how?: TruncateOptions): Promise<void> {
    const old = this.size;
    const request = this.#begin("truncate", Math.min(old, size), Math.max(0, size - old));
    try {
      // Writes that grow the file and the part that is added must not race.
      await this.#requests.serialise(request, request.at, Math.max(request.end, request.at + 1));
      for (const hook of this.#hooks) if (size > old) await hook({ kind: "grow", at: old, length: size - old });
      await this.#driver.truncate(size, how);
      this.writeGeneration++;
      for (const bitmap of this.bitmaps) bitmap.resize(this.size);
      this.refreshLimits();
    } finally {
      this.#end(request);
    }
    for (const edge of this.parents) edge.owner.childResized?.(this);
  }

  /** Writes whole compressed clusters. */
  async writeCompressed(at: number, from: IoVector): Promise<void> {
    const { driver } = this;
    if (driver.writeCompressed === undefined) throw ioError("write", "ENOTSUP", { node: this.name });
    const request = this.#begin("write", at, from.length);
    try {
      if (this.#requests.serialising > 0) await this.#requests.wait(request);
      for (const hook of this.#hooks) await hook({ kind: "write", at, length: from.length, from });
      await driver.writeCompressed(at, from);
    } finally {
      this.#written(at, from.length);
      this.#end(request);
    }
  }

  /** Tells blkdebug that a driver has come to a point that has a name: `"l2_load"`. */
  debugEvent(name: string): void {
    this.#driver.debugEvent?.(name);
  }

  /** Calls `handler` before each write, in order of registration; the returned function ends that. */
  beforeWrite(handler: BeforeWrite): () => void {
    this.#hooks = [...this.#hooks, handler];
    this.#watch();
    return () => {
      this.#hooks = this.#hooks.filter((other) => other !== handler);
      this.#watch();
    };
  }

  /** Copies what is read from the backing node into this one until the returned function is called. */
  enableCopyOnRead(): () => void {
    this.#copyOnRead++;
    return () => void this.#copyOnRead--;
  }

  /** Copies what lies only in the backing node into this one, by way of `into`; zeroes that are known need none. */
  copyUp(at: number, into: IoVector | { readonly zeroBytes: number }): Promise<void> {
    this.inFlight++;
    if ("slices" in into) return this.#endRead(this.#readCopying(at, into, true));
    return this.#endRead(zeroUpAlone(this.#driver, this.#requests, at, into.zeroBytes, () => this.writeGeneration++));
  }

  /** Part of rewire.ts: takes another node as its child; what was flushed before says nothing any more. */
  childReplaced({ role }: BlockEdge, node: BlockNode | undefined): void {
    if (this.#driver.replaceChild?.(role, node) === true) this.writeGeneration++;
  }

  /** Holds new requests back at every backend above and returns when none is in flight here or above. */
  async drainedBegin(): Promise<void> {
    this.quiesce();
    this.#suspended.push(suspendBelow(this));
    await this.settle();
  }

  /** Ends what {@link drainedBegin} began. */
  drainedEnd(): void {
    for (const driver of this.#suspended.pop() ?? []) driver.resume?.();
    this.unquiesce();
  }

  /** Part of {@link drainedBegin}: tells the users above, without waiting. */
  quiesce(): void {
    if (this.#quiesced++ === 0) quiesceAbove(this);
  }

  /** Undoes one {@link quiesce}. */
  unquiesce(): void {
    assert(this.#quiesced > 0, "a drained section ends that has not begun");
    if (--this.#quiesced === 0) unquiesceAbove(this);
  }

  get quiesced(): boolean {
    return this.#quiesced > 0;
  }

  /** Part of {@link drainedBegin}: waits until all above, then this node, have nothing in flight. */
  async settle(): Promise<void> {
    for (;;) {
      for (const edge of [...this.parents]) await edge.owner.settle();
      if (this.inFlight === 0) return;
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
  }

  /** Whether `at` and the data's length and shape are what the driver takes as they are. */
  #fits(at: number, data: IoVector): boolean {
    const align = this.#alignBytes;
    return (align === 1 || ((at & (align - 1)) === 0 && data.length % align === 0)) &&
      data.length <= this.#maxTransferBytes && data.slices.length <= this.#maxSlices;
  }

  #begin(operation: "write" | "write-zeroes" | "discard" | "truncate", at: number, length: number): TrackedRequest {
    if (this.readOnly) throw this.#readOnlyError(operation, at, length);
    this.inFlight++;
    return this.#requests.begin(at, length);
  }

  #readOnlyError(operation: Operation, at: number, length: number): BlockError {
    return ioError(operation, "EPERM", { node: this.name, offsetBytes: at, lengthBytes: length });
  }

  #end(request: TrackedRequest): void {
    this.#requests.end(request);
    if (--this.inFlight === 0) this.#becameIdle();
  }

  #watch(): void {
    this.#watched = this.#hooks.length > 0 || this.#detectZeroes !== "off" || this.#debugs;
  }

  #becameIdle(): void {
    if (this.#idleWaiters.length > 0) { for (const wake of this.#idleWaiters.splice(0)) wake(); }
  }

  #written(at: number, length: number): void {
    this.writeGeneration++;
    if (at + length > this.writeHighestOffset) this.writeHighestOffset = at + length;
    if (this.bitmaps.length > 0) this.#mark(at, length);
  }

  #mark(at: number, length: number): void {
    for (const bitmap of this.bitmaps) {
      if (at + length > bitmap.sizeBytes) bitmap.resize(this.size);
      if (bitmap.enabled) bitmap.set(at, length);
    }
  }

  async #writeWatched(request: TrackedRequest, at: number, from: IoVector): Promise<void> {
    const align = this.#alignBytes;
    if (align > 1 && (at % align !== 0 || from.length % align !== 0)) {
      await this.#requests.serialise(request, alignDown(at, align), alignUp(at + from.length, align));
      this.#driver.debugEvent?.("pwritev_rmw_head");
    } else if (this.#requests.serialising > 0) await this.#requests.wait(request);
    for (const hook of this.#hooks) await hook({ kind: "write", at, length: from.length, from });
    if (this.#detectZeroes !== "off" && from.length > 0 && from.isZero()) {
      this.#driver.debugEvent?.("pwritev_zero");
      return zeroUnaligned(this.#driver, at, from.length, {
        unmap: this.#detectZeroes === "unmap" && this.discardEnabled,
      });
    }
    this.#driver.debugEvent?.("pwritev");
    if (this.#fits(at, from)) await this.#driver.write(at, from);
    else await writeUnaligned(this.#driver, at, from);
    this.#driver.debugEvent?.("pwritev_done");
  }

  /** A write that needs cutting, and a read-modify-write where its ends are not aligned. */
  async #writePadded(request: TrackedRequest, at: number, from: IoVector): Promise<void> {
    const align = this.#alignBytes;
    const start = alignDown(at, align);
    const end = alignUp(at + from.length, align);
    if (start !== at || end !== at + from.length) {
      await this.#requests.serialise(request, start, end);
    }
    await writeUnaligned(this.#driver, at, from);
  }

  async #zero(request: TrackedRequest, at: number, length: number, how: ZeroOptions): Promise<void> {
    const align = this.#alignBytes;
    const start = alignDown(at, align);
    const end = alignUp(at + length, align);
    if (start !== at || end !== at + length) await this.#requests.serialise(request, start, end);
    else if (this.#requests.serialising > 0) await this.#requests.wait(request);
    for (const hook of this.#hooks) await hook({ kind: "write-zeroes", at, length });
    const unmap = (how.unmap ?? false) && this.discardEnabled;
    await zeroUnaligned(this.#driver, at, length, unmap === (how.unmap ?? false) ? how : { ...how, unmap });
  }

  #readCopying(at: number, into: IoVector, isOwn = false): Promise<void> {
    if (this.readOnly) return readUnaligned(this.#driver, at, into);
    return copyOnReadAlone(this.#driver, this.#requests, at, into, () => this.writeGeneration++, isOwn);
  }
}
