/**
 * How long a zstd frame is: its header and its blocks, which name their lengths. Nothing is decompressed.
 *
 * A compressed cluster's descriptor counts sectors, so that other bytes follow the frame, which a decoder must not see.
 *
 * Source: [RFC 8878] 3.1.1 "Zstandard Frames", 3.1.2 "Skippable Frames".
 *
 * @module
 */

const MAGIC = 0xfd2f_b528;
const SKIPPABLE_MAGIC = 0x184d_2a50;
const BLOCK_HEADER_BYTES = 3;
const CHECKSUM_BYTES = 4;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];

const BLOCK = { rle: 1, reserved: 3 } as const;

/**
 * The length of the frame that begins at `at` in `bytes`.
 *
 * @throws {RangeError} where there is no whole frame
 */
export function zstdFrameBytes(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(at, true);
  if ((magic & 0xffff_fff0) === SKIPPABLE_MAGIC) return whole(bytes, at, 8 + view.getUint32(at + 4, true));
  if (magic !== MAGIC) throw new RangeError("no zstd frame");
  const descriptor = view.getUint8(at + 4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const contentSize = descriptor >> 6;
  let end = at + 5 + (singleSegment ? 0 : 1) + DICTIONARY_ID_BYTES[descriptor & 3]! +
    (contentSize === 0 && singleSegment ? 1 : CONTENT_SIZE_BYTES[contentSize]!);
  for (let last = false; !last;) {
    const header = view.getUint16(end, true) | view.getUint8(end + 2) << 16;
    last = (header & 1) !== 0;
    const type = (header >> 1) & 3;
    if (type === BLOCK.reserved) throw new RangeError("reserved zstd block");
    end += BLOCK_HEADER_BYTES + (type === BLOCK.rle ? 1 : header >> 3);
  }
  if ((descriptor & 4) !== 0) end += CHECKSUM_BYTES;
  return whole(bytes, at, end - at);
}

/**
 * How many bytes the frame at `at` says that it holds; -1 where it does not tell, or is none with data.
 *
 * @throws {RangeError} where the header is cut off
 */
export function zstdContentBytes(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(at, true) !== MAGIC) return -1;
  const descriptor = view.getUint8(at + 4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const field = at + 5 + (singleSegment ? 0 : 1) + DICTIONARY_ID_BYTES[descriptor & 3]!;
  switch (descriptor >> 6) {
    case 0:
      return singleSegment ? view.getUint8(field) : -1;
    case 1:
      return view.getUint16(field, true) + 256;
    case 2:
      return view.getUint32(field, true);
    default:
      return view.getUint32(field, true) + view.getUint32(field + 4, true) * 0x1_0000_0000;
  }
}

function whole(bytes: Uint8Array, at: number, length: number): number {
  if (at + length > bytes.length) throw new RangeError("zstd frame ends too late");
  return length;
}
