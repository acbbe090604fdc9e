/**
 * Protocol `file`: an image in a regular file of this host.
 *
 * What it models and leaves out is said in `file/driver.ts`.
 *
 * @module
 */
import type { DriverDefinition } from "../driver.ts";
import type { BlockdevOptionsFile } from "../options/blockdev.ts";
import { createFile, FILE_CREATE_OPTIONS } from "./file/create.ts";
import { openFileDriver } from "./file/make.ts";

/** The definition that `drivers.ts` lists. */
export const file: DriverDefinition<BlockdevOptionsFile> = {
  name: "file",
  kind: "protocol",
  open: (options, context) => openFileDriver("file", options, context),
  createOptions: FILE_CREATE_OPTIONS,
  create: (options, context) => createFile(context.filename, options),
  remove: (filename) => Deno.remove(filename).catch(() => {}),
};
