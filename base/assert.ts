/**
 * Assertions for a programmer's error: what a caller inside moa must never do.
 *
 * Input from an image, a guest, a network or a command line never ends here; it ends in an error class, a status or a
 * refusal.
 *
 * @module
 */

/** What a failed {@link assert} throws: a bug in moa itself. */
export class AssertionFailure extends Error {
  override readonly name = "AssertionFailure";
}

/** Throws an {@link AssertionFailure} that says `message` unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailure(message);
}

/** Marks the branch that the types say cannot be reached; `value` is what got there all the same. */
export function unreachable(value: never): never {
  throw new AssertionFailure(`unreachable: ${JSON.stringify(value)}`);
}
