/**
 * The contract below a {@link import("./node.ts").BlockNode}: what a format, a protocol or a filter is made of.
 *
 * A driver moves bytes and interprets metadata. Bounds, alignment, tracking, permissions, bitmaps, statistics and drain
 * belong to the node above it, so a driver may count on: requests inside `size`, multiples of `limits.alignBytes`, and no
 * new request once `drain` of its node has returned.
 *
 * @module
 */
import type { Clocks } from "../base/clocks.ts";
import type { Errno } from "../base/errno.ts";
import type { IoVector } from "../base/io_vector.ts";
import type { Random } from "../base/random.ts";
import type { Breakpoints } from "./breakpoints.ts";
import type { TableInspection } from "./inspection.ts";
import type { DirtyBitmap } from "./bitmap.ts";
import type { KeySlotChange } from "./crypto/key_slot_options.ts";
import type { SecretSource } from "./crypto/secret_source.ts";
import type { BlockNode } from "./node.ts";
import type { BlockdevOptions } from "./options/blockdev.ts";
import type { OptionTree } from "./options/tree.ts";
import type { PermissionPair } from "./permissions.ts";
import type { FdSets } from "./fd_sets.ts";
import type { ThrottleGroups } from "./throttling/groups.ts";

/** What requests a driver takes; the node splits and aligns others. All in bytes. */
export interface RequestLimits {
  /** Offsets and lengths of reads and writes are multiples of this; a power of two. */
  readonly alignBytes: number;
  /** The alignment of data in memory that spares a copy (O_DIRECT); 1 where any will do. */
  readonly memoryAlignBytes?: number;
  readonly maxTransferBytes?: number;
  /** Slices in one vector. */
  readonly maxSlices?: number;
  /** Zero writes and discards are handed down at this alignment where the request allows. */
  readonly zeroAlignBytes?: number;
  readonly maxZeroBytes?: number;
  readonly discardAlignBytes?: number;
  readonly maxDiscardBytes?: number;
  /** What makes a good request size, for readers that may choose. */
  readonly optimalTransferBytes?: number;
}

/** A run of bytes that share a state, from the offset that was asked for. */
export interface Extent {
  /** From the offset asked for, at least 1, at most the length asked for. */
  readonly lengthBytes: number;
  /**
   * `data`: this layer stores bytes. `zero`: this layer says that they read as zeroes.
   * `unallocated`: this layer says nothing, the backing node (or zeroes) shows through.
   */
  readonly kind: "data" | "zero" | "unallocated";
  /** Where the bytes lie in `node`, linear over the run; absent where they do not (compressed, encrypted elsewhere). */
  readonly hostOffset?: number;
  /** The child that `hostOffset` counts in; absent: the protocol file itself. */
  readonly node?: BlockNode;
  readonly compressed?: boolean;
  /** This layer allocates the run, though it may read as zeroes. */
  readonly allocated?: boolean;
  /** Room was made beforehand: where the child has a hole at `hostOffset`, the run reads as zeroes. */
  readonly mayBeHole?: boolean;
}

/** How zeroes may be written. */
export interface ZeroOptions {
  /** The area may be unmapped: it still reads as zeroes. */
  readonly unmap?: boolean;
  /** Rather fail with ENOTSUP than write zeroes by hand. */
  readonly noFallback?: boolean;
  readonly fua?: boolean;
}

export type PreallocationMode = "off" | "metadata" | "falloc" | "full";

export interface TruncateOptions {
  readonly preallocation?: PreallocationMode;
  /** Fail unless the size becomes this exactly (else a driver may round up). */
  readonly exact?: boolean;
  /** What is added must read as zeroes. */
  readonly zero?: boolean;
}

