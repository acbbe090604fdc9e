/**
 * System calls on files that are not on the path of every request. Results are the call's own, or a negative error
 * number, as the kernel itself returns them.
 *
 * Source: open(2), statx(2), lseek(2), fcntl(2) "Open file description locks", fallocate(2), copy_file_range(2).
 *
 * @module
 */
import {
  AT_EMPTY_PATH,
  F_OFD_GETLK,
  F_OFD_SETLK,
  F_UNLCK,
  F_WRLCK,
  MEMORY_FILE_SYSTEMS,
  NETWORK_FILE_SYSTEMS,
  O_CLOEXEC,
  POSIX_FADV_DONTNEED,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  SEEK_DATA,
  SEEK_END,
  SEEK_HOLE,
  STATX_BASIC_STATS,
  STATX_DIOALIGN,
} from "./constants.ts";
import type { HostLibrary } from "./libc.ts";

const EINTR = 4;
const EOVERFLOW = 75;
const encoder = new TextEncoder();

/** `text` with the zero byte that ends a string in C. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(`${text}\0`);
}

/** The result of `call`, with -1 replaced by the negative error number; repeated where a signal came between. */
export function retry(host: HostLibrary, call: () => number): number {
  for (;;) {
    const result = call();
    if (result !== -1) return result;
    const number = host.errno();
    if (number !== EINTR) return -number;
  }
}

/** Opens `path` with `flags` (O_CLOEXEC is added): a descriptor. A path with a zero byte in it does not exist. */
export function openPath(host: HostLibrary, path: string, flags: number, mode = 0o644): number {
  if (path.includes("\0")) return -2;
  const name = cString(path);
  return retry(host, () => host.symbols.open(name, flags | O_CLOEXEC, mode));
}

/** Closes a descriptor. An error says nothing of use: the descriptor is gone either way. */
export function closeDescriptor(host: HostLibrary, descriptor: number): void {
  host.symbols.close(descriptor);
}

/** What kind of thing a descriptor is open on. */
export type FileKind = "file" | "directory" | "block" | "character" | "fifo" | "socket" | "other";

export interface FileStat {
  readonly kind: FileKind;
  /** Of a device it is 0. */
  readonly sizeBytes: number;
  /** What the storage below takes. */
  readonly allocatedBytes: number;
  readonly blockSizeBytes: number;
  /** Together they tell a file from all others. */
  readonly inode: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Alignments that O_DIRECT asks for, where the kernel tells: of memory and of offsets. */
  readonly directMemoryAlignBytes: number;
  readonly directOffsetAlignBytes: number;
}

const KINDS = new Map<number, FileKind>([
  [S_IFREG, "file"],
  [S_IFDIR, "directory"],
  [S_IFBLK, "block"],
  [S_IFCHR, "character"],
  [S_IFIFO, "fifo"],
  [S_IFSOCK, "socket"],
]);

const EMPTY = cString("");

/** What statx says of a descriptor; a negative error number when it fails. */
export function statDescriptor(host: HostLibrary, descriptor: number): FileStat | number {
  const bytes = new Uint8Array(256);
  const result = retry(
    host,
    () => host.symbols.statx(descriptor, EMPTY, AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_DIOALIGN, bytes),
  );
  if (result < 0) return result;
  const view = new DataView(bytes.buffer);
  return {
    kind: KINDS.get(view.getUint16(28, true) & S_IFMT) ?? "other",
    sizeBytes: Number(view.getBigUint64(40, true)),
    allocatedBytes: Number(view.getBigUint64(48, true)) * 512,
    blockSizeBytes: view.getUint32(4, true),
    inode: Number(view.getBigUint64(32, true)),
    deviceMajor: view.getUint32(136, true),
    deviceMinor: view.getUint32(140, true),
    directMemoryAlignBytes: view.getUint32(152, true),
    directOffsetAlignBytes: view.getUint32(156, true),
  };
}

/** The type of a file system by its magic number (statfs(2)); 0 where it cannot be told. */
export function fileSystemType(host: HostLibrary, descriptor: number): number {
  const bytes = new Uint8Array(120);
  if (retry(host, () => host.symbols.fstatfs(descriptor, bytes)) < 0) return 0;
  return new DataView(bytes.buffer).getUint32(0, true);
}

/** Where a file's bytes lie: in memory only, on this machine, or behind a network; unknown counts as local. */
export function storageOf(host: HostLibrary, descriptor: number): "memory" | "local" | "network" {
  const type = fileSystemType(host, descriptor);
  if (MEMORY_FILE_SYSTEMS.has(type)) return "memory";
  return NETWORK_FILE_SYSTEMS.has(type) ? "network" : "local";
}

