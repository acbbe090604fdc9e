/**
 * Making a file for an image: of a size, with or without room, and with hints that some file systems take.
 *
 * Source: what `qemu-img create -f file -o help` lists.
 *
 * @module
 */
import { errnoText } from "../../../base/errno.ts";
import {
  FS_IOC_FSGETXATTR,
  FS_IOC_FSSETXATTR,
  FS_IOC_GETFLAGS,
  FS_IOC_SETFLAGS,
  FS_NOCOW_FL,
  FS_XFLAG_EXTSIZE,
  O_CREAT,
  O_RDWR,
} from "../../../base/host/constants.ts";
import { closeDescriptor, control, openPath, truncateFile } from "../../../base/host/files.ts";
import { type HostLibrary, hostLibrary } from "../../../base/host/libc.ts";
import { alignUp } from "../../../base/bits.ts";
import { MiB, SECTOR_BYTES } from "../../../base/units.ts";
import type { CreateOption, CreateValues, PreallocationMode } from "../../driver.ts";
import { BlockError } from "../../errors.ts";
import { ALL_PERMISSIONS, Permission } from "../../permissions.ts";
import { LazyEngine } from "./engine.ts";
import { canLock, ImageLocks } from "./locks.ts";
import { resizeFile } from "./resize.ts";
import { errnoOfResult, stateError } from "./results.ts";
import { bouncePool } from "./transfer.ts";

/** Rows of `-o help`. */
export const FILE_CREATE_OPTIONS: readonly CreateOption[] = [
  { name: "extent_size_hint", type: "size", help: "Extent size hint for the image file, 0 to disable" },
  { name: "nocow", type: "bool", help: "Turn off copy-on-write (valid only on btrfs)" },
  { name: "preallocation", type: "str", help: "Preallocation mode (allowed values: off, falloc, full)" },
  { name: "size", type: "size", help: "Virtual disk size" },
];

/** The extent size hint of a new file where none is given, which XFS takes against fragmentation. */
const DEFAULT_EXTENT_SIZE_HINT = MiB;

interface CreateWish {
  readonly path: string;
  readonly sizeBytes: number;
  readonly preallocation: PreallocationMode;
  readonly nocow: boolean;
  readonly extentSizeHint: number;
}

/** Makes or empties the file `filename` (`file:` in front of it is left out). */
export async function createFile(filename: string, options: CreateValues): Promise<void> {
  const wish = readOptions(filename, options);
  const host = hostLibrary();
  if (host === undefined) return createWithoutLibrary(wish);
  const descriptor = openPath(host, wish.path, O_RDWR | O_CREAT);
  if (descriptor < 0) throw createError(wish.path, descriptor);
  try {
    await fillFile(host, descriptor, wish);
  } finally {
    closeDescriptor(host, descriptor);
  }
}

function readOptions(filename: string, options: CreateValues): CreateWish {
  const preallocation = options["preallocation"] ?? "off";
  if (!isPreallocation(preallocation)) {
    throw new BlockError({
      kind: "option",
      option: "preallocation",
      text: `invalid parameter value: ${preallocation}`,
    });
  }
  return {
    path: filename.startsWith("file:") ? filename.slice(5) : filename,
    sizeBytes: alignUp(Number(options["size"] ?? 0), SECTOR_BYTES),
    preallocation,
    nocow: options["nocow"] === true,
    extentSizeHint: Number(options["extent_size_hint"] ?? DEFAULT_EXTENT_SIZE_HINT),
  };
}

function isPreallocation(value: unknown): value is PreallocationMode {
  return value === "off" || value === "metadata" || value === "falloc" || value === "full";
}

function createError(path: string, result: number): BlockError {
  const errno = errnoOfResult(result);
  return new BlockError({ kind: "state", text: `Could not create '${path}': ${errnoText(errno)}`, errno });
}

async function fillFile(host: HostLibrary, descriptor: number, wish: CreateWish): Promise<void> {
  // an image in use is left as it is; the locks end with the descriptor
  if (canLock(host, descriptor)) {
    const used = Permission.write | Permission.resize;
    new ImageLocks(host, descriptor, wish.path).set(used, ALL_PERMISSIONS & ~Permission.resize);
  }
  const cleared = truncateFile(host, descriptor, 0);
  if (cleared < 0) throw stateError("Could not resize file", cleared);
  if (wish.nocow) setNoCopyOnWrite(host, descriptor);
  if (wish.extentSizeHint > 0) setExtentSize(host, descriptor, wish.extentSizeHint);
  const engine = new LazyEngine(host);
  try {
    const target = { engine, descriptor, path: wish.path, memoryAlignBytes: 1, bounce: bouncePool(512) };
    await resizeFile(host, target, { fromBytes: 0, toBytes: wish.sizeBytes, preallocation: wish.preallocation });
  } finally {
    engine.close();
  }
}

/** A hint for btrfs; others say that they do not know it, which does no harm. */
function setNoCopyOnWrite(host: HostLibrary, descriptor: number): void {
  const flags = new Uint8Array(8);
  if (control(host, descriptor, FS_IOC_GETFLAGS, flags) < 0) return;
  const view = new DataView(flags.buffer);
  view.setUint32(0, view.getUint32(0, true) | FS_NOCOW_FL, true);
  control(host, descriptor, FS_IOC_SETFLAGS, flags);
}

/** A hint for XFS; the same. */
function setExtentSize(host: HostLibrary, descriptor: number, sizeBytes: number): void {
  const attributes = new Uint8Array(28);
  if (control(host, descriptor, FS_IOC_FSGETXATTR, attributes) < 0) return;
  const view = new DataView(attributes.buffer);
  view.setUint32(0, view.getUint32(0, true) | FS_XFLAG_EXTSIZE, true);
  view.setUint32(4, sizeBytes, true);
  control(host, descriptor, FS_IOC_FSSETXATTR, attributes);
}

/** Where the C library cannot be had: a file of holes, or of zeroes. */
async function createWithoutLibrary(wish: CreateWish): Promise<void> {
  const { createWithNode } = await import("./node_fs.ts");
  await createWithNode(wish.path, wish.sizeBytes, wish.preallocation);
}