/** An open image, file or filter. */
export interface BlockDriver extends AsyncDisposable {
  /** The driver's QEMU name: `"qcow2"`. */
  readonly name: string;
  /** Size that the guest sees, in bytes. */
  readonly size: number;
  readonly limits: RequestLimits;
  /** `false`: what nobody has written to a new image need not read as zeroes. A device is one. */
  readonly startsZero?: boolean;
  /** Reads `into.length` bytes at `at`; here and in `write`, what is done at once says so with `DONE` (done.ts). */
  read(at: number, into: IoVector): Promise<void>;
  write(at: number, from: IoVector, how?: { readonly fua?: boolean }): Promise<void>;
  writeZeroes(at: number, length: number, how?: ZeroOptions): Promise<void>;
  /** The area's content is of no further use; what it reads as is the driver's affair. */
  discard(at: number, length: number): Promise<void>;
  /** Returns when all that was written before is durable. */
  flush(): Promise<void>;
  /** The state of the first run of `length` bytes at `at`. */
  status(at: number, length: number): Promise<Extent>;
  truncate(size: number, how?: TruncateOptions): Promise<void>;

  /** Writes whole compressed clusters; `at` is cluster-aligned. */
  writeCompressed?(at: number, from: IoVector): Promise<void>;
  /** Ends a series of compressed writes: the file is brought to whole sectors. */
  endCompressed?(): Promise<void>;
  /** Dirty bitmaps that the image keeps in itself; absent where the format has none. */
  readonly bitmapStore?: BitmapStore;
  /** Bytes that the storage below really takes; `undefined` where it cannot be told. */
  allocatedBytes?(): Promise<number | undefined>;
  /** What `info` shows of the image. */
  info?(): Promise<DriverInfo>;
  check?(options: { readonly fix: "none" | "leaks" | "all" }): Promise<CheckResult>;
  readonly snapshots?: SnapshotStore | undefined;
  readonly vmState?: VmStateStore | undefined;
  /** The image's own tables, to look at. */
  readonly inspection?: TableInspection;
  /** Takes new flags and options while open; the node has been drained. Nothing is changed when it throws. */
  reopen?(change: ReopenChange): Promise<void>;
  /** Makes `node` (or none) the backing node and, with `inHeader`, writes that into the image. */
  changeBacking?(file: string | undefined, format: string | undefined): Promise<void>;
  /** Changes what the image was made with, all that is asked or nothing. */
  amend?(change: AmendChange): Promise<void>;
  /** Drops all data of this layer: what `commit` does to an overlay at its end. ENOTSUP where it cannot. */
  makeEmpty?(): Promise<void>;
  /** Empties caches of metadata and rereads the image; after another process wrote it. */
  invalidate?(): Promise<void>;
  /** What all users of the node together do with it and let others do: bits of `Permission`. Throws to refuse. */
  setPermissions?(used: number, shared: number): Promise<void>;
  /** What the driver asks of its child in `role`, where the common rules do not fit it. */
  childPermissions?(role: string, asked: PermissionPair): PermissionPair;
  /** Takes another node (or none) as its child in `role`; no request is in flight. Roles that it cannot: false. */
  replaceChild?(role: string, node: BlockNode | undefined): boolean;
  /** The roles of children in whose place it takes another. */
  readonly replaceable?: readonly string[];
  /** Takes other options while it is open; absent where it cannot. */
  readonly reopening?: Reopening;
  /** Children that come and go while the node is open. */
  readonly childList?: ChildList;
  /** A filter that a job has put in by itself: what users see is the node below it. */
  readonly isImplicit?: boolean;
  /** A filter: the node below, which holds what this one shows. */
  readonly filtered?: BlockNode;
  /** The disk as it was at an earlier moment, where the driver keeps that. */
  readonly snapshotView?: SnapshotView;
  /** Somebody drains: requests that wait for their turn here go on, and none waits until `resume`. */
  suspend?(): void;
  resume?(): void;
  /** The driver opened for reading only where it was asked for more, as `auto-read-only` allows. */
  readonly readOnly?: boolean;
  /** A point with a name was reached (`"l2_load"`): blkdebug's rules hang on these. */
  debugEvent?(name: string): void;
  /** Requests can be suspended at such points. */
  readonly breakpoints?: Breakpoints;
}

