/**
 * Compressed clusters: raw deflate with a window of 4 KiB, packed into the file without regard for cluster borders.
 *
 * zstd (compression_type 1) is refused when an image is opened.
 *
 * Source: [QCOW2] "Compressed Clusters Descriptor", [RFC 1951].
 *
 * @module
 */
import { zlib } from "../../../base/zlib.ts";
import { ioError } from "../../errors.ts";

const WINDOW_BITS = 12;
const MEMORY_LEVEL = 9;

/** `bytes` inflated to exactly `length` bytes; what follows the end of the deflated data is ignored. */
export function inflate(bytes: Uint8Array, length: number): Uint8Array {
  let out: Uint8Array;
  try {
    const { constants, inflateRawSync } = zlib();
    // The last sectors may hold the beginning of another cluster, and the file may end early: so the flush mode.
    out = inflateRawSync(bytes, {
      windowBits: WINDOW_BITS,
      chunkSize: Math.max(length, 64) + 64,
      maxOutputLength: length + 1,
      finishFlush: constants.Z_SYNC_FLUSH,
    });
  } catch (cause) {
    const error = ioError("read", "EIO");
    error.cause = cause;
    throw error;
  }
  if (out.length !== length) throw ioError("read", "EIO");
  return out;
}

/** `bytes` deflated, or `undefined` where that takes as much room as they do. */
export function deflate(bytes: Uint8Array): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    zlib().deflateRaw(bytes, { windowBits: WINDOW_BITS, memLevel: MEMORY_LEVEL }, (error, out) => {
      if (error !== null) reject(ioError("write", "EIO"));
      else resolve(out.length < bytes.length ? out : undefined);
    });
  });
}

/** As {@link deflate}, at once. */
export function deflateNow(bytes: Uint8Array): Uint8Array | undefined {
  const out = zlib().deflateRawSync(bytes, {
    windowBits: WINDOW_BITS,
    memLevel: MEMORY_LEVEL,
    chunkSize: bytes.length + 64,
  });
  return out.length < bytes.length ? out : undefined;
}
