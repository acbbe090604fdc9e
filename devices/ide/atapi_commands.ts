/**
 * The packet commands that a CD drive takes: code, name, what is checked before, and what each does.
 *
 * Source: [MMC-5] 6 "Commands for multi-media drives"; [SPC-4] 6 for those that all SCSI devices have.
 *
 * @module
 */
import type { CdDrive } from "./cd.ts";
import { Asc, SenseKey } from "./failure.ts";
import {
  CD_MAX_BLOCKS,
  dvdStructure,
  getConfiguration,
  inquiry,
  mechanismStatus,
  mediaEventReply,
  modeSense,
  noEventReply,
  readCapacity,
  readDiscInformation,
  readToc,
  requestSense,
  vitalProductData,
} from "./mmc_replies.ts";

/** One packet command. */
export interface PacketCommand {
  readonly name: string;
  /** It runs, and tells, while the drive wants to report that the medium has changed. */
  readonly allowsUnitAttention?: boolean;
  /** It needs a medium behind a closed tray. */
  readonly needsMedium?: boolean;
  /** It moves no data, so that the byte count limit does not matter. */
  readonly noData?: boolean;
  run(cd: CdDrive, packet: DataView): void;
}

const USER_DATA_BYTES = 2048;
const RAW_BYTES = 2352;
const DVD = 0;

function invalidField(cd: CdDrive): void {
  cd.checkCondition({ key: SenseKey.ILLEGAL_REQUEST, asc: Asc.INVALID_FIELD_IN_PACKET });
}

/** A reply of at most what the packet allows, or a refusal where there is none. */
function answer(cd: CdDrive, reply: number[] | undefined, allocationBytes: number): void {
  if (reply === undefined) return invalidField(cd);
  cd.reply(Uint8Array.from(reply), allocationBytes);
}

function read(name: string, count: (packet: DataView) => number): PacketCommand {
  return {
    name,
    needsMedium: true,
    run: (cd, packet) => cd.readBlocks(packet.getUint32(2), count(packet), USER_DATA_BYTES),
  };
}

export const PACKET_COMMANDS: ReadonlyMap<number, PacketCommand> = new Map<number, PacketCommand>([
  [0x00, { name: "TEST UNIT READY", needsMedium: true, noData: true, run: (cd) => cd.succeedPacket() }],
  [0x03, {
    name: "REQUEST SENSE",
    allowsUnitAttention: true,
    run(cd, packet) {
      const { key, asc } = cd.sense;
      if (key === SenseKey.UNIT_ATTENTION) cd.sense = { key: SenseKey.NONE, asc };
      answer(cd, requestSense(key, asc), packet.getUint8(4));
    },
  }],
  [0x12, {
    name: "INQUIRY",
    allowsUnitAttention: true,
    run(cd, packet) {
      const vital = (packet.getUint8(1) & 1) !== 0;
      answer(cd, vital ? vitalProductData(packet.getUint8(2), cd.names) : inquiry(cd.names), packet.getUint8(4));
    },
  }],
  [0x1b, { name: "START STOP UNIT", noData: true, run: startStop }],
  [0x1e, {
    name: "PREVENT ALLOW MEDIUM REMOVAL",
    noData: true,
    run(cd, packet) {
      cd.locked = (packet.getUint8(4) & 1) !== 0;
      cd.succeedPacket();
    },
  }],
  [0x25, { name: "READ CAPACITY", needsMedium: true, run: (cd) => answer(cd, readCapacity(cd.blocks), 8) }],
  [0x28, read("READ(10)", (packet) => packet.getUint16(7))],
  [0x2b, {
    name: "SEEK(10)",
    needsMedium: true,
    noData: true,
    run: (cd, packet) => packet.getUint32(2) >= cd.blocks ? cd.outOfRange() : cd.succeedPacket(),
  }],
  [0x43, { name: "READ TOC/PMA/ATIP", needsMedium: true, run: toc }],
  [0x46, {
    name: "GET CONFIGURATION",
    allowsUnitAttention: true,
    run(cd, packet) {
      if (packet.getUint16(2) !== 0) return invalidField(cd);
      const disc = !cd.mediumReady ? "none" : cd.blocks > CD_MAX_BLOCKS ? "dvd" : "cd";
      answer(cd, getConfiguration(disc), packet.getUint16(7));
    },
  }],
  [0x4a, { name: "GET EVENT STATUS NOTIFICATION", allowsUnitAttention: true, run: eventStatus }],
  [0x51, {
    name: "READ DISC INFORMATION",
    needsMedium: true,
    run: (cd, packet) =>
      answer(cd, (packet.getUint8(1) & 7) === 0 ? readDiscInformation() : undefined, packet.getUint16(7)),
  }],
  [0x5a, { name: "MODE SENSE(10)", run: modeSenseCommand }],
  [0xa8, read("READ(12)", (packet) => packet.getUint32(6))],
  [0xad, { name: "READ DISC STRUCTURE", needsMedium: true, run: structure }],
  [0xbb, { name: "SET CD SPEED", noData: true, run: (cd) => cd.succeedPacket() }],
  [0xbd, {
    name: "MECHANISM STATUS",
    run: (cd, packet) => answer(cd, mechanismStatus(), packet.getUint16(8)),
  }],
  [0xbe, { name: "READ CD", needsMedium: true, run: readCd }],
]);

