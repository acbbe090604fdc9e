/**
 * Whether a saved state has the form of the one that a device would save now.
 *
 * A state comes out of an image, so it may be anything. Names and types are compared; lengths of lists and values are
 * not, those a device checks itself where they matter. A number is finite.
 *
 * @module
 */

/**
 * Parts of a state that are there at times only, by their names, with an example of each. Where that is a list, it is
 * the items that come and go; they may be `null` where the example has such a one, too.
 */
export type OccasionalParts = Readonly<Record<string, unknown>>;

/** What differs, as a path and a reason; `undefined` where the forms agree. */
export function describeDifference(
  known: unknown,
  saved: unknown,
  occasional: OccasionalParts = {},
  path = "state",
  name = "",
): string | undefined {
  const example = Object.hasOwn(occasional, name) ? occasional[name] : undefined;
  if (saved === undefined || saved === null) {
    const mayBeAbsent = !isHolder(known) || (example !== undefined && !Array.isArray(example));
    return mayBeAbsent ? undefined : `${path} is missing`;
  }
  if (typeof saved === "number" && !Number.isFinite(saved)) return `${path} is ${saved}`;
  const expected = known ?? example;
  // What is unset now, a switch or a number, may be set.
  if (expected === undefined || expected === null) return isHolder(saved) ? `${path} is unknown` : undefined;
  if (kindOf(expected) !== kindOf(saved)) return `${path} is ${kindOf(saved)}, not ${kindOf(expected)}`;
  if (Array.isArray(expected)) {
    const items = Array.isArray(example) ? example : expected;
    const pattern: unknown = expected[0] ?? items[0];
    for (const [index, item] of (saved as unknown[]).entries()) {
      if (item === null && items.includes(null)) continue;
      const difference = describeDifference(pattern, item, occasional, `${path}[${index}]`);
      if (difference !== undefined) return difference;
    }
    return undefined;
  }
  if (ArrayBuffer.isView(expected)) {
    const found = (saved as ArrayBufferView).byteLength;
    return expected.byteLength === found ? undefined : `${path} has ${found} bytes, not ${expected.byteLength}`;
  }
  if (typeof expected !== "object") return undefined;
  for (const [member, value] of Object.entries(expected)) {
    if (value === undefined && !Object.hasOwn(saved, member)) continue;
    const inside = `${path}.${member}`;
    if (!Object.hasOwn(saved, member)) return `${inside} is missing`;
    const item = (saved as Record<string, unknown>)[member];
    const difference = describeDifference(value, item, occasional, inside, member);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function isHolder(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (ArrayBuffer.isView(value)) return value.constructor.name;
  return typeof value;
}