/** Options that change while a node is open. */
export interface Reopening {
  /** Those of the driver's own that may change. */
  readonly options: readonly string[];
  /** Those of them that cannot be left out again once they were given. */
  readonly kept?: readonly string[];
  /** Another node may take the place of its file. */
  readonly file?: true;
  /**
   * Checks new options over `file`; what it returns takes them, when nothing is in flight.
   * @throws {BlockError} where they will not do; nothing has changed
   */
  prepare?(options: OptionTree, file: BlockNode | undefined): () => Promise<void> | void;
}

/** Children of one kind, as many as users want. */
export interface ChildList {
  /** What one more would be called. @throws {BlockError} where there can be none */
  nextRole(): string;
  /** Takes `node`, which has been joined under that name; no request is in flight. */
  add(role: string, node: BlockNode): void;
  /** Gives it back. @throws {BlockError} where it cannot be done without */
  remove(role: string, node: BlockNode): void;
}

/** A disk as it was: what `copy-before-write` keeps and `snapshot-access` shows. */
export interface SnapshotView {
  /** @throws {BlockError} EACCES where the range is not kept, or no more */
  readSnapshot(at: number, into: IoVector): Promise<void>;
  snapshotStatus(at: number, length: number): Promise<Extent>;
  /** The range is needed no more. */
  discardSnapshot(at: number, length: number): Promise<void>;
}

/** Dirty bitmaps that an image keeps; those of them that are marked persistent are written when the driver is closed. */
export interface BitmapStore {
  /** Whether an image of this version can keep any. */
  readonly supported: boolean;
  /** Adds what the image holds to `bitmaps`, the list of the node that the driver was opened for; which is kept. */
  join(bitmaps: DirtyBitmap[]): void;
  /** @throws {BlockError} where a bitmap of this name and granularity could not be kept. */
  checkNew(name: string, granularityBytes: number): void;
  /** Removes what the image has under this name. */
  remove(name: string): Promise<void>;
}

/** What {@link BlockDriver.amend} changes. */
export interface AmendChange {
  /** The version of the format: what qcow2 calls compat 0.10 and 1.1. */
  readonly version?: 2 | 3;
  readonly lazyRefcounts?: boolean;
  /** The width of each refcount: a power of two up to 64. */
  readonly refcountBits?: number;
  /** The name of the external data file; empty for none that the image names. */
  readonly dataFile?: string;
  /** The data file alone, read as a raw image, is the disk: can only be taken back. */
  readonly dataFileRaw?: false;
  /** Passphrases of an encrypted image. */
  readonly keySlots?: KeySlotChange;
}

/** A change that {@link BlockDriver.reopen} takes over. */
export interface ReopenChange {
  readonly readOnly: boolean;
  readonly cacheDirect: boolean;
  readonly cacheNoFlush: boolean;
}

/** What a format knows of itself; the keys of `specific` are those of QEMU's ImageInfoSpecific. */
export interface DriverInfo {
  readonly clusterSizeBytes?: number;
  readonly backingFile?: string;
  readonly backingFormat?: string;
  readonly encrypted?: boolean;
  readonly compressed?: boolean;
  readonly dirty?: boolean;
  /** Where VM state begins in the format's own address space. */
  readonly vmStateOffsetBytes?: number;
  readonly specific?: Readonly<Record<string, unknown>>;
}

/** The outcome of a check. Numbers are of clusters or entries; a field is absent where the format cannot tell. */
export interface CheckResult {
  /** One line each, as QEMU prints them: `"Leaked cluster 5 refcount=1 reference=0"`. */
  readonly messages: readonly string[];
  /** Which of the messages a tool begins with its own name, by index. */
  readonly reports?: ReadonlySet<number>;
  readonly corruptions: number;
  readonly leaks: number;
  readonly corruptionsFixed: number;
  readonly leaksFixed: number;
  readonly checkErrors: number;
  readonly imageEndOffset?: number;
  readonly totalClusters?: number;
  readonly allocatedClusters?: number;
  readonly fragmentedClusters?: number;
  readonly compressedClusters?: number;
  /**
   * The check could not be finished: why, and what else is to be said of it (one or more lines). `checkErrors` is not 0
   * then.
   */
  readonly failure?: { readonly errno: Errno; readonly report?: string };
}

