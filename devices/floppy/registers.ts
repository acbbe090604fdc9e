/**
 * Registers and status bits of the floppy controller.
 *
 * Source: [82078] 2.1 "Registers", 6.0 "Status Registers".
 *
 * @module
 */

/** Offsets from the base port. */
export const Register = { StatusA: 0, StatusB: 1, Dor: 2, Tape: 3, Status: 4, Data: 5, Direction: 7 } as const;

/** Digital output register: bits 0 and 1 select a drive, 4 to 7 turn motors on. */
export const Dor = { NotReset: 0x04, Dma: 0x08, MotorA: 0x10, MotorB: 0x20 } as const;
/** Data rate select register, a write to the status register's port. */
export const Dsr = { RateMask: 0x03, PowerDown: 0x40, Reset: 0x80 } as const;
/** Main status register. */
export const Msr = { Ready: 0x80, ToHost: 0x40, NoDma: 0x20, Busy: 0x10 } as const;
/** Digital input register. */
export const Dir = { Changed: 0x80 } as const;

export const St0 = { Abnormal: 0x40, Invalid: 0x80, Polling: 0xc0, SeekEnd: 0x20, Head: 0x04 } as const;
export const St1 = {
  EndOfCylinder: 0x80,
  DataError: 0x20,
  NoData: 0x04,
  WriteProtected: 0x02,
  NoAddressMark: 0x01,
} as const;
export const St2 = { DataError: 0x20, ScanHit: 0x08, ScanNotSatisfied: 0x04 } as const;
export const St3 = { WriteProtected: 0x40, Ready: 0x20, Track0: 0x10, TwoSided: 0x08, Head: 0x04 } as const;

/** What CONFIGURE sets at power-on: implied seeks, the FIFO off, drives polled. */
export const CONFIGURATION_AT_RESET = 0x60;
export const VERSION_82078 = 0x90;
export const PART_ID = 0x41;
export const SECTOR_BYTES = 512;
export const SECTOR_CODE_512 = 2;
