/**
 * Compressed clusters, packed into the file without regard for cluster borders: raw deflate with a window of 4 KiB
 * (compression_type 0), or zstd frames (1).
 *
 * What is read may be damaged or made to do harm: it gives exactly one cluster or EIO, and takes no more memory than a
 * cluster and the method's window.
 *
 * Source: [QCOW2] "Compressed Clusters Descriptor", "Additional fields" (compression_type), [RFC 1951], [RFC 8878].
 *
 * @module
 */
import type { ZstdOptions } from "node:zlib";
import { zlib } from "../../../base/zlib.ts";
import { type BlockError, ioError } from "../../errors.ts";
import { zstdFrameBytes } from "./zstd_frame.ts";

/** Names of the methods; the index is the header's compression_type. */
export const COMPRESSIONS = ["zlib", "zstd"] as const;
/** How an image's compressed clusters are packed. */
export type Compression = typeof COMPRESSIONS[number];

const WINDOW_BITS = 12;
const MEMORY_LEVEL = 9;
/** Room that an output buffer has to spare, so that its end is seen without a second buffer. */
const SPARE_BYTES = 64;

/**
 * One cluster of `length` bytes out of `bytes`; what follows its end there is ignored.
 *
 * @throws {BlockError} EIO where `bytes` are damaged or hold more or less
 */
export function unpack(method: Compression, bytes: Uint8Array, length: number): Uint8Array {
  let out: Uint8Array;
  try {
    out = method === "zlib" ? inflate(bytes, length) : unpackZstd(bytes, length);
  } catch (cause) {
    throw damaged(cause);
  }
  if (out.length !== length) throw damaged();
  return out;
}

function inflate(bytes: Uint8Array, length: number): Uint8Array {
  const { constants, inflateRawSync } = zlib();
  // The last sectors may hold the beginning of another cluster, and the file may end early: so the flush mode.
  return inflateRawSync(bytes, {
    windowBits: WINDOW_BITS,
    chunkSize: length + SPARE_BYTES,
    maxOutputLength: length + 1,
    finishFlush: constants.Z_SYNC_FLUSH,
  });
}

/** Mostly one frame; several follow each other until the cluster is full. */
function unpackZstd(bytes: Uint8Array, length: number): Uint8Array {
  let cluster: Uint8Array | undefined;
  let filled = 0;
  for (let at = 0; filled < length;) {
    // zlib would take what follows the frame for another one, and would not notice that one ends too early.
    const frameBytes = zstdFrameBytes(bytes, at);
    const left = length - filled;
    const part = zlib().zstdDecompressSync(bytes.subarray(at, at + frameBytes), {
      chunkSize: left + SPARE_BYTES,
      maxOutputLength: left,
    });
    if (part.length === length) return part;
    cluster ??= new Uint8Array(length);
    cluster.set(part, filled);
    filled += part.length;
    at += frameBytes;
  }
  return cluster ?? new Uint8Array(0);
}

function damaged(cause?: unknown): BlockError {
  const error = ioError("read", "EIO");
  if (cause !== undefined) error.cause = cause;
  return error;
}

/** `bytes` packed, or `undefined` where that takes as much room as they do. */
export function pack(method: Compression, bytes: Uint8Array): Promise<Uint8Array | undefined> {
  const { deflateRaw, zstdCompress } = zlib();
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, out: Uint8Array) => {
      if (error !== null) reject(ioError("write", "EIO"));
      else resolve(out.length < bytes.length ? out : undefined);
    };
    if (method === "zlib") deflateRaw(bytes, { windowBits: WINDOW_BITS, memLevel: MEMORY_LEVEL }, done);
    else zstdCompress(bytes, zstdOptions(bytes), done);
  });
}

/** As {@link pack}, at once, in memory of its own. */
export function packNow(method: Compression, bytes: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const chunkSize = bytes.length + SPARE_BYTES;
  const out = method === "zlib"
    ? zlib().deflateRawSync(bytes, { windowBits: WINDOW_BITS, memLevel: MEMORY_LEVEL, chunkSize })
    : zlib().zstdCompressSync(bytes, zstdOptions(bytes));
  const own = out.length < bytes.length ? new Uint8Array(out) : undefined;
  // The output buffer that was asked for, and not a part of Node's pool.
  if (out.buffer.byteLength === chunkSize) freeNow(out);
  return own;
}

/**
 * Gives back the memory that `bytes` lie in and that nobody else uses. That of every cluster would else wait for a
 * collection, which comes late: little of it is on JavaScript's heap.
 */
export function freeNow({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** The frame tells the length of its content, as QEMU's do; that it is known beforehand also chooses the tables. */
function zstdOptions(bytes: Uint8Array): ZstdOptions {
  const options: ZstdOptions & { pledgedSrcSize: number } = {
    chunkSize: bytes.length + SPARE_BYTES,
    pledgedSrcSize: bytes.length,
  };
  return options;
}