function seek(host: HostLibrary, descriptor: number, at: number, whence: number): number {
  const result = Number(host.symbols.lseek(descriptor, BigInt(at), whence));
  if (result !== -1) return Number.isSafeInteger(result) ? result : -EOVERFLOW;
  return -host.errno();
}

/** The end of a file or device, in bytes. */
export function seekEnd(host: HostLibrary, descriptor: number): number {
  return seek(host, descriptor, 0, SEEK_END);
}

/** Where the first data at or behind `at` begins; -ENXIO where none follows. */
export function seekData(host: HostLibrary, descriptor: number, at: number): number {
  return seek(host, descriptor, at, SEEK_DATA);
}

/** Where the first hole at or behind `at` begins, the end of the file at the latest. */
export function seekHole(host: HostLibrary, descriptor: number, at: number): number {
  return seek(host, descriptor, at, SEEK_HOLE);
}

/** struct flock: type, whence (from the start), padding, start, length, pid. */
function flock(type: number, start: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  view.setInt16(0, type, true);
  view.setBigInt64(8, BigInt(start), true);
  view.setBigInt64(16, BigInt(length), true);
  return bytes;
}

/** Sets a lock of `type` (F_RDLCK, F_WRLCK, F_UNLCK) that belongs to the open file: 0, or -EAGAIN where another has it. */
export function setLock(host: HostLibrary, descriptor: number, type: number, start: number, length: number): number {
  const lock = flock(type, start, length);
  return retry(host, () => host.symbols.fcntl(descriptor, F_OFD_SETLK, lock));
}

/** Whether somebody else's lock stands against locking the bytes exclusively: 1, 0, or a negative error number. */
export function queryLock(host: HostLibrary, descriptor: number, start: number, length: number): number {
  const lock = flock(F_WRLCK, start, length);
  const result = retry(host, () => host.symbols.fcntl(descriptor, F_OFD_GETLK, lock));
  if (result < 0) return result;
  return new DataView(lock.buffer).getInt16(0, true) === F_UNLCK ? 0 : 1;
}

/** fallocate with `mode` (FALLOC_FL_...), waiting for it. */
export function allocateRange(
  host: HostLibrary,
  descriptor: number,
  mode: number,
  at: number,
  length: number,
): number {
  return retry(host, () => host.symbols.fallocate(descriptor, mode, BigInt(at), BigInt(length)));
}

/** Makes the file exactly `sizeBytes` long. */
export function truncateFile(host: HostLibrary, descriptor: number, sizeBytes: number): number {
  return retry(host, () => host.symbols.ftruncate(descriptor, BigInt(sizeBytes)));
}

/** Copies inside the kernel, sharing blocks where the file system can: how many bytes were copied. */
export function copyFileRange(
  host: HostLibrary,
  from: { readonly descriptor: number; readonly at: number },
  to: { readonly descriptor: number; readonly at: number },
  length: number,
): number {
  const offsets = new BigInt64Array([BigInt(from.at), BigInt(to.at)]);
  const source = new Uint8Array(offsets.buffer, 0, 8);
  const target = new Uint8Array(offsets.buffer, 8, 8);
  const part = Math.min(length, 0x4000_0000);
  return retry(
    host,
    () => host.symbols.copy_file_range(from.descriptor, source, to.descriptor, target, BigInt(part), 0),
  );
}

/** Drops the file's clean pages from the page cache. */
export function dropPageCache(host: HostLibrary, descriptor: number): number {
  // this one returns the error number itself
  return -host.symbols.posix_fadvise(descriptor, 0n, 0n, POSIX_FADV_DONTNEED);
}

/** Deletes a file's name. */
export function unlinkPath(host: HostLibrary, path: string): number {
  const name = cString(path);
  return retry(host, () => host.symbols.unlink(name));
}

/** ioctl with a structure, which it may fill. */
export function control(
  host: HostLibrary,
  descriptor: number,
  request: bigint,
  argument: Uint8Array<ArrayBuffer>,
): number {
  return retry(host, () => host.symbols.ioctl(descriptor, request, argument));
}

/** ioctl with a number. */
export function controlNumber(host: HostLibrary, descriptor: number, request: bigint, argument: number): number {
  return retry(host, () => host.symbols.ioctl_int(descriptor, request, BigInt(argument)));
}

/** ioctl that fills in one 32-bit or 64-bit number: that number, or a negative error number. */
export function controlRead(host: HostLibrary, descriptor: number, request: bigint, sizeBytes: 4 | 8): number {
  const bytes = new Uint8Array(8);
  const result = control(host, descriptor, request, bytes);
  if (result < 0) return result;
  const view = new DataView(bytes.buffer);
  return sizeBytes === 4 ? view.getUint32(0, true) : Number(view.getBigUint64(0, true));
}
