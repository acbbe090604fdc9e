/**
 * `node:crypto`, loaded when it is first used: most command lines encrypt nothing.
 *
 * @module
 */

/** The module; from the second call on it costs nothing to speak of. */
export function nodeCrypto(): typeof import("node:crypto") {
  // An import of node:process is as slow as the module that is put off here.
  // deno-lint-ignore no-process-global
  return process.getBuiltinModule("node:crypto");
}
