/**
 * Places for the overlays of `snapshot=on`.
 *
 * @module
 */
import type { TemporaryFiles } from "../../block/mod.ts";

/** Empty files in the host's folder for temporary ones. */
export function temporaryFiles(): TemporaryFiles {
  return {
    create: () => Deno.makeTempFile({ prefix: "moa-", suffix: ".qcow2" }),
    remove: (filename) => Deno.remove(filename),
  };
}
