/**
 * The header of a LUKS version 1 volume: 592 bytes that name the cipher, say how to recognise the volume's key, and hold
 * eight slots, each with the way to that key by one passphrase.
 *
 * The key material of the slots lies between the header and the payload. Version 2 is not read.
 *
 * Source: [LUKS1] "PHDR layout", "key slot layout".
 *
 * @module
 */
import { alignUp, divideCeil } from "../../base/bits.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import { type CipherSpec, headerNames, parseHeaderNames, volumeKeyBytes } from "./algorithms.ts";
import { headerError } from "./failures.ts";

export const HEADER_BYTES = 592;
export const SLOT_COUNT = 8;
export const STRIPES = 4000;
export const DIGEST_BYTES = 20;
export const SALT_BYTES = 32;

const MAGIC = [0x4c, 0x55, 0x4b, 0x53, 0xba, 0xbe];
const SLOT_AT = 208;
const SLOT_BYTES = 48;
const SLOT_ENABLED = 0x00ac71f3;
const SLOT_DISABLED = 0x0000dead;
/** Where the material of the first slot begins, and what that of each is rounded up to. */
const MATERIAL_ALIGN_SECTORS = 8;

/** One way to the volume's key. */
export interface KeySlot {
  active: boolean;
  iterations: number;
  salt: Uint8Array;
  /** In sectors, from the volume's beginning. */
  readonly materialSector: number;
  stripes: number;
}

/** A volume's header. */
export interface LuksHeader {
  readonly spec: CipherSpec;
  /** The three names as they were read, for `info` and for writing them back. */
  readonly cipherName: string;
  readonly cipherMode: string;
  readonly hashSpec: string;
  readonly payloadSector: number;
  readonly keyBytes: number;
  /** Derived from the volume's key: recognises it. */
  readonly digest: Uint8Array;
  readonly digestSalt: Uint8Array;
  readonly digestIterations: number;
  readonly uuid: string;
  readonly slots: readonly KeySlot[];
}

/** Whether `head` begins as a LUKS volume of version 1. */
export function looksLikeLuks(head: Uint8Array): boolean {
  return head.length >= 8 && MAGIC.every((byte, index) => head[index] === byte) && head[6] === 0 && head[7] === 1;
}

/** Sectors that the material of a slot takes. */
function materialSectors(keyBytes: number, stripes = STRIPES): number {
  return alignUp(divideCeil(keyBytes * stripes, SECTOR_BYTES), MATERIAL_ALIGN_SECTORS);
}

/** Bytes from the volume's beginning to its payload. */
export function payloadOffsetFor(spec: CipherSpec): number {
  const keyBytes = volumeKeyBytes(spec.cipher, spec.mode);
  return (MATERIAL_ALIGN_SECTORS + SLOT_COUNT * materialSectors(keyBytes)) * SECTOR_BYTES;
}

/** A header with empty slots, laid out as QEMU lays it out. */
export function newHeader(
  spec: CipherSpec,
  key: { readonly digest: Uint8Array; readonly digestSalt: Uint8Array; readonly digestIterations: number },
  uuid: string,
): LuksHeader {
  const keyBytes = volumeKeyBytes(spec.cipher, spec.mode);
  const slots = Array.from({ length: SLOT_COUNT }, (_, index): KeySlot => ({
    active: false,
    iterations: 0,
    salt: new Uint8Array(SALT_BYTES),
    materialSector: MATERIAL_ALIGN_SECTORS + index * materialSectors(keyBytes),
    stripes: STRIPES,
  }));
  return {
    spec,
    ...headerNames(spec),
    payloadSector: payloadOffsetFor(spec) / SECTOR_BYTES,
    keyBytes,
    ...key,
    uuid,
    slots,
  };
}

/**
 * Reads a header; shorter input reads as if zeroes followed.
 * @throws {BlockError} in QEMU's words where it is none, or contradicts itself
 */
