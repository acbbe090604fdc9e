/**
 * QEMU's `BlockdevOptions`: how a node is described, one type for each driver.
 *
 * Names and values are those of `-blockdev` and `blockdev-add` (qapi/block-core.json). `-drive`, `json:` names and QMP
 * arguments all end in these.
 *
 * @module
 */

/** What every node may say of itself. */
export interface BlockdevOptionsBase {
  readonly "node-name"?: string;
  readonly discard?: "ignore" | "unmap";
  readonly cache?: { readonly direct?: boolean; readonly "no-flush"?: boolean };
  readonly "read-only"?: boolean;
  readonly "auto-read-only"?: boolean;
  readonly "force-share"?: boolean;
  /** By default it is; newer than 7.2. */
  readonly active?: boolean;
  readonly "detect-zeroes"?: "off" | "on" | "unmap";
}

/** A child: a description of its own, or the name of a node that is there already. */
export type BlockdevRef = BlockdevOptions | string;

export interface BlockdevOptionsFile extends BlockdevOptionsBase {
  readonly driver: "file" | "host_device" | "host_cdrom";
  readonly filename: string;
  readonly aio?: "threads" | "native" | "io_uring";
  readonly "aio-max-batch"?: number;
  readonly locking?: "auto" | "on" | "off";
  readonly "drop-cache"?: boolean;
  readonly "pr-manager"?: string;
}

export interface BlockdevOptionsNull extends BlockdevOptionsBase {
  readonly driver: "null-co" | "null-aio";
  /** Bytes; QEMU's default is 1 GiB. */
  readonly size?: number;
  readonly "latency-ns"?: number;
  readonly "read-zeroes"?: boolean;
}

/** moa's own: a disk in memory, gone when it is closed. */
export interface BlockdevOptionsMemory extends BlockdevOptionsBase {
  readonly driver: "memory";
  /** Bytes. */
  readonly size?: number;
}

export interface BlockdevOptionsRaw extends BlockdevOptionsBase {
  readonly driver: "raw";
  readonly file: BlockdevRef;
  /** Bytes; where the window begins in the file. */
  readonly offset?: number;
  /** Bytes; how long the window is. */
  readonly size?: number;
}

export interface BlockdevOptionsLuks extends BlockdevOptionsBase {
  readonly driver: "luks";
  readonly file: BlockdevRef;
  /** The id of the `secret` object with the passphrase; an image without its data can do without. */
  readonly "key-secret"?: string;
}

/** How an encrypted qcow2 image is opened. */
export interface BlockdevQcow2Encryption {
  readonly format?: "aes" | "luks";
  /** The id of the `secret` object with the passphrase. */
  readonly "key-secret"?: string;
}

export interface BlockdevOptionsQcow2 extends BlockdevOptionsBase {
  readonly driver: "qcow2";
  readonly file: BlockdevRef;
  /** `null`: open without the backing file that the header names. */
  readonly backing?: BlockdevRef | null;
  /** Where data clusters are, for an image whose header says that they are elsewhere; by default the file it names. */
  readonly "data-file"?: BlockdevRef;
  readonly "lazy-refcounts"?: boolean;
  readonly "pass-discard-request"?: boolean;
  readonly "pass-discard-snapshot"?: boolean;
  readonly "pass-discard-other"?: boolean;
  readonly "overlap-check"?: "none" | "constant" | "cached" | "all" | Readonly<Record<string, string | boolean>>;
  /** Bytes of both metadata caches together. */
  readonly "cache-size"?: number;
  readonly "l2-cache-size"?: number;
  readonly "l2-cache-entry-size"?: number;
  readonly "refcount-cache-size"?: number;
  /** Seconds. */
  readonly "cache-clean-interval"?: number;
  readonly encrypt?: BlockdevQcow2Encryption;
}

/** A rule of blkdebug that fails requests. Numbers may be strings, as `-drive` has them. */
export interface BlkdebugInjectError {
  readonly event: string;
  /** 0: in any state. */
  readonly state?: number | string;
  readonly iotype?: "read" | "write" | "write-zeroes" | "discard" | "flush" | "block-status";
  /** Linux error number; 5 (EIO) by default. */
  readonly errno?: number | string;
  readonly sector?: number | string;
  readonly once?: boolean | string;
}

/** A rule of blkdebug that changes its state; the first state is 1. */
export interface BlkdebugSetState {
  readonly event: string;
  readonly state?: number | string;
  readonly new_state: number | string;
}