/** An internal snapshot as lists show it. */
export interface SnapshotInfo {
  readonly id: string;
  readonly name: string;
  readonly vmStateBytes: number;
  /** Since 1970. */
  readonly dateSeconds: number;
  readonly dateNanoseconds: number;
  /** The guest's clock when it was taken. */
  readonly vmClockNs: number;
  /** Instructions executed; -1 where not recorded. */
  readonly icount: number;
  /** The disk's size when it was taken, in bytes. */
  readonly diskBytes: number;
}

/** Internal snapshots. */
export interface SnapshotStore {
  list(): readonly SnapshotInfo[];
  /** Takes a snapshot; the format chooses its id. */
  create(snapshot: Omit<SnapshotInfo, "id" | "diskBytes">): Promise<SnapshotInfo>;
  /** Makes the active state that of the snapshot; `id` from {@link list}. */
  apply(id: string): Promise<void>;
  delete(id: string): Promise<void>;
  /** Reads VM state that a snapshot keeps, without applying it: what is refused is refused before anything changes. */
  readVmState?(id: string, at: number, into: IoVector): Promise<void>;
  /** A read-only view of a snapshot's disk, for `convert -l` and `-snapshot` readers. */
  load?(id: string): Promise<void>;
}

/** The area beyond the guest's disk where a machine's state is kept; offsets count from its start, up to 2^63-1. */
export interface VmStateStore {
  read(at: number, into: IoVector): Promise<void>;
  write(at: number, from: IoVector): Promise<void>;
}

/** An event that a driver tells: QMP's name and data. */
export interface GraphEvent {
  readonly name: string;
  readonly data: Readonly<Record<string, string | number | boolean>>;
}

/** What a driver gets when it is opened. */
export interface OpenContext {
  readonly nodeName: string;
  readonly readOnly: boolean;
  /** Bypass the host's cache. */
  readonly cacheDirect: boolean;
  /** Flushes may be left out. */
  readonly cacheNoFlush: boolean;
  /** Where writing is not allowed, open for reading instead. */
  readonly autoReadOnly?: boolean;
  /** Leave image locks alone, as `-U` asks. */
  readonly forceShare?: boolean;
  /** The format was guessed, not named. */
  readonly probed?: boolean;
  /** Opened to be checked: an image that is marked dirty or corrupt is opened as it is. */
  readonly forCheck?: boolean;
  /** What the image says of itself is wanted, none of its data: no passphrase is needed. */
  readonly metadataOnly?: boolean;
  /** Opened for a machine, where some of what the tools still read is refused. */
  readonly inMachine?: boolean;
  /** Where passphrases are found. */
  readonly secrets: SecretSource;
  readonly clocks: Clocks;
  readonly random: Random;
  readonly signal?: AbortSignal;
  /**
   * Opens or finds a child node and joins it to the node that is being opened: at its end it is let go, and closed
   * when nobody else holds it. A string is the name of a node that is there already; `undefined` leaves it to
   * `how.filename`, as a backing file that only the header names.
   */
  openChild(role: ChildRole, options: BlockdevOptions | string | undefined, how?: ChildOptions): Promise<BlockNode>;
  /** A message for the user that is no error: one line, without the program's name. */
  warn(message: string): void;
  /** A line for the user that QEMU prints as it is, without the program's name and "warning". */
  notice?(line: string): void;
  /** Descriptors that the program was given, for files called `/dev/fdset/N`. */
  readonly fdSets?: FdSets | undefined;
  /** Groups of drives and nodes that share limits. */
  readonly throttleGroups?: ThrottleGroups;
  /** Finds a node of the same graph by its name. */
  find?(nodeName: string): BlockNode | undefined;
  /** Something happened to the disk that programs want to know: an event of QMP's. */
  tell?(event: GraphEvent): void;
}

/** What a child is to its parent. */
export type ChildRole = "file" | "backing" | "data-file" | "filtered" | "target" | (string & Record<never, never>);

