/**
 * The registers of an IDE channel as a guest sees them: command block, control block, and their bits.
 *
 * The command block is one set of addresses for both drives; what is written goes to both, what is read comes from the
 * selected one. Each of features, count and the three LBA bytes has an older value behind it, the high-order byte of
 * 48-bit commands, which is read while HOB is set in the device control register.
 *
 * Source: [ATA-8 ACS] 6 "ATA Device register descriptions", [ATA/ATAPI-6] 9.2 to 9.8.
 *
 * @module
 */
import { registerTable } from "../../base/registers.ts";

/** Bits of the status register. */
export const Status = { BSY: 0x80, DRDY: 0x40, DF: 0x20, DSC: 0x10, DRQ: 0x08, ERR: 0x01 } as const;

/** Bits of the error register. */
export const ErrorBit = { ICRC: 0x80, UNC: 0x40, IDNF: 0x10, ABRT: 0x04 } as const;

/** Bits of the device/head register; 7 and 5 always read as ones. */
export const DeviceBit = { LBA: 0x40, UNIT: 0x10, ONES: 0xa0, HEAD: 0x0f } as const;

/** Bits of the device control register. */
export const ControlBit = { NIEN: 0x02, SRST: 0x04, HOB: 0x80 } as const;

/** Bits of the count register when it tells a packet command's phase. */
export const InterruptReason = { COMMAND: 0x01, TO_HOST: 0x02, MASK: 0x07 } as const;

/** Idle and well. */
export const READY = Status.DRDY | Status.DSC;

/** The command block. The name of a register is that of its read side; 1 and 7 have another on the write side. */
export const COMMAND_BLOCK = registerTable({
  data: { offset: 0, size: 1, access: "rw", section: "[ATA-8 ACS] 6.4" },
  error: { offset: 1, size: 1, access: "rw", section: "[ATA-8 ACS] 6.6, features on writes 6.7" },
  count: { offset: 2, size: 1, access: "rw", section: "[ATA-8 ACS] 6.3" },
  lbaLow: { offset: 3, size: 1, access: "rw", section: "[ATA-8 ACS] 6.8" },
  lbaMid: { offset: 4, size: 1, access: "rw", section: "[ATA-8 ACS] 6.8" },
  lbaHigh: { offset: 5, size: 1, access: "rw", section: "[ATA-8 ACS] 6.8" },
  device: { offset: 6, size: 1, access: "rw", section: "[ATA-8 ACS] 6.5" },
  status: { offset: 7, size: 1, access: "rw", section: "[ATA-8 ACS] 6.9, command on writes" },
});

/** How traces name the registers, on reads and on writes. */
export const REGISTER_NAMES = {
  read: ["Data", "Error", "Sector Count", "Sector Number", "Cylinder Low", "Cylinder High", "Device/Head", "Status"],
  write: [
    "Data",
    "Features",
    "Sector Count",
    "Sector Number",
    "Cylinder Low",
    "Cylinder High",
    "Device/Head",
    "Command",
  ],
} as const;

/** One drive's task file. The `hob` fields hold what was written before the current value. */
export interface TaskFile {
  error: number;
  status: number;
  device: number;
  features: number;
  count: number;
  lbaLow: number;
  lbaMid: number;
  lbaHigh: number;
  hobFeatures: number;
  hobCount: number;
  hobLbaLow: number;
  hobLbaMid: number;
  hobLbaHigh: number;
}

/** A task file of zeroes, but for the bits of the device register that are always ones. */
export function emptyTaskFile(): TaskFile {
  return {
    error: 0,
    status: 0,
    device: DeviceBit.ONES,
    features: 0,
    count: 0,
    lbaLow: 0,
    lbaMid: 0,
    lbaHigh: 0,
    hobFeatures: 0,
    hobCount: 0,
    hobLbaLow: 0,
    hobLbaMid: 0,
    hobLbaHigh: 0,
  };
}

/** What the LBA bytes say of a drive after a reset: [ATA/ATAPI-6] 9.12 "Signature and persistence". */
export const SIGNATURES = { disk: [0x00, 0x00], packet: [0x14, 0xeb], absent: [0xff, 0xff] } as const;
