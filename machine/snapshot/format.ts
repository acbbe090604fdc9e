/**
 * The form of a machine's state in the VM state area of an image: a header, then sections, each with a checksum.
 *
 * ```
 *   header    "moa\n" version
 *   machine   board, RAM size, virtual time         (JSON)
 *   device    type, path, state                     (JSON), one for each
 *   cpu       accelerator's name and its bytes
 *   ram       of 1 MiB of RAM the pages that are not all zero, by ascending address; none where all are
 *   end
 * ```
 *
 * A section begins with 32 bytes: kind, CRC-32 of the payload, length, address (RAM only), then a CRC-32 of these.
 * That of RAM goes on with a map, one bit for each page of 4 KiB, lowest first, then come the pages whose bits are set.
 * Numbers are little-endian.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import { MiB } from "../../base/units.ts";
import { struct, u32, u64 } from "../../base/struct.ts";

export const FORMAT_VERSION = 2;

/** `"moa\n"` as the first four bytes. */
export const MAGIC = 0x0a616f6d;
/** What QEMU's own state begins with: `"QEVM"`. */
export const QEMU_MAGIC = 0x4d564551;

/** How much of RAM a section is about. */
export const REGION_BYTES: number = MiB;
/** Whoever looks at more RAM than this lets others have a turn in between. */
export const TURN_BYTES: number = 64 * MiB;
/** What a RAM section is made of. */
export const PAGE_BYTES = 4096;
/** One bit for each page of a region. */
export const PAGE_MAP_BYTES: number = REGION_BYTES / PAGE_BYTES / 8;

/** No section is longer: what claims to be is damaged. */
export const MAX_PAYLOAD_BYTES: number = 64 * MiB;

/** The kinds of section. */
export const Kind = { machine: 1, device: 2, cpu: 3, ram: 4, end: 5 } as const;

export const Header = struct("little", 16, { magic: u32, version: u32, reserved: u64 });

export const SectionHeader = struct("little", 32, {
  kind: u32,
  payloadCrc: u32,
  lengthBytes: u64,
  address: u64,
  reserved: u32,
  headerCrc: u32,
});

/** No section of RAM is longer. */
export const MAX_RAM_SECTION_BYTES: number = SectionHeader.sizeBytes + PAGE_MAP_BYTES + REGION_BYTES;

/** Writes the head of a section with `payload` to the beginning of `into`. */
export function putSectionHead(into: Uint8Array, kind: number, address: number, payload: Uint8Array): void {
  SectionHeader.encode({
    kind,
    payloadCrc: crc32(payload),
    lengthBytes: payload.length,
    address,
    reserved: 0,
    headerCrc: 0,
  }, into);
  const headerCrc = crc32(into.subarray(0, SectionHeader.offsetOf.headerCrc));
  new DataView(into.buffer, into.byteOffset).setUint32(SectionHeader.offsetOf.headerCrc, headerCrc, true);
}

/** What is wrong with the head of a section, or with its payload. */
export function sectionProblem(head: Uint8Array, payload?: Uint8Array): string | undefined {
  const { payloadCrc, lengthBytes, headerCrc } = SectionHeader.decode(head);
  if (crc32(head.subarray(0, SectionHeader.offsetOf.headerCrc)) !== headerCrc) return "a section's head is damaged";
  if (lengthBytes > MAX_PAYLOAD_BYTES) return "a section is too long";
  if (payload !== undefined && crc32(payload) !== payloadCrc) return "a section is damaged";
  return undefined;
}
