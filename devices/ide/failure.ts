/**
 * What a guest is told of a failed block request: one map to the ATA error register, one to SCSI sense.
 *
 * QEMU's disk aborts a command whatever the cause, and its CD drive distinguishes only a missing medium; drivers have
 * learnt to live with that, so it is kept. The cause itself goes to werror/rerror and to whoever watches requests.
 *
 * Source: [ATA-8 ACS] 6.6 "Error register", [SPC-4] table 53 "ASC and ASCQ assignments".
 *
 * @module
 */
import { type BlockFailure, errnoOf } from "../../block/mod.ts";
import type { Errno } from "../../base/errno.ts";
import { ErrorBit } from "./registers.ts";

/** Sense keys. */
export const SenseKey = { NONE: 0x00, NOT_READY: 0x02, ILLEGAL_REQUEST: 0x05, UNIT_ATTENTION: 0x06 } as const;

/** Additional sense codes. */
export const Asc = {
  NONE: 0x00,
  ILLEGAL_OPCODE: 0x20,
  LOGICAL_BLOCK_OUT_OF_RANGE: 0x21,
  INVALID_FIELD_IN_PACKET: 0x24,
  MEDIUM_MAY_HAVE_CHANGED: 0x28,
  INCOMPATIBLE_FORMAT: 0x30,
  SAVING_PARAMETERS_NOT_SUPPORTED: 0x39,
  MEDIUM_NOT_PRESENT: 0x3a,
  MEDIA_REMOVAL_PREVENTED: 0x53,
} as const;

/** A sense key with its additional code. */
export interface Sense {
  readonly key: number;
  readonly asc: number;
}

/** The bits of the error register for a disk's failed request. */
export function ataErrorOf(failure: BlockFailure | undefined): number {
  switch (failure?.kind) {
    case "io":
    case "open":
    case "locked":
    case "format":
    case "corrupt":
    case "option":
    case "unsupported":
    case "permission":
    case "state":
    case undefined:
      return ErrorBit.ABRT;
  }
}

/** The sense of a CD's failed request. */
export function senseOf(error: unknown): Sense {
  const errno: Errno = errnoOf(error);
  return errno === "ENOMEDIUM"
    ? { key: SenseKey.NOT_READY, asc: Asc.MEDIUM_NOT_PRESENT }
    : { key: SenseKey.ILLEGAL_REQUEST, asc: Asc.LOGICAL_BLOCK_OUT_OF_RANGE };
}