export interface BlockdevOptionsBlkdebug extends BlockdevOptionsBase {
  readonly driver: "blkdebug";
  readonly image: BlockdevRef;
  readonly config?: string;
  /** Bytes, a power of two. */
  readonly align?: number;
  readonly "max-transfer"?: number;
  readonly "opt-write-zero"?: number;
  readonly "max-write-zero"?: number;
  readonly "opt-discard"?: number;
  readonly "max-discard"?: number;
  readonly "inject-error"?: readonly BlkdebugInjectError[];
  readonly "set-state"?: readonly BlkdebugSetState[];
  /** Permissions (`"write"`, `"resize"`, ...) that the node takes of its image, or lets nobody else have. */
  readonly "take-child-perms"?: readonly string[];
  readonly "unshare-child-perms"?: readonly string[];
}

/** A filter over one node with no options of its own. */
export interface BlockdevOptionsOneFile extends BlockdevOptionsBase {
  readonly driver: "compress" | "snapshot-access";
  readonly file: BlockdevRef;
}

export interface BlockdevOptionsThrottle extends BlockdevOptionsBase {
  readonly driver: "throttle";
  /** The id of a `throttle-group` object, or the name of a group that drives have made. */
  readonly "throttle-group": string;
  readonly file: BlockdevRef;
}

export interface BlockdevOptionsCopyOnRead extends BlockdevOptionsBase {
  readonly driver: "copy-on-read";
  readonly file: BlockdevRef;
  /** The name of the last node of the backing chain from which anything is copied. */
  readonly bottom?: string;
}

export interface BlockdevOptionsPreallocate extends BlockdevOptionsBase {
  readonly driver: "preallocate";
  readonly file: BlockdevRef;
  /** Bytes, a multiple of 512; the file's size is a multiple of it. 1 MiB by default. */
  readonly "prealloc-align"?: number;
  /** Bytes that are taken beyond what is written. 128 MiB by default. */
  readonly "prealloc-size"?: number;
}

export interface BlockdevOptionsBlkverify extends BlockdevOptionsBase {
  readonly driver: "blkverify";
  readonly raw?: BlockdevRef;
  readonly test?: BlockdevRef;
  /** File names, as `blkverify:RAW:IMAGE` has them. */
  readonly "x-raw"?: string;
  readonly "x-image"?: string;
}

export interface BlockdevOptionsBlklogwrites extends BlockdevOptionsBase {
  readonly driver: "blklogwrites";
  readonly file: BlockdevRef;
  readonly log: BlockdevRef;
  /** Bytes, a power of two from 512 to 8 MiB; 512 by default. */
  readonly "log-sector-size"?: number;
  /** Go on at the end of a log that is there. */
  readonly "log-append"?: boolean;
  /** Entries after which the log says how many there are; 4096 by default. */
  readonly "log-super-update-interval"?: number;
}

export interface BlockdevOptionsQuorum extends BlockdevOptionsBase {
  readonly driver: "quorum";
  readonly children: readonly BlockdevRef[];
  /** How many copies have to agree, or to be written. */
  readonly "vote-threshold": number;
  /** Two copies that have to be equal. */
  readonly blkverify?: boolean;
  readonly "rewrite-corrupted"?: boolean;
  readonly "read-pattern"?: "quorum" | "fifo";
}

export interface BlockdevOptionsCopyBeforeWrite extends BlockdevOptionsBase {
  readonly driver: "copy-before-write";
  readonly file: BlockdevRef;
  readonly target: BlockdevRef;
  /** Only what is dirty here is kept for the snapshot. */
  readonly bitmap?: { readonly node: string; readonly name: string };
  /** What fails where a copy fails: the guest's write, or from then on every access to the snapshot. */
  readonly "on-cbw-error"?: "break-guest-write" | "break-snapshot";
  /** Seconds for one copy; 0 for no limit. */
  readonly "cbw-timeout"?: number;
}

/** The description of one node. */
export type BlockdevOptions =
  | BlockdevOptionsFile
  | BlockdevOptionsNull
  | BlockdevOptionsMemory
  | BlockdevOptionsRaw
  | BlockdevOptionsLuks
  | BlockdevOptionsQcow2
  | BlockdevOptionsBlkdebug
  | BlockdevOptionsBlkverify
  | BlockdevOptionsBlklogwrites
  | BlockdevOptionsThrottle
  | BlockdevOptionsCopyOnRead
  | BlockdevOptionsPreallocate
  | BlockdevOptionsQuorum
  | BlockdevOptionsCopyBeforeWrite
  | BlockdevOptionsOneFile;
