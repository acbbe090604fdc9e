/**
 * The qcow2 driver: what a node sees of an open image.
 *
 * Reads and writes in place of cached, contiguous data go to the file at once; everything else takes the long way through
 * read.ts and write.ts.
 *
 * @module
 */
import { alignUp } from "../../../base/bits.ts";
import { errnoText } from "../../../base/errno.ts";
import type { IoVector } from "../../../base/io_vector.ts";
import type { Timer } from "../../../base/clocks.ts";
import { NS_PER_S } from "../../../base/units.ts";
import type {
  AmendChange,
  BlockDriver,
  CheckResult,
  DriverDefinition,
  DriverInfo,
  Extent,
  OpenContext,
  ReopenChange,
  Reopening,
  RequestLimits,
  SnapshotStore,
  TruncateOptions,
  VmStateStore,
  ZeroOptions,
} from "../../driver.ts";
import type { AccessAdvice, AdvisedDriver } from "../../access_advice.ts";
import type { BlockNode } from "../../node.ts";
import type { BlockdevOptionsQcow2 } from "../../options/blockdev.ts";
import { BlockError } from "../../errors.ts";
import { amendImage } from "./amend.ts";
import { ImageBitmaps } from "./bitmap_store.ts";
import { checkImage, repairImage } from "./check.ts";
import { createImage } from "./create.ts";
import { AMEND_OPTIONS, CREATE_OPTIONS } from "./create_plan.ts";
import { amendableVolume } from "./encryption.ts";
import { stateError } from "./failures.ts";
import { rewriteHeader } from "./header_update.ts";
import { INCOMPATIBLE, looksLikeQcow2, MAX_BACKING_NAME_BYTES } from "./header.ts";
import { HostFile } from "./host_file.ts";
import type { Qcow2Image } from "./image.ts";
import { imageInfo } from "./info.ts";
import type { TableInspection } from "../../inspection.ts";
import { inspectionOf } from "./inspect.ts";
import { emptyImage } from "./make_empty.ts";
import { clearUnknownAutoclear, openImage } from "./open.ts";
import { registerInactiveL2 } from "./overlap_inactive.ts";
import { measureImage } from "./measure.ts";
import { looksPreallocated } from "./preallocated.ts";
import { readGuest } from "./read.ts";
import { readThrough } from "./read_through.ts";
import { changeSettings, RUN_TIME_OPTIONS } from "./run_time.ts";
import { applySnapshot, createSnapshot, deleteSnapshot, snapshotInfo, viewSnapshot } from "./snapshots.ts";
import { readSnapshotVmState } from "./snapshot_vmstate.ts";
import { statusOf } from "./status.ts";
import { truncateImage } from "./truncate.ts";
import { vmStateOf } from "./vmstate.ts";
import { Writer } from "./write.ts";
import { discard, discardClusters, writeZeroes } from "./zeroes.ts";

const DEFAULT_CLEAN_INTERVAL_S = 600;

/** An open image behind a node. */
export class Qcow2Driver implements AdvisedDriver {
  readonly name = "qcow2";
  readonly limits: RequestLimits;
  readonly vmState: VmStateStore;
  readonly snapshots: SnapshotStore;
  readonly bitmapStore: ImageBitmaps;
  #image: Qcow2Image;
  readonly #file: HostFile;
  /** Where data is; without `#direct` only `image.data` knows how to read it. */
  readonly #dataFile: HostFile;
  readonly #direct: boolean;
  readonly #external: boolean;
  readonly #writer: Writer;
  readonly #options: BlockdevOptionsQcow2;
  readonly #context: OpenContext;
  #cleaning: Timer | undefined;
  #cleanSeconds: number | undefined;
  /** Asked once, when somebody wants to know what lies where. */
  #preallocated: Promise<boolean> | undefined;

