/**
 * The replies of a CD drive, built from what is in it: pure functions, big-endian as SCSI has it.
 *
 * Source: [MMC-5] 6.5 GET CONFIGURATION, 6.6 GET EVENT STATUS NOTIFICATION, 6.22 READ DISC INFORMATION, 6.23 READ DISC
 * STRUCTURE, 6.26 READ TOC/PMA/ATIP, 7 mode pages; [SPC-4] 6.6 INQUIRY, 7.8 vital product data; [SFF-8020i] for the
 * TOC format in the last byte of the packet.
 *
 * @module
 */

/** What names a drive. */
export interface CdNames {
  readonly serial: string;
  readonly firmware: string;
  readonly model: string;
  readonly wwn: bigint;
}

const DEVICE_TYPE = 0x05; // CD/DVD.
const REMOVABLE = 0x80;
/** The first frame of a disc's data, after two seconds of lead-in. */
const LEAD_IN_FRAMES = 150;
const FRAMES_PER_SECOND = 75;
/** 80 minutes: what is larger is taken for a DVD. */
export const CD_MAX_BLOCKS = 80 * 60 * FRAMES_PER_SECOND;

function be32(value: number): number[] {
  return [value >>> 24, value >>> 16 & 0xff, value >>> 8 & 0xff, value & 0xff];
}

function be16(value: number): number[] {
  return [value >>> 8 & 0xff, value & 0xff];
}

/** `text` in exactly `length` bytes, filled up with blanks. */
function padded(text: string, length: number): number[] {
  return Array.from({ length }, (_, i) => (text.charCodeAt(i) || 0x20) & 0xff);
}

/** Minute, second and frame of a block. */
export function msf(block: number): [number, number, number] {
  const frames = block + LEAD_IN_FRAMES;
  return [
    Math.floor(frames / FRAMES_PER_SECOND / 60) & 0xff,
    Math.floor(frames / FRAMES_PER_SECOND) % 60,
    frames % FRAMES_PER_SECOND,
  ];
}

/** A block's address in four bytes, in either form. */
function address(block: number, inMsf: boolean): number[] {
  return inMsf ? [0, ...msf(block)] : be32(block);
}

export function inquiry({ firmware }: CdNames): number[] {
  return [
    DEVICE_TYPE,
    REMOVABLE,
    0x00,
    0x21, // ATAPI-2 response format.
    31, // Bytes to follow.
    0,
    0,
    0,
    ...padded("QEMU", 8),
    ...padded("QEMU DVD-ROM", 16),
    ...padded(firmware, 4),
  ];
}

/** A page of vital product data; `undefined` for one that is not there. */
export function vitalProductData(page: number, names: CdNames): number[] | undefined {
  if (page === 0x00) return [DEVICE_TYPE, 0x00, 0, 2, 0x00, 0x83];
  if (page !== 0x83) return undefined;
  const ascii = (kind: number, bytes: number[]) => [0x02, kind, 0, bytes.length, ...bytes];
  const body = [
    ...ascii(0x00, padded(names.serial, 20)), // Vendor specific.
    ...ascii(0x01, [...padded("ATA", 8), ...padded(names.model, 40), ...padded(names.serial, 20)]), // T10 vendor.
  ];
  if (names.wwn !== 0n) {
    body.push(0x01, 0x03, 0, 8, ...be32(Number(names.wwn >> 32n)), ...be32(Number(names.wwn & 0xffffffffn)));
  }
  return [DEVICE_TYPE, 0x83, ...be16(body.length), ...body];
}

export function requestSense(key: number, asc: number): number[] {
  const reply = new Array<number>(18).fill(0);
  reply[0] = 0xf0; // Valid, current.
  reply[2] = key;
  reply[7] = 10;
  reply[12] = asc;
  return reply;
}

export function readCapacity(blocks: number): number[] {
  return [...be32(blocks - 1), ...be32(2048)];
}

/** A table of contents with one data track; `undefined` for a track that is not there. */
export function readToc(format: 0 | 1 | 2, blocks: number, inMsf: boolean, firstTrack: number): number[] | undefined {
  if (format === 1) return [...be16(10), 1, 1, 0, 0, 0, 0, 0, 0, 0, 0];
  if (format === 2) return rawToc(blocks, inMsf);
  if (firstTrack > 1 && firstTrack !== 0xaa) return undefined;
  const tracks = firstTrack <= 1 ? [0, 0x14, 1, 0, ...address(0, inMsf)] : [];
  const body = [1, 1, ...tracks, 0, 0x16, 0xaa, 0, ...address(blocks, inMsf)];
  return [...be16(body.length), ...body];
}