/** Which parts of a sector are wanted: [MMC-5] 6.20.2.4 "Main channel selection". */
function readCd(cd: CdDrive, packet: DataView): void {
  const lba = packet.getUint32(2);
  const count = packet.getUint8(6) << 16 | packet.getUint16(7);
  const parts = packet.getUint8(9) & 0xf8;
  if (count === 0 || parts === 0) return cd.succeedPacket();
  if (parts === 0x10) return cd.readBlocks(lba, count, USER_DATA_BYTES);
  if (parts === 0xf8) return cd.readBlocks(lba, count, RAW_BYTES);
  invalidField(cd);
}

function startStop(cd: CdDrive, packet: DataView): void {
  const flags = packet.getUint8(4);
  const powerCondition = (flags & 0xf0) !== 0;
  if (powerCondition || (flags & 2) === 0) return cd.succeedPacket();
  const load = (flags & 1) !== 0;
  if (!load && !cd.trayOpen && cd.locked) {
    const key = cd.backend?.isInserted ? SenseKey.NOT_READY : SenseKey.ILLEGAL_REQUEST;
    return cd.checkCondition({ key, asc: Asc.MEDIA_REMOVAL_PREVENTED });
  }
  cd.moveTray(!load);
  cd.succeedPacket();
}

/** The format is in the top bits of the last byte, as SFF-8020i has it; later places for it are not looked at. */
function toc(cd: CdDrive, packet: DataView): void {
  const format = packet.getUint8(9) >> 6;
  const inMsf = (packet.getUint8(1) & 2) !== 0;
  const reply = format === 3 ? undefined : readToc(format as 0 | 1 | 2, cd.blocks, inMsf, packet.getUint8(6));
  answer(cd, reply, packet.getUint16(7));
}

function eventStatus(cd: CdDrive, packet: DataView): void {
  const polled = (packet.getUint8(1) & 1) !== 0;
  if (!polled) return invalidField(cd);
  const wantsMedia = (packet.getUint8(4) & 0x10) !== 0;
  const present = cd.backend?.isInserted ?? false;
  const reply = wantsMedia ? mediaEventReply(cd.takeEvent(), cd.trayOpen, cd.mediumReady && present) : noEventReply();
  answer(cd, reply, packet.getUint16(7));
}

function modeSenseCommand(cd: CdDrive, packet: DataView): void {
  const control = packet.getUint8(2) >> 6;
  if (control === 3) {
    return cd.checkCondition({ key: SenseKey.ILLEGAL_REQUEST, asc: Asc.SAVING_PARAMETERS_NOT_SUPPORTED });
  }
  const reply = control === 0 ? modeSense(packet.getUint8(2) & 0x3f, cd.locked) : undefined;
  answer(cd, reply, packet.getUint16(7));
}

function structure(cd: CdDrive, packet: DataView): void {
  const format = packet.getUint8(7);
  if (format < 0xff && cd.blocks <= CD_MAX_BLOCKS) {
    return cd.checkCondition({ key: SenseKey.ILLEGAL_REQUEST, asc: Asc.INCOMPATIBLE_FORMAT });
  }
  const reply = packet.getUint8(1) === DVD ? dvdStructure(format, cd.blocks) : undefined;
  answer(cd, reply, packet.getUint16(8));
}
