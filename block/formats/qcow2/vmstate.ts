/**
 * The machine's state, kept like guest data but at offsets beyond the disk, from the first L1 entry that the disk does
 * not use.
 *
 * Source: [QCOW2] "Snapshots" (size of the VM state).
 *
 * @module
 */
import { alignDown, alignUp } from "../../../base/bits.ts";
import { IoVector } from "../../../base/io_vector.ts";
import type { VmStateStore } from "../../driver.ts";
import { ioError } from "../../errors.ts";
import type { Qcow2Image } from "./image.ts";
import { readGuest, readGuestBytes } from "./read.ts";
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
      await readAligned(image, place(at, into.length), into);
    },
    async write(at: number, from: IoVector): Promise<void> {
      if (image.readOnly) throw ioError("write", "EPERM");
      await writeAligned(image, writer, place(at, from.length), from);
    },
  };
}

/** No node is above this area to widen a request to what is encrypted as one. */
async function readAligned(image: Qcow2Image, at: number, into: IoVector): Promise<void> {
  const { alignBytes } = image.data;
  if (alignBytes === 1) return await readGuest(image, at, into);
  const start = alignDown(at, alignBytes);
  const whole = await readGuestBytes(image, start, alignUp(at + into.length, alignBytes) - start);
  into.copyFrom(whole.subarray(at - start, at - start + into.length));
}

async function writeAligned(image: Qcow2Image, writer: Writer, at: number, from: IoVector): Promise<void> {
  const { alignBytes } = image.data;
  if (at % alignBytes === 0 && from.length % alignBytes === 0) return await writer.write(at, from);
  const start = alignDown(at, alignBytes);
  const whole = await readGuestBytes(image, start, alignUp(at + from.length, alignBytes) - start);
  from.copyTo(whole, at - start);
  await writer.write(start, IoVector.of(whole));
}
