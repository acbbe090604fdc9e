/**
 * The controller's commands: codes, names, how many bytes each takes.
 *
 * Source: [82078] 5.0 "Command Set/Descriptions", table 5-1.
 *
 * @module
 */

/** What a command moves, for those that move data. */
export type TransferKind = "read" | "write" | "verify" | "scan" | "format";

export type FloppyAction =
  | TransferKind
  | "specify"
  | "sense-drive"
  | "recalibrate"
  | "sense-interrupt"
  | "read-id"
  | "dump"
  | "seek"
  | "version"
  | "perpendicular"
  | "configure"
  | "lock"
  | "part-id"
  | "drive-specification"
  | "save"
  | "restore"
  | "power-down"
  | "option"
  | "relative-seek";

export interface FloppyCommand {
  readonly name: string;
  /** It is this command where the code's bits under `mask` are `code`. */
  readonly code: number;
  readonly mask: number;
  /** Bytes of the command, its code included. */
  readonly bytes: number;
  readonly action: FloppyAction;
}

function row(name: string, code: number, mask: number, bytes: number, action: FloppyAction): FloppyCommand {
  return { name, code, mask, bytes, action };
}

/** Modifier bits: MT 80, MFM 40, SK 20. */
const COMMANDS: readonly FloppyCommand[] = [
  row("READ TRACK", 0x02, 0x9f, 9, "read"),
  row("SPECIFY", 0x03, 0xff, 3, "specify"),
  row("SENSE DRIVE STATUS", 0x04, 0xff, 2, "sense-drive"),
  row("WRITE DATA", 0x05, 0x3f, 9, "write"),
  row("READ DATA", 0x06, 0x1f, 9, "read"),
  row("RECALIBRATE", 0x07, 0xff, 2, "recalibrate"),
  row("SENSE INTERRUPT STATUS", 0x08, 0xff, 1, "sense-interrupt"),
  row("WRITE DELETED DATA", 0x09, 0x3f, 9, "write"),
  row("READ ID", 0x0a, 0xbf, 2, "read-id"),
  row("READ DELETED DATA", 0x0c, 0x1f, 9, "read"),
  row("FORMAT TRACK", 0x0d, 0xbf, 6, "format"),
  row("DUMPREG", 0x0e, 0xff, 1, "dump"),
  row("SEEK", 0x0f, 0xff, 3, "seek"),
  row("VERSION", 0x10, 0xff, 1, "version"),
  row("SCAN EQUAL", 0x11, 0x1f, 9, "scan"),
  row("PERPENDICULAR MODE", 0x12, 0xff, 2, "perpendicular"),
  row("CONFIGURE", 0x13, 0xff, 4, "configure"),
  row("LOCK", 0x14, 0x7f, 1, "lock"),
  row("VERIFY", 0x16, 0x1f, 9, "verify"),
  row("POWERDOWN MODE", 0x17, 0xff, 2, "power-down"),
  row("PART ID", 0x18, 0xff, 1, "part-id"),
  row("SCAN LOW OR EQUAL", 0x19, 0x1f, 9, "scan"),
  row("SCAN HIGH OR EQUAL", 0x1d, 0x1f, 9, "scan"),
  row("SAVE", 0x2e, 0xff, 1, "save"),
  row("OPTION", 0x33, 0xff, 2, "option"),
  row("RESTORE", 0x4e, 0xff, 17, "restore"),
  row("DRIVE SPECIFICATION", 0x8e, 0xff, 6, "drive-specification"),
  row("RELATIVE SEEK", 0x8f, 0xbf, 3, "relative-seek"),
];

const BY_CODE: readonly (FloppyCommand | undefined)[] = Array.from(
  { length: 256 },
  (_, code) => COMMANDS.find((command) => (code & command.mask) === command.code),
);

/** The command that `code` stands for. */
export function commandOf(code: number): FloppyCommand | undefined {
  return BY_CODE[code];
}
