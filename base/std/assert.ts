/**
 * What the tests use of `@std/assert`, under its names and signatures, made of `node:assert` and `node:util`.
 *
 * Left out: every assertion that no test uses. Where JSR can be reached, the import map may point `@std/assert` at the
 * original instead; nothing else changes.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import { AssertionError as NodeAssertionError, deepStrictEqual } from "node:assert";

/** What a failed assertion throws. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

// deno-lint-ignore no-explicit-any -- std's own signature: any class at all
type AnyClass<E extends Error> = abstract new (...args: any[]) => E;

function raise(what: string, msg: string | undefined): never {
  throw new AssertionError(msg === undefined ? what : `${what}: ${msg}`);
}

function show(value: unknown): string {
  return Deno.inspect(value, { depth: 6, strAbbreviateSize: 2000, iterableLimit: 200 });
}

/** Throws unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Throws unless both are deeply equal; the message is a difference line by line. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (isDeepStrictEqual(plain(actual), plain(expected))) return;
  let difference = `${show(actual)} is not ${show(expected)}`;
  try {
    deepStrictEqual(plain(actual), plain(expected));
  } catch (error) {
    if (error instanceof NodeAssertionError) difference = error.message;
  }
  raise(`Values are not equal.\n${difference}`, msg);
}

/** Throws when both are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!isDeepStrictEqual(plain(actual), plain(expected))) return;
  raise(`Expected actual: ${show(actual)} not to be: ${show(expected)}.`, msg);
}

/** Throws unless both are the same by `Object.is`. */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  if (Object.is(actual, expected)) return;
  raise(`Values are not strictly equal.\n    ${show(actual)}\n    ${show(expected)}\n`, msg);
}

/** Throws unless both differ by less than `tolerance` (by default a ten millionth of `expected`). */
export function assertAlmostEquals(actual: number, expected: number, tolerance?: number, msg?: string): void {
  if (Object.is(actual, expected)) return;
  const allowed = tolerance ?? (Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  if (Math.abs(expected - actual) <= allowed) return;
  raise(`Expected actual: "${actual}" to be close to "${expected}": delta "${Math.abs(expected - actual)}"`, msg);
}

/** Throws unless `expected` matches `actual`. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) raise(`Expected actual: "${actual}" to match: "${expected}"`, msg);
}

/** Throws unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) raise(`Expected actual: "${actual}" to contain: "${expected}"`, msg);
}

/** Throws unless `actual` is an instance of `expectedType`. */
export function assertInstanceOf<E extends Error>(
  actual: unknown,
  expectedType: AnyClass<E>,
  msg?: string,
): asserts actual is E {
  if (!(actual instanceof expectedType)) {
    raise(`Expected object to be an instance of "${expectedType.name}" but was ${show(actual)}`, msg);
  }
}

/** Throws unless `fn` throws; hands back what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Throws unless `fn` throws an `ErrorClass` whose message contains `msgIncludes`; hands back the error. */
export function assertThrows<E extends Error>(
  fn: () => unknown,
  ErrorClass: AnyClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error>(
  fn: () => unknown,
  classOrMsg?: AnyClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  const wanted = typeof classOrMsg === "string" ? undefined : classOrMsg;
  const note = typeof classOrMsg === "string" ? classOrMsg : msg;
  try {
    fn();
  } catch (error) {
    return checkError(error, wanted, msgIncludes, note);
  }
  raise("Expected function to throw", note);
}

/** Rejects unless `fn` rejects; resolves to what it rejected with. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Rejects unless `fn` rejects with an `ErrorClass` whose message contains `msgIncludes`; resolves to the error. */
export function assertRejects<E extends Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: AnyClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error>(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: AnyClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const wanted = typeof classOrMsg === "string" ? undefined : classOrMsg;
  const note = typeof classOrMsg === "string" ? classOrMsg : msg;
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (error) {
    raise(`Function throws when expected to reject (${show(error)})`, note);
  }
  try {
    await promise;
  } catch (error) {
    return checkError(error, wanted, msgIncludes, note);
  }
  raise("Expected function to reject", note);
}

/** Fails at once. */
export function fail(msg?: string): never {
  throw new AssertionError(`Failed assertion${msg === undefined ? "." : `: ${msg}`}`);
}

function checkError<E extends Error>(
  error: unknown,
  wanted: AnyClass<E> | undefined,
  msgIncludes: string | undefined,
  note: string | undefined,
): unknown {
  if (wanted === undefined) return error;
  if (!(error instanceof wanted)) {
    raise(`Expected error to be instance of "${wanted.name}", but was ${show(error)}`, note);
  }
  if (msgIncludes !== undefined && !error.message.includes(msgIncludes)) {
    raise(`Expected error message to include ${show(msgIncludes)}, but got ${show(error.message)}`, note);
  }
  return error;
}

/** std compares bytes by content: a Buffer equals a Uint8Array of the same bytes. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array && value.constructor !== Uint8Array) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  return value;
}
