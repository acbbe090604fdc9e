/**
 * The machine's state, kept like guest data but at offsets beyond the disk, from the first L1 entry that the disk does
 * not use.
 *
 * Source: [QCOW2] "Snapshots" (size of the VM state).
 *
 * @module
 */
import type { IoVector } from "../../../base/io_vector.ts";
import type { VmStateStore } from "../../driver.ts";
import { ioError } from "../../errors.ts";
import type { Qcow2Image } from "./image.ts";
import { readGuest } from "./read.ts";
import type { Writer } from "./write.ts";

/** The VM state area of `image`. */
export function vmStateOf(image: Qcow2Image, writer: Writer): VmStateStore {
  const place = (at: number, length: number): number => {
    const offset = image.vmStateOffset + at;
    if (offset + length > Number.MAX_SAFE_INTEGER) throw ioError("write", "EFBIG");
    return offset;
  };
  return {
    async read(at: number, into: IoVector): Promise<void> {
      await readGuest(image, place(at, into.length), into);
    },
    async write(at: number, from: IoVector): Promise<void> {
      if (image.readOnly) throw ioError("write", "EPERM");
      await writer.write(place(at, from.length), from);
    },
  };
}