export function parseLuksHeader(input: Uint8Array): LuksHeader {
  const bytes = new Uint8Array(HEADER_BYTES);
  bytes.set(input.subarray(0, HEADER_BYTES));
  const view = new DataView(bytes.buffer);
  if (!MAGIC.every((byte, index) => bytes[index] === byte)) throw headerError("Volume is not in LUKS format");
  const version = view.getUint16(6);
  if (version !== 1) throw headerError(`LUKS version ${version} is not supported`, "ENOTSUP");
  const cipherName = nameAt(bytes, 8, "cipher name");
  const cipherMode = nameAt(bytes, 40, "cipher mode");
  const hashSpec = nameAt(bytes, 72, "hash spec");
  const payloadSector = view.getUint32(104);
  const keyBytes = view.getUint32(108);
  const digestIterations = view.getUint32(164);
  if (payloadSector < MATERIAL_ALIGN_SECTORS) throw headerError("LUKS payload is overlapping with the header");
  if (digestIterations === 0) throw headerError("LUKS key iteration count is zero");
  const slots = Array.from({ length: SLOT_COUNT }, (_, index) => parseSlot(bytes, view, index));
  checkMaterial(slots, keyBytes, payloadSector);
  return {
    spec: parseHeaderNames({ cipherName, cipherMode, hashSpec }, keyBytes),
    cipherName,
    cipherMode,
    hashSpec,
    payloadSector,
    keyBytes,
    digest: bytes.slice(112, 132),
    digestSalt: bytes.slice(132, 164),
    digestIterations,
    uuid: text(bytes.subarray(168, 208)),
    slots,
  };
}

function nameAt(bytes: Uint8Array, at: number, what: string): string {
  const field = bytes.subarray(at, at + 32);
  if (!field.includes(0)) throw headerError(`LUKS header ${what} is not NUL terminated`);
  return text(field);
}

function text(field: Uint8Array): string {
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

function parseSlot(bytes: Uint8Array, view: DataView, index: number): KeySlot {
  const at = SLOT_AT + index * SLOT_BYTES;
  const state = view.getUint32(at);
  const iterations = view.getUint32(at + 4);
  const stripes = view.getUint32(at + 44);
  if (stripes !== STRIPES) throw headerError(`Keyslot ${index} is corrupted (stripes ${stripes | 0} != ${STRIPES})`);
  if (state !== SLOT_ENABLED && state !== SLOT_DISABLED) {
    throw headerError(`Keyslot ${index} state (active/disable) is corrupted`);
  }
  const active = state === SLOT_ENABLED;
  if (active && iterations === 0) throw headerError(`Keyslot ${index} iteration count is zero`);
  return { active, iterations, salt: bytes.slice(at + 8, at + 40), materialSector: view.getUint32(at + 40), stripes };
}

/** The material of each slot lies behind the header, before the payload, and apart from that of the others. */
function checkMaterial(slots: readonly KeySlot[], keyBytes: number, payloadSector: number): void {
  const sectors = materialSectors(keyBytes);
  slots.forEach((slot, index) => {
    const start = slot.materialSector;
    if (start < MATERIAL_ALIGN_SECTORS) throw headerError(`Keyslot ${index} is overlapping with the LUKS header`);
    if (start + sectors > payloadSector) {
      throw headerError(`Keyslot ${index} is overlapping with the encrypted payload`);
    }
    const other = slots.findIndex((one, place) =>
      place > index && one.materialSector < start + sectors && start < one.materialSector + sectors
    );
    if (other >= 0) throw headerError(`Keyslots ${index} and ${other} are overlapping in the header`);
  });
}

/** The header's bytes. */
export function encodeLuksHeader(header: LuksHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  const utf8 = new TextEncoder();
  bytes.set(MAGIC);
  view.setUint16(6, 1);
  bytes.set(utf8.encode(header.cipherName), 8);
  bytes.set(utf8.encode(header.cipherMode), 40);
  bytes.set(utf8.encode(header.hashSpec), 72);
  view.setUint32(104, header.payloadSector);
  view.setUint32(108, header.keyBytes);
  bytes.set(header.digest, 112);
  bytes.set(header.digestSalt, 132);
  view.setUint32(164, header.digestIterations);
  bytes.set(utf8.encode(header.uuid).subarray(0, 40), 168);
  header.slots.forEach((slot, index) => {
    const at = SLOT_AT + index * SLOT_BYTES;
    view.setUint32(at, slot.active ? SLOT_ENABLED : SLOT_DISABLED);
    view.setUint32(at + 4, slot.iterations);
    bytes.set(slot.salt, at + 8);
    view.setUint32(at + 40, slot.materialSector);
    view.setUint32(at + 44, slot.stripes);
  });
  return bytes;
}