function rawToc(blocks: number, inMsf: boolean): number[] {
  const entry = (point: number, ...rest: number[]) => [1, 0x14, 0, point, 0, 0, 0, ...rest];
  const body = [
    1,
    1,
    ...entry(0xa0, 0, 1, 0, 0), // First track.
    ...entry(0xa1, 0, 1, 0, 0), // Last track.
    ...entry(0xa2, ...address(blocks, inMsf)), // Lead-out.
    ...entry(0x01, ...address(0, inMsf)),
  ];
  return [...be16(body.length), ...body];
}

/** What kind of disc is in. */
export type DiscKind = "none" | "cd" | "dvd";

export function getConfiguration(disc: DiscKind): number[] {
  const profile = disc === "cd" ? 0x0008 : disc === "dvd" ? 0x0010 : 0;
  const body = [
    0,
    0,
    ...be16(profile),
    ...[0, 0, 0x03, 8], // Feature 0: profile list; current and persistent.
    ...[0x00, 0x10, disc === "dvd" ? 1 : 0, 0],
    ...[0x00, 0x08, disc === "cd" ? 1 : 0, 0],
  ];
  return [...be32(body.length), ...body];
}

export const MediaEvent = { NONE: 0, EJECT_REQUEST: 1, NEW_MEDIA: 2 } as const;

export function mediaEventReply(event: number, trayOpen: boolean, present: boolean): number[] {
  return [...be16(4), 0x04, 0x10, event, (trayOpen ? 1 : 0) | (present ? 2 : 0), 0, 0];
}

/** The header alone: no event of the classes that were asked for. */
export function noEventReply(): number[] {
  return [...be16(0), 0x80, 0x10];
}

export function readDiscInformation(): number[] {
  const reply = new Array<number>(34).fill(0);
  reply.splice(0, 8, ...be16(32), 0x0e, 1, 1, 1, 1, 0x20); // Complete disc, one session, one track.
  return reply;
}

/** A mode page with its header; `undefined` for one that is not there. */
export function modeSense(page: number, locked: boolean): number[] | undefined {
  const body = modePage(page, locked);
  return body === undefined ? undefined : [...be16(body.length + 6), 0x70, 0, 0, 0, 0, 0, ...body];
}

function modePage(page: number, locked: boolean): number[] | undefined {
  switch (page) {
    case 0x01: // Read error recovery.
      return [0x01, 6, 0x00, 5, 0, 0, 0, 0];
    case 0x0e: // CD audio control.
      return [0x0e, 0x0e, ...new Array<number>(14).fill(0)];
    case 0x2a: // Capabilities and mechanical status.
      return [
        ...[0x2a, 0x14, 0x3b, 0x00, 0x71, 0x60],
        0x29 | (locked ? 0x02 : 0),
        0x00,
        ...be16(704), // KB/s at most.
        ...be16(2),
        ...be16(512), // KB of buffer.
        ...be16(704), // KB/s now.
        ...[0, 0, 0, 0, 0, 0],
      ];
    default:
      return undefined;
  }
}

/** A structure of a DVD; `undefined` for one that is not there. */
export function dvdStructure(format: number, blocks: number): number[] | undefined {
  switch (format) {
    case 0x00: { // Physical format.
      const reply = new Array<number>(2052).fill(0);
      const last = be32(blocks - 1);
      reply.splice(0, 20, ...be16(2050), 0, 0, 1, 0x0f, 1, 0, 0, 0, 0, 0, ...last, ...last);
      return reply;
    }
    case 0x01: // Copyright: none.
      return [...be16(6), 0, 0, 0, 0, 0, 0];
    case 0x04: { // Manufacturing information.
      const reply = new Array<number>(2052).fill(0);
      reply.splice(0, 2, ...be16(2050));
      return reply;
    }
    case 0xff: { // The list of these.
      const entry = (structure: number, length: number) => [structure, 0x40, ...be16(length)];
      const body = [...entry(0x00, 2052), ...entry(0x01, 8), ...entry(0x03, 192), ...entry(0x04, 2052)];
      return [...be16(body.length + 2), 0, 0, ...body];
    }
    default:
      return undefined;
  }
}

export function mechanismStatus(): number[] {
  return [0, 0, 0, 0, 0, 1, 0, 0];
}

/** The 16 bytes before a raw sector's data: synchronisation, address, mode 1. */
export function sectorHeader(block: number): number[] {
  return [0x00, ...new Array<number>(10).fill(0xff), 0x00, ...msf(block), 0x01];
}
