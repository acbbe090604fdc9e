/**
 * What Rock Ridge writes beside each name of a CD: the real name, permissions, dates and where a link leads.
 *
 * Entries that do not fit into a directory record go on in a continuation area; `CE` says where. Left out: folders more
 * than eight deep (refused by the builder), sparse files, devices.
 *
 * Source: [SUSP] IEEE P1281 5; [RRIP] IEEE P1282 (1.09) 4.1.
 *
 * @module
 */
import type { MediaNode } from "./tree.ts";
import { putBoth32, recordingTime } from "./iso_numbers.ts";

/** A directory record has at most this many bytes, its system use field included. */
const MAX_RECORD_BYTES = 254;
/** The entry that says where it goes on. */
const CONTINUATION_BYTES = 28;
/** A name in one entry. */
const MAX_PART_BYTES = 250;
const TYPE = { file: 0o100000, folder: 0o040000, link: 0o120000, device: 0o020000 } as const;
const CONTINUES = 1;

/** What an entry says; `.` and `..` have no name, and the root's `.` says that Rock Ridge is there. */
export interface RockRidgeFacts {
  readonly node: MediaNode;
  readonly named: boolean;
  readonly isRootItself: boolean;
  readonly links: number;
  readonly date: Date;
}

/** The entries, each whole, in order. */
export function rockRidgeEntries(facts: RockRidgeFacts): Uint8Array[] {
  const { node, named, isRootItself, links, date } = facts;
  const entries: Uint8Array[] = [];
  if (isRootItself) entries.push(entry("SP", [0xbe, 0xef, 0]));
  const mode = TYPE[node.kind] | (node.kind === "link" ? 0o777 : node.mode);
  const attributes = new Uint8Array(32);
  for (const [i, value] of [mode, links, 0, 0].entries()) putBoth32(attributes, i * 8, value);
  entries.push(entry("PX", attributes));
  // Modified, read, changed: all the same.
  const time = recordingTime(date);
  entries.push(entry("TF", [0x0e, ...time, ...time, ...time]));
  if (named) entries.push(...nameEntries(node.name));
  if (node.kind === "link") entries.push(...linkEntries(node.target));
  if (isRootItself) entries.push(reference());
  return entries;
}

/** How many of `entries` fit beside a record of `recordBytes`, leaving room for `CE` where not all do. */
export function splitEntries(entries: readonly Uint8Array[], recordBytes: number): number {
  const room = MAX_RECORD_BYTES - recordBytes;
  if (entries.reduce((sum, { length }) => sum + length, 0) <= room) return entries.length;
  let used = CONTINUATION_BYTES;
  const count = entries.findIndex(({ length }) => (used += length) > room);
  return count < 0 ? entries.length : count;
}

/** `CE`: the rest lies in `block` at byte `offset`, `lengthBytes` long. */
export function continuation(block: number, offset: number, lengthBytes: number): Uint8Array {
  const payload = new Uint8Array(CONTINUATION_BYTES - 4);
  for (const [i, value] of [block, offset, lengthBytes].entries()) putBoth32(payload, i * 8, value);
  return entry("CE", payload);
}

function entry(signature: string, payload: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(4 + payload.length);
  bytes.set([signature.charCodeAt(0), signature.charCodeAt(1), bytes.length, 1]);
  bytes.set(payload, 4);
  return bytes;
}

function nameEntries(name: string): Uint8Array[] {
  const bytes = new TextEncoder().encode(name);
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += MAX_PART_BYTES) {
    const part = bytes.subarray(at, at + MAX_PART_BYTES);
    entries.push(entry("NM", [at + part.length < bytes.length ? CONTINUES : 0, ...part]));
  }
  return entries;
}

/** A link's target is a list of components; those that are names are cut where an entry is full. */
function linkEntries(target: string): Uint8Array[] {
  const components: number[][] = [];
  const names = target.split("/");
  if (target.startsWith("/")) {
    components.push([8, 0]);
    names.shift();
  }
  for (const name of names) {
    if (name === "" || name === ".") components.push([2, 0]);
    else if (name === "..") components.push([4, 0]);
    else {
      const bytes = new TextEncoder().encode(name);
      // With its own header of two bytes a component has to fit into one entry.
      const most = MAX_PART_BYTES - 3;
      for (let at = 0; at < bytes.length; at += most) {
        const part = bytes.subarray(at, at + most);
        components.push([at + part.length < bytes.length ? CONTINUES : 0, part.length, ...part]);
      }
    }
  }
  const entries: number[][] = [[]];
  for (const component of components) {
    if (entries.at(-1)!.length + component.length > MAX_PART_BYTES) entries.push([]);
    entries.at(-1)!.push(...component);
  }
  return entries.map((payload, i) => entry("SL", [i + 1 < entries.length ? CONTINUES : 0, ...payload]));
}

/** `ER`: which extension this is, by the identifier that its specification gives; the texts are free. */
function reference(): Uint8Array {
  const identifier = new TextEncoder().encode("RRIP_1991A");
  const description = new TextEncoder().encode("Rock Ridge: names, permissions and links of POSIX");
  const source = new TextEncoder().encode("IEEE P1282");
  const lengths = [identifier.length, description.length, source.length, 1];
  return entry("ER", [...lengths, ...identifier, ...description, ...source]);
}
