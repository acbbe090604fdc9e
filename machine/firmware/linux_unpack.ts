/**
 * A kernel that is unpacked on the host: what a compressed kernel does first takes a guest seconds, and the host a
 * third of one.
 *
 * The file's payload is an ELF file whose segments belong where the kernel was linked to. That is where the firmware's
 * loader puts them then, and the header's `code32_start` points at the kernel itself. What does not fit this picture in
 * every point is left to the kernel, which brings its own decoder along.
 *
 * Left out: what the kernel's decoder does beyond this: to move a kernel to an address of chance (as with `nokaslr`).
 *
 * Source: [LINUX] Documentation/arch/x86/boot.rst, `payload_offset`, `payload_length`, `pref_address`, `init_size`;
 * System V ABI, "Object Files".
 *
 * @module
 */
import { decodeXz } from "../../base/host/xz.ts";
import { ZstdDecoder } from "../../base/host/zstd.ts";
import { MiB } from "../../base/units.ts";

/** The kernel as it runs. */
export interface UnpackedKernel {
  /** Physical, as is {@link UnpackedKernel.entry}. */
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Where it is entered in protected mode, with what `code32_start` is entered with. */
  readonly entry: number;
  /** What it takes from `address` on until it knows where memory is. */
  readonly neededBytes: number;
}

type Bytes = Uint8Array<ArrayBuffer>;

/** Offsets in the header; all of it is there since protocol 2.10. */
const Header = {
  setupSectors: 0x1f1,
  version: 0x206,
  payloadOffset: 0x248,
  payloadLength: 0x24c,
  preferredAddress: 0x258,
  initSize: 0x260,
} as const;
const PROTOCOL = 0x20a;
const HEADER_BYTES = 0x264;
const SECTOR = 512;

const MAX_UNPACKED_BYTES = 256 * MiB;
/** A packed file ends with how large it is unpacked. */
const SIZE_BYTES = 4;

/** By the first bytes. */
const PACKERS: readonly { readonly magic: readonly number[]; readonly unpack: typeof unpackXz }[] = [
  { magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], unpack: unpackXz },
  { magic: [0x28, 0xb5, 0x2f, 0xfd], unpack: unpackZstd },
  { magic: [0x1f, 0x8b], unpack: unpackGzip },
];

const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46, /* 32 bits */ 1, /* little-endian */ 1];
const ELF_HEADER_BYTES = 52;
const ELF_SEGMENT_BYTES = 32;
const EXECUTABLE = 2;
const MACHINE_386 = 3;
const LOAD = 1;

/** Unpacks a kernel file (`bzImage`); `undefined` where it is left to the guest. */
export async function unpackKernel(image: Bytes): Promise<UnpackedKernel | undefined> {
  if (image.length < HEADER_BYTES) return undefined;
  const view = viewOf(image);
  if (view.getUint16(Header.version, true) < PROTOCOL) return undefined;
  const address = Number(view.getBigUint64(Header.preferredAddress, true));
  // Below lies what the loader needs itself.
  if (address < MiB) return undefined;
  const neededBytes = view.getUint32(Header.initSize, true);
  const setupBytes = ((view.getUint8(Header.setupSectors) || 4) + 1) * SECTOR;
  const start = setupBytes + view.getUint32(Header.payloadOffset, true);
  const payload = image.subarray(start, start + view.getUint32(Header.payloadLength, true));
  const unpacked = await unpack(payload);
  return unpacked === undefined ? undefined : placeSegments(unpacked, address, neededBytes);
}

async function unpack(payload: Bytes): Promise<Bytes | undefined> {
  const packer = PACKERS.find(({ magic }) => startsWith(payload, magic));
  if (packer === undefined || payload.length < 2 * SIZE_BYTES) return undefined;
  const sizeBytes = viewOf(payload).getUint32(payload.length - SIZE_BYTES, true);
  return sizeBytes > MAX_UNPACKED_BYTES ? undefined : await packer.unpack(payload, sizeBytes);
}

async function unpackXz(payload: Bytes, sizeBytes: number): Promise<Bytes | undefined> {
  return await decodeXz(payload.subarray(0, -SIZE_BYTES), sizeBytes);
}

async function unpackZstd(payload: Bytes, sizeBytes: number): Promise<Bytes | undefined> {
  using decoder = ZstdDecoder.open();
  const into = new Uint8Array(sizeBytes);
  return await decoder?.decode(payload.subarray(0, -SIZE_BYTES), into) === sizeBytes ? into : undefined;
}

/** Here the size is the format's own last field. */
async function unpackGzip(payload: Bytes, sizeBytes: number): Promise<Bytes | undefined> {
  const into = new Uint8Array(sizeBytes);
  let length = 0;
  try {
    for await (const piece of ReadableStream.from([payload]).pipeThrough(new DecompressionStream("gzip"))) {
      if (length + piece.length > sizeBytes) return undefined;
      into.set(piece, length);
      length += piece.length;
    }
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
  return length === sizeBytes ? into : undefined;
}

/** The segments of an ELF file side by side, if all belong between `address` and the end of what the kernel needs. */
function placeSegments(file: Bytes, address: number, neededBytes: number): UnpackedKernel | undefined {
  if (file.length < ELF_HEADER_BYTES || !startsWith(file, ELF_MAGIC)) return undefined;
  const view = viewOf(file);
  if (view.getUint16(16, true) !== EXECUTABLE || view.getUint16(18, true) !== MACHINE_386) return undefined;
  const [entry, table] = [view.getUint32(24, true), view.getUint32(28, true)];
  const count = view.getUint16(44, true);
  if (view.getUint16(42, true) !== ELF_SEGMENT_BYTES || table + count * ELF_SEGMENT_BYTES > file.length) {
    return undefined;
  }
  const segments = Array.from({ length: count }, (_, index) => table + index * ELF_SEGMENT_BYTES)
    .filter((at) => view.getUint32(at, true) === LOAD)
    .map((at) => ({
      offset: view.getUint32(at + 4, true),
      start: view.getUint32(at + 12, true) - address,
      fileBytes: view.getUint32(at + 16, true),
      memoryBytes: view.getUint32(at + 20, true),
    }));
  const fits = segments.every(({ offset, start, fileBytes, memoryBytes }) =>
    offset + fileBytes <= file.length && fileBytes <= memoryBytes && start >= 0 && start + memoryBytes <= neededBytes
  );
  const lengthBytes = Math.max(0, ...segments.map(({ start, fileBytes }) => start + fileBytes));
  if (!fits || entry < address || entry >= address + lengthBytes) return undefined;
  const bytes = new Uint8Array(lengthBytes);
  for (const { offset, start, fileBytes } of segments) bytes.set(file.subarray(offset, offset + fileBytes), start);
  return { address, bytes, entry, neededBytes };
}

function startsWith(bytes: Bytes, start: readonly number[]): boolean {
  return start.every((byte, index) => bytes[index] === byte);
}

function viewOf(bytes: Bytes): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
