/**
 * The C library's decoder of .xz, where the system has it, on one of Deno's threads.
 *
 * Nothing needs it: {@link decodeXz} answers `undefined` where there is no liblzma or no `--allow-ffi`.
 *
 * Left out: compressing, .lzma, several streams behind one another.
 *
 * Source: lzma/container.h, `lzma_stream_buffer_decode`; tukaani.org "The .xz File Format".
 *
 * @module
 */
import { hostLibrary } from "./libc.ts";

const LIBRARY = "liblzma.so.5";

const SYMBOLS = {
  lzma_stream_buffer_decode: {
    parameters: [
      "buffer",
      "u32",
      "pointer",
      "buffer",
      "buffer",
      "usize",
      "buffer",
      "buffer",
      "usize",
    ],
    result: "i32",
    nonblocking: true,
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** Dictionaries may be large; a file that asks for more memory than this is not decoded. */
const MEMORY_LIMIT_BYTES = 256n << 20n;
const LZMA_OK = 0;

/**
 * Decodes one stream that becomes exactly `sizeBytes`; `bytes` are left alone until it is done.
 *
 * @returns `undefined` where the system has no decoder, the stream is damaged, or its size is another
 */
export async function decodeXz(
  bytes: Uint8Array<ArrayBuffer>,
  sizeBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (hostLibrary() === undefined) return undefined;
  let library;
  try {
    library = Deno.dlopen(LIBRARY, SYMBOLS);
  } catch {
    return undefined;
  }
  try {
    // The thread knows addresses only: all of this lives until it has answered.
    const into = new Uint8Array(sizeBytes);
    const limit = BigUint64Array.of(MEMORY_LIMIT_BYTES);
    const [read, written] = [new BigUint64Array(1), new BigUint64Array(1)];
    const { lzma_stream_buffer_decode: decode } = library.symbols;
    const sizes = [BigInt(bytes.length), BigInt(sizeBytes)] as const;
    const status = await decode(limit, 0, null, bytes, read, sizes[0], into, written, sizes[1]);
    const isWhole = status === LZMA_OK && read[0] === sizes[0] && written[0] === sizes[1];
    return isWhole ? into : undefined;
  } finally {
    library.close();
  }
}
