/**
 * Names on FAT: the short one that each file has, and the long one beside it where the short one is not enough.
 *
 * Source: [FAT] "Long File Name Implementation", "Name Limits and Character Sets".
 *
 * @module
 */
import { refusal } from "./tree.ts";

/** Characters of a long name in one entry. */
const CHARACTERS_PER_ENTRY = 13;
const MAX_LONG_NAME = 255;
/** Where they lie in it. */
const PLACES = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
const ATTRIBUTE_LONG_NAME = 0x0f;
const LAST = 0x40;
/** A numeric tail ends here: `~999999`. */
const MAX_TAIL = 999_999;

/** The eleven bytes of the short name that `name` gets beside those in `taken`, and whether a long one is needed. */
export function shortName(
  name: string,
  taken: ReadonlySet<string>,
): { readonly short: string; readonly long: boolean } {
  if (name.length > MAX_LONG_NAME) throw refusal(name, `a name on FAT has at most ${MAX_LONG_NAME} characters`);
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f"*/:<>?\\|]/.test(name)) throw refusal(name, 'FAT takes none of "*/:<>?\\| in a name');
  const dot = name.lastIndexOf(".");
  const [stem, extension] = dot > 0 ? [name.slice(0, dot), name.slice(dot + 1)] : [name, ""];
  const plain = /^[A-Z0-9!#$%&'()@^_`{}~-]{1,8}$/;
  const [upperStem, upperExtension] = [stem.toUpperCase(), extension.toUpperCase()];
  const fits = plain.test(upperStem) && upperExtension.length <= 3 && !name.endsWith(".") &&
    (extension === "" || plain.test(upperExtension));
  const same = upperStem.padEnd(8) + upperExtension.padEnd(3);
  // Small letters need a long name beside it, but no number in it.
  if (fits && !taken.has(same)) return { short: same, long: stem !== upperStem || extension !== upperExtension };
  const clean = (text: string) => text.toUpperCase().replace(/[ .]/g, "").replace(/[^A-Z0-9!#$%&'()@^_`{}~-]/g, "_");
  const base = clean(stem) || "_";
  const ending = clean(extension).slice(0, 3).padEnd(3);
  for (let tail = 1; tail <= MAX_TAIL; tail++) {
    const mark = `~${tail}`;
    const short = (base.slice(0, 8 - mark.length) + mark).padEnd(8) + ending;
    if (!taken.has(short)) return { short, long: true };
  }
  throw refusal(name, "too many names of its kind in one folder");
}

/** The entries of a long name, in the order in which they lie before the short one's. */
export function longNameEntries(name: string, short: string): Uint8Array[] {
  const sum = checksum(short);
  const units = [...Array(name.length).keys()].map((i) => name.charCodeAt(i));
  const count = Math.ceil(units.length / CHARACTERS_PER_ENTRY);
  const entries: Uint8Array[] = [];
  for (let number = count; number >= 1; number--) {
    const entry = new Uint8Array(32);
    const view = new DataView(entry.buffer);
    entry[0] = number | (number === count ? LAST : 0);
    entry[11] = ATTRIBUTE_LONG_NAME;
    entry[13] = sum;
    for (const [i, place] of PLACES.entries()) {
      const at = (number - 1) * CHARACTERS_PER_ENTRY + i;
      // One zero ends the name; ones fill what is left.
      view.setUint16(place, units[at] ?? (at === units.length ? 0 : 0xffff), true);
    }
    entries.push(entry);
  }
  return entries;
}

/** Ties the long name to its short one. */
function checksum(short: string): number {
  let sum = 0;
  for (let i = 0; i < short.length; i++) sum = (((sum & 1) << 7) + (sum >> 1) + short.charCodeAt(i)) & 0xff;
  return sum;
}
