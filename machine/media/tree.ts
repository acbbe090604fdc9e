/**
 * What goes on a medium: files, folders and links by path, as the builders of file systems take them.
 *
 * Left out: owners (all is root's), block devices, hard links.
 *
 * @module
 */
import { MachineError } from "../errors.ts";

/** One entry by its path: bytes, text (UTF-8), a folder (which may stay empty), a symbolic link, a character device. */
export type MediaContent =
  | Uint8Array
  | string
  | { readonly folder: true; readonly mode?: number }
  | { readonly link: string }
  | { readonly device: readonly [major: number, minor: number]; readonly mode?: number }
  | { readonly bytes: Uint8Array | string; readonly mode?: number };

/** What a medium holds: `{ "ks.cfg": "...", "drivers/disk.ko": bytes }`. Folders on the way are made. */
export type MediaFiles = Readonly<Record<string, MediaContent>>;

/** A file of a {@link Folder}. */
export interface MediaFile {
  readonly kind: "file";
  readonly name: string;
  /** Permission bits. */
  readonly mode: number;
  readonly bytes: Uint8Array;
}

/** A symbolic link of a {@link Folder}. */
export interface MediaLink {
  readonly kind: "link";
  readonly name: string;
  readonly target: string;
}

/** A character device of a {@link Folder}; only archives can hold one. */
export interface MediaDevice {
  readonly kind: "device";
  readonly name: string;
  readonly mode: number;
  readonly major: number;
  readonly minor: number;
}

/** A folder with what is in it, by name. */
export interface Folder {
  readonly kind: "folder";
  readonly name: string;
  readonly mode: number;
  readonly entries: Map<string, MediaNode>;
}

/** One entry of a {@link Folder}. */
export type MediaNode = MediaFile | MediaLink | MediaDevice | Folder;

const FILE_MODE = 0o644;
const FOLDER_MODE = 0o755;
const DEVICE_MODE = 0o600;
/** The longest name that the file systems here have in common with Linux, in bytes of UTF-8. */
const MAX_NAME_BYTES = 255;
/** The longest target of a link; what says so on a CD has to fit into one block. */
const MAX_TARGET_BYTES = 1023;

/** The tree that `files` describes; the root's name is empty. @throws {MachineError} naming the path that cannot be */
export function mediaTree(files: MediaFiles): Folder {
  const root = newFolder("", FOLDER_MODE);
  for (const [path, content] of Object.entries(files)) {
    const names = path.split("/");
    const last = names.pop()!;
    let folder = root;
    for (const name of names) folder = folderIn(folder, name, path);
    const wantsFolder = !isBytes(content) && "folder" in content;
    const there = folder.entries.get(last);
    if (there !== undefined) {
      if (there.kind === "folder" && wantsFolder) continue;
      throw refusal(path, "is there twice");
    }
    refuseName(last, path);
    folder.entries.set(last, nodeOf(last, content));
  }
  return root;
}

/** All folders of a tree, the root first, each before what is in it; within a folder in order of names. */
export function* foldersOf(root: Folder): Generator<Folder> {
  yield root;
  for (const entry of sortedEntries(root)) if (entry.kind === "folder") yield* foldersOf(entry);
}

/** What is in a folder, in the order of its names' bytes. */
export function sortedEntries(folder: Folder): MediaNode[] {
  return [...folder.entries.values()].sort((a, b) => a.name < b.name ? -1 : 1);
}

/** What a medium cannot hold. */
export function refusal(path: string, reason: string): MachineError {
  return new MachineError(`Could not put '${path}' on the medium: ${reason}`);
}

function nodeOf(name: string, content: MediaContent): MediaNode {
  if (isBytes(content)) return { kind: "file", name, mode: FILE_MODE, bytes: bytesOf(content) };
  if ("folder" in content) return newFolder(name, content.mode ?? FOLDER_MODE);
  if ("link" in content) {
    if (content.link === "" || bytesOf(content.link).length > MAX_TARGET_BYTES) {
      throw refusal(name, `a link leads to a path of 1 to ${MAX_TARGET_BYTES} bytes`);
    }
    return { kind: "link", name, target: content.link };
  }
  if ("device" in content) {
    const [major, minor] = content.device;
    return { kind: "device", name, mode: content.mode ?? DEVICE_MODE, major, minor };
  }
  return { kind: "file", name, mode: content.mode ?? FILE_MODE, bytes: bytesOf(content.bytes) };
}

function isBytes(content: MediaContent): content is Uint8Array | string {
  return typeof content === "string" || content instanceof Uint8Array;
}

function bytesOf(content: Uint8Array | string): Uint8Array {
  return typeof content === "string" ? new TextEncoder().encode(content) : content;
}

function newFolder(name: string, mode: number): Folder {
  return { kind: "folder", name, mode, entries: new Map() };
}

function folderIn(folder: Folder, name: string, path: string): Folder {
  refuseName(name, path);
  const there = folder.entries.get(name);
  if (there?.kind === "folder") return there;
  if (there !== undefined) throw refusal(path, `'${name}' is no folder`);
  const made = newFolder(name, FOLDER_MODE);
  folder.entries.set(name, made);
  return made;
}

function refuseName(name: string, path: string): void {
  if (name === "" || name === "." || name === ".." || name.includes("\0")) {
    throw refusal(path, "a path is names with '/' between them, without '.' and '..'");
  }
  if (new TextEncoder().encode(name).length > MAX_NAME_BYTES) {
    throw refusal(path, `a name has at most ${MAX_NAME_BYTES} bytes`);
  }
}
