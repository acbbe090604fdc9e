/**
 * The form of a machine's state in the VM state area of an image: a header, then sections, each with a checksum.
 *
 * ```
 *   header    "moa\n" version
 *   machine   board, RAM size, virtual time         (JSON)
 *   device    type, path, state                     (JSON), one for each
 *   cpu       accelerator's name and its bytes
 *   ram       a run of pages that are not all zero, up to 1 MiB, by ascending address; as many as there are
 *   end
 * ```
 *
 * What is not among the RAM sections is zero. A section begins with 32 bytes: kind, CRC-32 of the payload, length,
 * address (RAM only), then a CRC-32 of these. Numbers are little-endian.
 *
 * @module
 */
import { crc32 } from "node:zlib";
import { MiB } from "../../base/units.ts";
import { struct, u32, u64 } from "../../base/struct.ts";

export const FORMAT_VERSION = 1;

/** `"moa\n"` as the first four bytes. */
export const MAGIC = 0x0a616f6d;
/** What QEMU's own state begins with: `"QEVM"`. */
export const QEMU_MAGIC = 0x4d564551;

export const RAM_CHUNK_BYTES: number = MiB;
/** What a RAM section is made of. */
export const PAGE_BYTES = 4096;

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

/** A section as it is read. */
export interface Section {
  readonly kind: number;
  readonly address: number;
  readonly payload: Uint8Array;
}

/** The head of a section with `payload`. */
export function sectionHead(kind: number, address: number, payload: Uint8Array): Uint8Array {
  const head = SectionHeader.toBytes({
    kind,
    payloadCrc: crc32(payload),
    lengthBytes: payload.length,
    address,
    reserved: 0,
    headerCrc: 0,
  });
  new DataView(head.buffer).setUint32(28, crc32(head.subarray(0, 28)), true);
  return head;
}

/** What is wrong with the head of a section, or with its payload. */
export function sectionProblem(head: Uint8Array, payload?: Uint8Array): string | undefined {
  const { payloadCrc, lengthBytes, headerCrc } = SectionHeader.decode(head);
  if (crc32(head.subarray(0, 28)) !== headerCrc) return "a section's head is damaged";
  if (lengthBytes > MAX_PAYLOAD_BYTES) return "a section is too long";
  if (payload !== undefined && crc32(payload) !== payloadCrc) return "a section is damaged";
  return undefined;
}