  constructor(image: Qcow2Image, bitmaps: ImageBitmaps, options: BlockdevOptionsQcow2, context: OpenContext) {
    this.#image = image;
    this.bitmapStore = bitmaps;
    this.#file = image.file;
    this.#dataFile = image.data.file;
    this.#direct = image.data.isPlain;
    this.#external = image.isExternal;
    this.#options = options;
    this.#cleanSeconds = options["cache-clean-interval"];
    this.#context = context;
    this.#writer = new Writer(image);
    this.limits = {
      alignBytes: Math.max(image.data.alignBytes, image.data.file.node.driver.limits.alignBytes),
      zeroAlignBytes: image.subclusterSize,
      discardAlignBytes: image.clusterSize,
      optimalTransferBytes: image.clusterSize,
    };
    this.vmState = vmStateOf(image, this.#writer);
    this.snapshots = this.#snapshotStore();
    this.#cleanOnceUsed();
  }

  /** The image itself, for tests and for what lies beside the driver. */
  get image(): Qcow2Image {
    return this.#image;
  }

  get size(): number {
    return this.#image.header.size;
  }

  read(at: number, into: IoVector): Promise<void> {
    const host = this.#direct ? this.#image.plainRun(at, into.length, false) : -1;
    if (host < 0) return readThrough(this.#image, at, into) ?? readGuest(this.#image, at, into);
    if (this.#external && host !== at) return readGuest(this.#image, at, into);
    this.#file.node.debugEvent("read_aio");
    return this.#dataFile.node.read(host, into);
  }

  write(at: number, from: IoVector): Promise<void> {
    const image = this.#image;
    const host = this.#direct ? image.plainRun(at, from.length, true) : -1;
    const elsewhere = this.#external ? host !== at : host < 0 || image.metadata.hit(host, from.length) !== undefined;
    if (elsewhere) return this.#writer.write(at, from);
    this.#file.node.debugEvent("write_aio");
    return this.#dataFile.writeData(host, from);
  }

  advise(advice: AccessAdvice): void {
    if (advice === "processors-are-busy") this.#image.packers.isThrifty = true;
  }

  writeZeroes(at: number, length: number, how: ZeroOptions = {}): Promise<void> {
    return writeZeroes(this.#image, this.#writer, at, length, how);
  }

  discard(at: number, length: number): Promise<void> {
    return discard(this.#image, this.#writer, at, length);
  }

  writeCompressed(at: number, from: IoVector): Promise<void> {
    return this.#writer.writeCompressed(at, from);
  }

  async endCompressed(): Promise<void> {
    await this.#image.lock.run(() => this.#file.truncate(this.#file.size));
  }

  async flush(): Promise<void> {
    const image = this.#image;
    image.ensureWorking("flush");
    if (image.readOnly) return;
    await image.lock.run(() => image.settle());
    await this.#file.data?.node.flush();
    await this.#file.node.flush();
  }

  async status(at: number, length: number): Promise<Extent> {
    const extent = await statusOf(this.#image, at, length);
    if (extent.kind !== "data" || extent.hostOffset === undefined) return extent;
    this.#preallocated ??= looksPreallocated(this.#image);
    return await this.#preallocated ? { ...extent, mayBeHole: true } : extent;
  }

  async truncate(size: number, how: TruncateOptions = {}): Promise<void> {
    this.bitmapStore.checkResize();
    await truncateImage(this.#image, this.#writer, size, how.preallocation ?? "off");
  }

  allocatedBytes(): Promise<number | undefined> {
    return this.#file.node.driver.allocatedBytes?.() ?? Promise.resolve(undefined);
  }

  get inspection(): TableInspection {
    return inspectionOf(this.#image);
  }

  async info(): Promise<DriverInfo> {
    return imageInfo(this.#image);
  }

  async check(options: { readonly fix: "none" | "leaks" | "all" }): Promise<CheckResult> {
    const image = this.#image;
    if (image.readOnly) return await checkImage(image);
    return await this.#writer.exclusive(0, Infinity, async () => {
      await image.flushAll();
      return options.fix === "none" ? await checkImage(image) : await repairImage(image, options.fix);
    });
  }

  async makeEmpty(): Promise<void> {
    await emptyImage(this.#image, this.#writer);
  }

  async amend(change: AmendChange): Promise<void> {
    const image = this.#image;
    if (change.keySlots !== undefined) {
      const { random, clocks, secrets } = this.#context;
      await amendableVolume(image.data).changeKeySlots(change.keySlots, { random, clock: clocks.realtime, secrets });
    }
    await this.#writer.exclusive(0, Infinity, () => amendImage(image, change));
  }

  async changeBacking(file: string | undefined, format: string | undefined): Promise<void> {
    const image = this.#image;
    const name = file ?? "";
    if (new TextEncoder().encode(name).length > MAX_BACKING_NAME_BYTES) throw stateError("Invalid argument");
    await image.lock.run(async () => {
      const before = { name: image.backingName, format: image.extensions.backingFormat };
      image.backingName = name;
      image.extensions.backingFormat = name === "" ? undefined : format;
      try {
        await rewriteHeader(image);
      } catch (error) {
        image.backingName = before.name;
        image.extensions.backingFormat = before.format;
        throw error;
      }
    });
  }

  replaceChild(role: string, node: BlockNode | undefined): boolean {
    if (role === "backing") this.#image.backing = node;
    else if (role === "file" && node !== undefined) this.#file.node = node;
    else return false;
    return true;
  }

  get replaceable(): readonly string[] {
    return ["backing", "file"];
  }

  get reopening(): Reopening {
    return {
      options: RUN_TIME_OPTIONS,
      file: true,
      prepare: (options) => {
        const change = changeSettings(this.#image, options as unknown as BlockdevOptionsQcow2, this.#context);
        return async () => {
          await this.#image.lock.run(change);
          this.#cleanSeconds = options["cache-clean-interval"] as number | undefined;
          this.#cleanOnceUsed();
        };
      },
    };
  }

  async invalidate(): Promise<void> {
    await this.#image.lock.run(async () => {
      const dataFile = this.#image.data.file;
      const scope = { ...this.#context, readOnly: this.#image.readOnly };
      const fresh = await openImage(this.#file, this.#options, scope, { dataFile });
      this.#image.reload(fresh);
      await this.bitmapStore.reread();
      await registerInactiveL2(this.#image);
    });
  }

  async reopen(change: ReopenChange): Promise<void> {
    const image = this.#image;
    const corrupt = (image.header.incompatible & BigInt(INCOMPATIBLE.corrupt)) !== 0n;
    if (!change.readOnly && corrupt) throw stateError("qcow2: Image is corrupt; cannot be opened read/write", "EACCES");
    if (change.readOnly && !image.readOnly) {
      await image.lock.run(async () => {
        await image.flushAll();
        await this.bitmapStore.end();
        try {
          await image.flushAll();
          await image.markClean();
        } catch (error) {
          // Writes go on.
          await this.bitmapStore.begin();
          throw error;
        }
      });
    }
    const wasReadOnly = image.readOnly;
    image.settings = { ...image.settings, readOnly: change.readOnly };
    if (wasReadOnly && !change.readOnly) {
      image.registerMetadata();
      await registerInactiveL2(image);
      await prepareForWriting(image);
      await this.bitmapStore.begin();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const image = this.#image;
    // Closing may be what reads the first table.
    image.l2.whenUsed = image.refcounts.cache.whenUsed = undefined;
    this.#cleaning?.cancel();
    this.#writer.close();
    using _keys = { [Symbol.dispose]: () => image.data.close?.() };
    await image.corruptMarkWritten();
    if (image.broken) return;
    if (image.readOnly) return await this.bitmapStore.end();
    await image.lock.run(async () => {
      if (this.#context.forCheck !== true) await this.bitmapStore.end();
      await image.flushAll();
      if (!image.needsRepair) await image.markClean();
      await image.fillLastCluster();
    });
  }

  #snapshotStore(): SnapshotStore {
    const image = this.#image;
    const alone = <T>(body: () => Promise<T>) =>
      this.#writer.exclusive(0, Infinity, async () => {
        // Data in a file of its own has no refcounts that could say it is shared.
        if (image.isExternal) throw stateError("Operation not supported", "ENOTSUP");
        await image.file.settleData();
        // Refcounts and marks change in many places; after a crash in between, the dirty bit has them compared.
        if (image.header.version >= 3) await image.markDirty();
        try {
          const outcome = await body();
          await image.markClean();
          return outcome;
        } catch (error) {
          // Whatever was done by halves is compared at the next opening.
          if (!(error instanceof BlockError) || error.errno !== "EINVAL") image.needsRepair = true;
          throw error;
        }
      });
    return {
      list: () => image.snapshots.map(snapshotInfo),
      create: async (wanted) => {
        const info = await alone(async () => {
          const created = await createSnapshot(image, wanted);
          await image.file.settleData();
          return created;
        });
        await this.#dropVmState(info.vmStateBytes);
        return info;
      },
      apply: async (id) => {
        if (this.bitmapStore.any) throw stateError("Device has active dirty bitmaps", "ENOTSUP");
        await alone(() => applySnapshot(image, id));
      },
      delete: (id) => alone(() => deleteSnapshot(image, id)),
      load: (id) => image.lock.run(() => viewSnapshot(image, id)),
      readVmState: (id, at, into) => readSnapshotVmState(image, id, at, into),
    };
  }

  /** The active state needs no VM state once a snapshot has it; keeping it would make the next one copy it. */
  async #dropVmState(bytes: number): Promise<void> {
    if (bytes === 0) return;
    const image = this.#image;
    const start = image.vmStateOffset;
    await discardClusters(image, this.#writer, start, start + alignUp(bytes, image.clusterSize), false, "nobody");
  }

  /** A process that ends before it has looked at a table need not load what timers take. */
  #cleanOnceUsed(): void {
    const { l2, refcounts: { cache } } = this.#image;
    l2.whenUsed = cache.whenUsed = () => {
      if (this.#cleaning === undefined) this.#cleanLater();
    };
  }

  /** Drops tables that nobody has looked at for a while. */
  #cleanLater(): void {
    const seconds = this.#cleanSeconds ?? DEFAULT_CLEAN_INTERVAL_S;
    if (seconds === 0) return;
    const { realtime } = this.#context.clocks;
    this.#cleaning = realtime.setTimer(realtime.nowNs() + seconds * NS_PER_S, () => {
      this.#image.l2.dropUnused();
      this.#image.refcounts.cache.dropUnused();
      this.#cleanLater();
    });
  }
}

/** What an image that may be written to gets first: repair after a crash, and no claims that will not be kept. */
async function prepareForWriting(image: Qcow2Image): Promise<void> {
  if ((image.header.incompatible & BigInt(INCOMPATIBLE.dirty)) !== 0n) {
    const result = await repairImage(image, "all");
    for (const message of result.messages) image.settings.warn(message);
    if (result.failure !== undefined || result.checkErrors > 0) {
      const errno = result.failure?.errno ?? "EIO";
      throw stateError(`Could not repair dirty image: ${errnoText(errno)}`, errno);
    }
    await image.markClean();
  }
  await clearUnknownAutoclear(image);
}

async function open(options: BlockdevOptionsQcow2, context: OpenContext): Promise<BlockDriver> {
  const file = new HostFile(await context.openChild("file", options.file));
  const image = await openImage(file, options, context, { forCheck: context.forCheck === true });
  const bitmaps = await ImageBitmaps.open(image);
  await joinBacking(image, options, context);
  if (!context.readOnly && context.forCheck !== true) {
    await prepareForWriting(image);
    await bitmaps.begin();
  } else if (!context.readOnly) {
    await bitmaps.dropStale();
    await clearUnknownAutoclear(image);
  }
  return new Qcow2Driver(image, bitmaps, options, context);
}

/** Opens the backing file: the user's, or the one that the header names, whose driver is probed where none is recorded. */
async function joinBacking(image: Qcow2Image, options: BlockdevOptionsQcow2, context: OpenContext): Promise<void> {
  const { backingName: filename } = image;
  if (options.backing === null || (options.backing === undefined && filename === "")) return;
  const driver = image.extensions.backingFormat;
  image.backing = await context.openChild("backing", options.backing, {
    readOnly: true,
    ...(filename === "" ? {} : { filename }),
    ...(driver === undefined ? {} : { driver }),
  });
}

/** QEMU's copy-on-write format, versions 2 and 3. */
export const qcow2: DriverDefinition<BlockdevOptionsQcow2> = {
  name: "qcow2",
  kind: "format",
  probe: (head) => looksLikeQcow2(head) ? 100 : 0,
  open,
  compresses: true,
  createOptions: CREATE_OPTIONS,
  amendOptions: AMEND_OPTIONS,
  measure: measureImage,
  create: createImage,
};
