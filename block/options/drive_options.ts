/**
 * What `-drive` takes for the drive itself, by name and type; other names go to the node's driver.
 *
 * @module
 */
import type { QemuOptTable, QemuOptType } from "../../base/keyval.ts";
import { LIMIT_NAMES } from "../throttling/limits.ts";

const LIMITS = Object.fromEntries(LIMIT_NAMES.map((name) => [`throttling.${name}`, "number"])) as {
  readonly [Name in typeof LIMIT_NAMES[number] as `throttling.${Name}`]: "number";
};

export const DRIVE_OPTIONS = {
  "node-name": "string",
  "driver": "string",
  "cache.direct": "bool",
  "cache.no-flush": "bool",
  "auto-read-only": "bool",
  "discard": "string",
  "force-share": "bool",
  "snapshot": "bool",
  "aio": "string",
  "cache.writeback": "bool",
  "format": "string",
  ...LIMITS,
  "throttling.group": "string",
  "detect-zeroes": "string",
  "stats-account-invalid": "bool",
  "stats-account-failed": "bool",
  "bus": "number",
  "unit": "number",
  "index": "number",
  "media": "string",
  "if": "string",
  "file": "string",
  "read-only": "bool",
  "rerror": "string",
  "werror": "string",
  "copy-on-read": "bool",
} as const satisfies QemuOptTable;

/** Names of options of one type. */
export type DriveOption<Type extends QemuOptType> = {
  [Name in keyof typeof DRIVE_OPTIONS]: typeof DRIVE_OPTIONS[Name] extends Type ? Name : never;
}[keyof typeof DRIVE_OPTIONS];
