/**
 * A LUKS header in a file: reads beyond the file's end give zeroes, as QEMU's do.
 *
 * @module
 */
import { IoVector } from "../../../base/io_vector.ts";
import type { HeaderFile } from "../../crypto/mod.ts";
import type { BlockNode } from "../../node.ts";

/** The header at the beginning of `node`. */
export function headerFile(node: BlockNode): HeaderFile {
  return {
    async read(at, lengthBytes) {
      const bytes = new Uint8Array(lengthBytes);
      const inside = Math.min(lengthBytes, node.size - at);
      if (inside > 0) await node.read(at, IoVector.of(bytes.subarray(0, inside)));
      return bytes;
    },
    write: (at, bytes) => node.write(at, IoVector.of(bytes)),
    flush: () => node.flush(),
  };
}
