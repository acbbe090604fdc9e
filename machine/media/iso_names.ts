/**
 * Names on a CD: short ones in capitals for ISO 9660, 64 characters for Joliet. The real name is Rock Ridge's.
 *
 * Source: [ECMA-119] 7.5, 7.6; [Joliet] "Joliet Specification", "Permitted Characters".
 *
 * @module
 */
import { type MediaNode, refusal } from "./tree.ts";

const MAX_JOLIET_CHARACTERS = 64;
const MAX_TRIES = 1000;

/** The identifiers of a folder's entries in one of the two hierarchies, each with its node, in the order of bytes. */
export function identifiers(
  nodes: readonly MediaNode[],
  kind: "iso" | "joliet",
): { readonly node: MediaNode; readonly identifier: Uint8Array }[] {
  const taken = new Set<string>();
  return nodes.map((node) => {
    const identifier = kind === "iso" ? isoName(node, taken) : jolietName(node, taken);
    taken.add(identifier);
    return { node, identifier };
  }).sort((a, b) => a.identifier < b.identifier ? -1 : 1)
    .map(({ node, identifier }) => ({ node, identifier: encode(identifier, kind) }));
}

/** `NAME.EXT;1`, or `NAME` for a folder; a number takes the end's place where two would be the same. */
function isoName(node: MediaNode, taken: ReadonlySet<string>): string {
  const clean = (text: string) => text.toUpperCase().replace(/[^A-Z0-9_]/g, "_");
  const dot = node.kind === "folder" ? -1 : node.name.lastIndexOf(".");
  const stem = clean(dot > 0 ? node.name.slice(0, dot) : node.name) || "_";
  const extension = clean(dot > 0 ? node.name.slice(dot + 1) : "").slice(0, 3);
  const ending = node.kind === "folder" ? "" : `.${extension};1`;
  return firstFree(node.name, taken, (number) => {
    const mark = number === 0 ? "" : String(number).padStart(3, "0");
    return stem.slice(0, 8 - mark.length) + mark + ending;
  });
}

function jolietName(node: MediaNode, taken: ReadonlySet<string>): string {
  const name = node.name.replace(/[*/:;?\\]/g, "_");
  const ending = node.kind === "folder" ? "" : ";1";
  return firstFree(node.name, taken, (number) => {
    const mark = number === 0 ? "" : String(number).padStart(3, "0");
    return name.slice(0, MAX_JOLIET_CHARACTERS - mark.length) + mark + ending;
  });
}

function firstFree(name: string, taken: ReadonlySet<string>, candidate: (number: number) => string): string {
  for (let number = 0; number < MAX_TRIES; number++) if (!taken.has(candidate(number))) return candidate(number);
  throw refusal(name, "too many names of its kind in one folder");
}

/** Bytes as they lie on the medium: ASCII, or UCS-2 with the high byte first. */
export function encode(text: string, kind: "iso" | "joliet"): Uint8Array {
  if (kind === "iso") return new TextEncoder().encode(text);
  const bytes = new Uint8Array(text.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < text.length; i++) view.setUint16(i * 2, text.charCodeAt(i));
  return bytes;
}
