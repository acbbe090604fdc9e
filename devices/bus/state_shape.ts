/**
 * Whether a saved state has the form of the one that a device would save now.
 *
 * A state comes out of an image, so it may be anything. Names and types are compared; lengths of arrays and values are
 * not, those a device checks itself where they matter.
 *
 * @module
 */

/** What differs, as a path and a reason; `undefined` where the forms agree. */
export function describeDifference(known: unknown, saved: unknown, path = "state"): string | undefined {
  if (known === undefined || known === null || saved === undefined || saved === null) {
    return undefined; // Optional parts may be there or not; both sides then check for themselves.
  }
  if (kindOf(known) !== kindOf(saved)) return `${path} is ${kindOf(saved)}, not ${kindOf(known)}`;
  if (Array.isArray(known)) {
    const pattern: unknown = known[0];
    if (pattern === undefined) return undefined;
    for (const [index, item] of (saved as unknown[]).entries()) {
      const difference = describeDifference(pattern, item, `${path}[${index}]`);
      if (difference !== undefined) return difference;
    }
    return undefined;
  }
  if (ArrayBuffer.isView(known)) {
    const expected = known.byteLength;
    const found = (saved as ArrayBufferView).byteLength;
    return expected === found ? undefined : `${path} has ${found} bytes, not ${expected}`;
  }
  if (typeof known !== "object") return undefined;
  for (const [name, value] of Object.entries(known)) {
    if (value === undefined) continue;
    if (!Object.hasOwn(saved as object, name)) return `${path}.${name} is missing`;
    const difference = describeDifference(value, (saved as Record<string, unknown>)[name], `${path}.${name}`);
    if (difference !== undefined) return difference;
  }
  return undefined;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (ArrayBuffer.isView(value)) return value.constructor.name;
  return typeof value;
}
