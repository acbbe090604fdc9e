/**
 * `node:zlib`, loaded when it is first used: loading it takes as long as starting Deno itself, and most command lines
 * (`info`, `create`, `snapshot -l`) never inflate anything.
 *
 * @module
 */

/** The module; from the second call on it costs nothing to speak of. */
export function zlib(): typeof import("node:zlib") {
  // An import of node:process is as slow as the module that is put off here.
  // deno-lint-ignore no-process-global
  return process.getBuiltinModule("node:zlib");
}
