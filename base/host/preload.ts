/**
 * Opens the C library with all its functions when this module is loaded, and nothing else.
 *
 * For tests: Deno's sanitizer takes a library that is opened inside a test, and kept, for a leak. Either
 * `deno test --preload=base/host/preload.ts`, or an import in the test's file.
 *
 * @module
 */
import { bindAll } from "./libc.ts";

bindAll();