export interface ChildOptions {
  /**
   * The name that the image itself gives the child (a backing file's, from the header): a path relative to the image,
   * `json:{...}` or `protocol:rest`. Given even where `options` say something else, so that the difference can be told.
   */
  readonly filename?: string;
  /** Take this read-only flag instead of the parent's. */
  readonly readOnly?: boolean;
  /** The format to take where the options name none, instead of probing. */
  readonly driver?: string;
  /** The child may be of any kind, and has to say of which: without it, a name alone stands for a protocol. */
  readonly anyDriver?: boolean;
}

/** A driver before it is opened: one row of the table in `drivers.ts`. `Options` is its own type of options. */
export interface DriverDefinition<Options = BlockdevOptions> {
  readonly name: string;
  readonly kind: "format" | "protocol" | "filter";
  /** The driver keeps no metadata in its file: it asks of it what is asked of itself, and no more. Filters never do. */
  readonly plain?: boolean;
  /** A filter over one node, its `file`, which is opened before it, as a format's is. */
  readonly overFile?: boolean;
  /** It shows the name of the file below as its own. */
  readonly sharesName?: boolean;
  /** How sure the driver is that an image is its own, from its first 2 KiB and its name: 0 (no) to 100 (magic found). */
  probe?(head: Uint8Array, filename: string): number;
  /** Reads a name with the protocol's prefix into options; without it, the name becomes `filename`. */
  parseFilename?(filename: string): Readonly<Record<string, unknown>>;
  open(options: Options, context: OpenContext): Promise<BlockDriver>;
  /** Open images of this format have `writeCompressed`. */
  readonly compresses?: boolean;
  /** Rows of `-o help`, in QEMU's order. */
  readonly createOptions?: readonly CreateOption[];
  /** Rows of `amend -o help`: what of an image changes after it was made. */
  readonly amendOptions?: readonly CreateOption[];
  /** How much room an image would take that is made with these options (`measure`). */
  measure?(options: CreateValues, source: MeasureSource): Promise<MeasureResult>;
  /** Takes away the file that {@link create} made; without a complaint where it cannot (protocols). */
  remove?(filename: string): Promise<void>;
  /**
   * Makes an image in the child file, which is open and writable; a protocol makes what images lie in. One that has
   * {@link createOptions} and not this takes what is there already.
   */
  create?(options: CreateValues, context: CreateContext): Promise<void>;
}

/** The disk that {@link DriverDefinition.measure} takes the measure of: just its size, or what it holds too. */
export interface MeasureSource {
  readonly sizeBytes: number;
  /** Where passphrases are found, for images that are encrypted. */
  readonly secrets?: SecretSource;
  readonly node?: BlockNode;
}

/** Bytes of the file that a new image would lie in. */
export interface MeasureResult {
  readonly requiredBytes: number;
  readonly fullyAllocatedBytes: number;
  /** For the source's bitmaps; absent where source or image can have none. */
  readonly bitmapsBytes?: number;
}

/** A row of `create -o help`. */
export interface CreateOption {
  readonly name: string;
  readonly type: "size" | "str" | "bool" | "num";
  readonly help: string;
  readonly defaultText?: string;
  /** Listed and taken only where the file's protocol has it too, which is known once there is a filename. */
  readonly needsProtocol?: true;
}

/** Parsed creation options under QEMU's names: sizes and numbers in bytes, switches as booleans. */
export type CreateValues = Readonly<Record<string, string | number | boolean>>;

export interface CreateContext {
  readonly filename: string;
  readonly clocks: Clocks;
  readonly random: Random;
  /** The protocol node that the image is made in (formats), already created and open for writing. */
  readonly file: BlockNode;
  /** Where passphrases are found. */
  readonly secrets: SecretSource;
  /** Makes an empty file of the protocol that its name tells, and opens it for writing; closed by the caller's end. */
  createFile(filename: string): Promise<BlockNode>;
  /** Opens a backing file read-only, to take its size. */
  openBacking(filename: string, format: string | undefined): Promise<BlockNode>;
}
