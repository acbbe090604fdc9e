/**
 * Opening the file below a driver: what it may be, how large it is, and which alignment O_DIRECT wants.
 *
 * @module
 */
import { errnoText } from "../../../base/errno.ts";
import { allocateAligned } from "../../../base/host/aligned.ts";
import {
  BLKGETSIZE64,
  BLKSSZGET,
  F_SETFL,
  O_DIRECT,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
} from "../../../base/host/constants.ts";
import {
  closeDescriptor,
  controlRead,
  type FileStat,
  openPath,
  retry,
  seekEnd,
  statDescriptor,
} from "../../../base/host/files.ts";
import type { HostLibrary } from "../../../base/host/libc.ts";
import { BlockError } from "../../errors.ts";
import type { FdSets } from "../../fd_sets.ts";
import { errnoOfResult, stateError } from "./results.ts";

/** The drivers that this folder makes. */
export type FileDriverName = "file" | "host_device" | "host_cdrom";

/** A file that is open. */
export interface OpenFile {
  readonly descriptor: number;
  readonly readOnly: boolean;
  readonly direct: boolean;
  readonly stat: FileStat;
}

/** How to open. */
export interface OpenWish {
  readonly driver: FileDriverName;
  readonly path: string;
  readonly readOnly: boolean;
  /** Open for reading where writing is refused. */
  readonly autoReadOnly: boolean;
  readonly direct: boolean;
  /** Where files called `/dev/fdset/N` come from. */
  readonly fdSets?: FdSets | undefined;
}

/** Opens `path`; nothing stays open when it throws. */
export function openFile(host: HostLibrary, wish: OpenWish): OpenFile {
  let readOnly = wish.readOnly;
  let descriptor = attempt(host, wish, readOnly);
  if (descriptor < 0 && !readOnly && wish.autoReadOnly && isRefusal(descriptor)) {
    readOnly = true;
    descriptor = attempt(host, wish, readOnly);
  }
  if (descriptor < 0) throw openError(host, wish, readOnly, descriptor);
  try {
    const stat = statDescriptor(host, descriptor);
    if (typeof stat === "number") throw stateError("Could not stat file", stat);
    refuseWrongKind(wish, stat);
    // CD-ROM drives are opened so that they need no medium; what else was only there to not wait for a FIFO
    if (wish.driver !== "host_cdrom") {
      retry(host, () => host.symbols.fcntl_int(descriptor, F_SETFL, BigInt(wish.direct ? O_DIRECT : 0)));
    }
    return { descriptor, readOnly, direct: wish.direct, stat };
  } catch (error) {
    closeDescriptor(host, descriptor);
    throw error;
  }
}

function attempt(host: HostLibrary, wish: OpenWish, readOnly: boolean): number {
  const flags = (readOnly ? O_RDONLY : O_RDWR) | (wish.direct ? O_DIRECT : 0);
  return wish.fdSets?.open(host, wish.path, flags) ?? openPath(host, wish.path, flags | O_NONBLOCK);
}

/** Whether an error means that reading might be allowed; a folder is then refused for what it is. */
export function isRefusal(result: number): boolean {
  const errno = errnoOfResult(result);
  return errno === "EACCES" || errno === "EROFS" || errno === "EPERM" || errno === "EISDIR";
}

function openError(host: HostLibrary, wish: OpenWish, readOnly: boolean, result: number): BlockError {
  const { path } = wish;
  const errno = errnoOfResult(result);
  if (errno === "EINVAL" && wish.direct) {
    const plain = attempt(host, { ...wish, direct: false }, readOnly);
    if (plain >= 0) {
      closeDescriptor(host, plain);
      return new BlockError({ kind: "open", path, errno, reason: "filesystem does not support O_DIRECT" });
    }
  }
  return new BlockError({ kind: "open", path, errno });
}

function refuseWrongKind(wish: OpenWish, stat: FileStat): void {
  const isDevice = stat.kind === "block" || stat.kind === "character";
  if (wish.driver === "file" ? stat.kind === "file" : isDevice) return;
  const wanted = wish.driver === "file" ? "a regular file" : "either a character or block device";
  const text = `'${wish.driver}' driver requires '${wish.path}' to be ${wanted}`;
  throw new BlockError({ kind: "state", text, errno: "EINVAL" });
}

/** The size in bytes of what is open, however it tells it. */
export function fileSize(host: HostLibrary, file: OpenFile): number {
  if (file.stat.kind === "block") {
    const size = controlRead(host, file.descriptor, BLKGETSIZE64, 8);
    if (size >= 0) return size;
  }
  const size = seekEnd(host, file.descriptor);
  if (size >= 0) return size;
  // a drive without a medium has no size
  const errno = errnoOfResult(size);
  if (errno === "ENOMEDIUM" || file.stat.kind !== "file") return 0;
  throw new BlockError({ kind: "state", text: `Could not get file size: ${errnoText(errno)}`, errno });
}

/** What O_DIRECT wants of offsets and of addresses. */
export interface DirectAlignment {
  readonly offsetBytes: number;
  readonly memoryBytes: number;
}

/** Finds out what O_DIRECT wants: as the device or the kernel tells, else by trying. */
export function directAlignment(host: HostLibrary, file: OpenFile): DirectAlignment {
  const { stat, descriptor } = file;
  if (stat.kind === "block") {
    const sector = controlRead(host, descriptor, BLKSSZGET, 4);
    if (sector > 0) return { offsetBytes: sector, memoryBytes: sector };
  }
  if (stat.directOffsetAlignBytes > 0) {
    return { offsetBytes: stat.directOffsetAlignBytes, memoryBytes: Math.max(stat.directMemoryAlignBytes, 1) };
  }
  const page = allocateAligned(4096, 4096);
  for (const alignBytes of [512, 1024, 2048, 4096]) {
    const result = retry(host, () => host.symbols.pread(descriptor, page, BigInt(alignBytes), 0n));
    if (result >= 0) return { offsetBytes: alignBytes, memoryBytes: alignBytes };
    if (errnoOfResult(result) !== "EINVAL") break;
  }
  throw new BlockError(
    { kind: "state", text: "Could not find working O_DIRECT alignment", errno: "EINVAL" },
    { help: "Try cache.direct=off" },
  );
}
