/**
 * Archives that Linux unpacks into its first file system: cpio in the "new ASCII" form.
 *
 * The kernel takes several after one another, packed or not, each one's end padded with zeroes: a second archive adds to
 * the first. Left out: checksums, hard links, block devices.
 *
 * Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
 *
 * @module
 */
import { alignUp } from "../../base/bits.ts";
import { type Folder, foldersOf, type MediaFiles, type MediaNode, mediaTree, sortedEntries } from "./tree.ts";

const HEADER_BYTES = 110;
const TRAILER = "TRAILER!!!";
const TYPE = { file: 0o100000, folder: 0o040000, link: 0o120000, device: 0o020000 } as const;
const NOTHING = new Uint8Array(0);

interface Member {
  readonly path: string;
  readonly mode: number;
  readonly links: number;
  readonly bytes: Uint8Array;
  readonly device?: readonly [major: number, minor: number];
}

/**
 * An archive of `files`, padded to 512 bytes; dates are 0 unless `seconds` since 1970 are given.
 * @throws {MachineError} for a path that cannot be
 * @example
 * ```ts
 * import { buildCpio } from "./cpio.ts";
 *
 * const initrd = buildCpio({ "init": { bytes: "#!/bin/sh\necho up\n", mode: 0o755 }, "dev": { folder: true } });
 * if (new TextDecoder().decode(initrd.subarray(0, 6)) !== "070701") throw new Error("no archive");
 * ```
 */
export function buildCpio(files: MediaFiles, seconds = 0): Uint8Array {
  const members = [...membersOf(mediaTree(files))];
  members.push({ path: TRAILER, mode: 0, links: 1, bytes: NOTHING });
  const encoder = new TextEncoder();
  const names = members.map(({ path }) => encoder.encode(path));
  const sizes = members.map(({ bytes }, i) =>
    alignUp(HEADER_BYTES + names[i]!.length + 1, 4) + alignUp(bytes.length, 4)
  );
  const archive = new Uint8Array(alignUp(sizes.reduce((sum, size) => sum + size, 0), 512));
  let at = 0;
  for (const [i, { mode, links, bytes, device = [0, 0] }] of members.entries()) {
    const name = names[i]!;
    // inode, mode, owner, group, links, date, size, device and its device (four fields), name's length, checksum
    const numbers = [i + 1, mode, 0, 0, links, seconds, bytes.length, 0, 0, ...device, name.length + 1, 0];
    const header = `070701${numbers.map((number) => number.toString(16).toUpperCase().padStart(8, "0")).join("")}`;
    encoder.encodeInto(header, archive.subarray(at));
    archive.set(name, at + HEADER_BYTES);
    archive.set(bytes, at + alignUp(HEADER_BYTES + name.length + 1, 4));
    at += sizes[i]!;
  }
  return archive;
}

function* membersOf(root: Folder): Generator<Member> {
  const paths = new Map<MediaNode, string>([[root, ""]]);
  for (const folder of foldersOf(root)) {
    const prefix = paths.get(folder)!;
    if (prefix !== "") yield { path: prefix, mode: TYPE.folder | folder.mode, links: 2, bytes: NOTHING };
    for (const entry of sortedEntries(folder)) {
      const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
      if (entry.kind === "folder") paths.set(entry, path);
      else if (entry.kind === "file") yield { path, mode: TYPE.file | entry.mode, links: 1, bytes: entry.bytes };
      else if (entry.kind === "device") {
        const device = [entry.major, entry.minor] as const;
        yield { path, mode: TYPE.device | entry.mode, links: 1, bytes: NOTHING, device };
      } else yield { path, mode: TYPE.link | 0o777, links: 1, bytes: new TextEncoder().encode(entry.target) };
    }
  }
}
