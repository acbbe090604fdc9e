/**
 * The strict half of QEMU's option syntax: dotted keys that nest, numbers as keys that make lists.
 *
 * `file.driver=file,file.filename=a` is `{ file: { driver: "file", filename: "a" } }`; `list.0=a,list.1=b` is
 * `{ list: ["a", "b"] }`. All leaves are strings; whoever knows the types converts them. Left out: JSON, which callers
 * see by its first character, `{`.
 *
 * Source: behaviour of QEMU 7.2.
 *
 * @module
 */
import { isHelpOption, type OptionPair } from "./keyval.ts";
import { OptionError } from "./option_error.ts";

/** What a strict option string is parsed into. */
export type KeyvalTree = { [name: string]: KeyvalValue };
export type KeyvalValue = string | KeyvalTree | KeyvalValue[];

/** A tree under construction: lists are still objects with numbers as keys. */
type Draft = Map<string, string | Draft>;

/**
 * Parses an option string by the strict rules.
 *
 * `impliedKey` is the key of a first element without `=`. With `helpAllowed`, a bare `help` or `?` is noted instead of
 * refused.
 *
 * @throws {OptionError} in QEMU's words.
 */
export function parseKeyval(
  text: string,
  options: { readonly impliedKey?: string; readonly helpAllowed?: boolean } = {},
): { readonly tree: KeyvalTree; readonly helpWanted: boolean } {
  const root: Draft = new Map();
  let helpWanted = false;
  for (let at = 0; at < text.length;) {
    const stop = text.slice(at).search(/[=,]|$/) + at;
    const word = text.slice(at, stop);
    if (text[stop] !== "=") {
      const implied = at === 0 && word !== "" ? options.impliedKey : undefined;
      if (isHelpOption(word)) {
        if (!options.helpAllowed) throw new OptionError("Help is not available for this option");
        helpWanted = true;
      } else if (implied === undefined) {
        // A key that is no key is told so before its missing value is missed.
        splitKey(word);
        throw new OptionError(`Expected '=' after parameter '${word}'`);
      } else insert(root, implied, word);
      at = stop + 1;
      continue;
    }
    splitKey(word);
    const { value, next } = takeValue(text, stop + 1);
    insert(root, word, value);
    at = next;
  }
  return { tree: finish(root, "") as KeyvalTree, helpWanted };
}

/** Makes a tree of pairs that are already cut, as `-drive` has them: `file.filename=a`. @throws {OptionError} */
export function keyvalTree(pairs: readonly OptionPair[]): KeyvalTree {
  const root: Draft = new Map();
  for (const { name, value } of pairs) insert(root, name, value);
  return finish(root, "") as KeyvalTree;
}

function takeValue(text: string, from: number): { value: string; next: number } {
  let end = from;
  while (end < text.length && (text[end] !== "," || text[end + 1] === ",")) end += text[end] === "," ? 2 : 1;
  return { value: text.slice(from, end).replaceAll(",,", ","), next: end + 1 };
}

const NAME = /^(?:__[A-Za-z0-9.-]+_)?[A-Za-z][A-Za-z0-9_-]*/;
const MAX_FRAGMENT_LENGTH = 127;

/** Cuts a key into fragments: names, and after the first also numbers. */
function splitKey(key: string): string[] {
  const fragments: string[] = [];
  for (let at = 0;;) {
    const rest = key.slice(at);
    const index = /^\d+(?=\.|$)/.exec(rest);
    const fragment = index !== null && fragments.length > 0 ? index[0] : NAME.exec(rest)?.[0];
    const end = at + (fragment?.length ?? 0);
    if (fragment === undefined || (end < key.length && key[end] !== ".")) {
      throw new OptionError(`Invalid parameter '${key}'`);
    }
    if (fragment.length > MAX_FRAGMENT_LENGTH) {
      const whole = fragments.length === 0 && end === key.length;
      throw new OptionError(`Parameter${whole ? "" : " fragment"} '${fragment}' is too long`);
    }
    fragments.push(index !== null && fragments.length > 0 ? String(BigInt(fragment)) : fragment);
    if (end === key.length) return fragments;
    at = end + 1;
  }
}

function insert(root: Draft, key: string, value: string): void {
  const fragments = splitKey(key);
  let here = root;
  for (let i = 0; i < fragments.length - 1; i++) {
    let below = here.get(fragments[i]!);
    if (below === undefined) here.set(fragments[i]!, below = new Map());
    if (typeof below === "string") throw inconsistent(fragments.slice(0, i + 1));
    here = below;
  }
  const last = fragments.at(-1)!;
  if (here.get(last) instanceof Map) throw inconsistent(fragments);
  here.set(last, value);
}

function inconsistent(fragments: readonly string[]): OptionError {
  return new OptionError(`Parameters '${fragments.join(".")}.*' used inconsistently`);
}

/** Turns drafts into objects and lists, from the leaves up. */
function finish(draft: Draft, path: string): KeyvalValue {
  const isIndex = (name: string) => /^\d/.test(name);
  const names = [...draft.keys()];
  const indices = names.filter(isIndex);
  if (indices.length > 0 && indices.length < names.length) throw inconsistent([path.slice(0, -1)]);
  const value = (name: string): KeyvalValue => {
    const below = draft.get(name)!;
    return typeof below === "string" ? below : finish(below, `${path}${name}.`);
  };
  if (indices.length === 0) return Object.fromEntries(names.map((name) => [name, value(name)]));
  const values = new Map(names.map((name) => [name, value(name)]));
  return names.map((_, index) => {
    const item = values.get(String(index));
    if (item === undefined) throw new OptionError(`Parameter '${path}${index}' missing`);
    return item;
  });
}
