/**
 * The only place that knows which drivers there are: a table from QEMU's name to the module that holds it, loaded when
 * it is first opened.
 *
 * @module
 */
import type { DriverDefinition } from "./driver.ts";

/** Finds drivers by name. */
export interface DriverTable {
  readonly names: readonly string[];
  /** Names of those that are probed, in this order. */
  readonly formats: readonly string[];
  load(name: string): Promise<DriverDefinition> | undefined;
}

const LOADERS: Readonly<Record<string, () => Promise<DriverDefinition>>> = {
  file: async () => (await import("./protocols/file.ts")).file as DriverDefinition,
  host_device: async () => (await import("./protocols/host_device.ts")).hostDevice as DriverDefinition,
  host_cdrom: async () => (await import("./protocols/host_cdrom.ts")).hostCdrom as DriverDefinition,
  raw: async () => (await import("./formats/raw/raw.ts")).raw as DriverDefinition,
  luks: async () => (await import("./formats/luks/mod.ts")).luks as DriverDefinition,
  qcow2: async () => (await import("./formats/qcow2/mod.ts")).qcow2 as DriverDefinition,
  blkdebug: async () => (await import("./filters/blkdebug.ts")).blkdebug as DriverDefinition,
  blkverify: async () => (await import("./filters/blkverify.ts")).blkverify as DriverDefinition,
  blklogwrites: async () => (await import("./filters/blklogwrites.ts")).blklogwrites as DriverDefinition,
  throttle: async () => (await import("./filters/throttle.ts")).throttle as DriverDefinition,
  "copy-on-read": async () => (await import("./filters/copy_on_read.ts")).copyOnReadFilter as DriverDefinition,
  compress: async () => (await import("./filters/compress.ts")).compress as DriverDefinition,
  preallocate: async () => (await import("./filters/preallocate.ts")).preallocate as DriverDefinition,
  quorum: async () => (await import("./filters/quorum.ts")).quorum as DriverDefinition,
  "copy-before-write": async () => (await import("./filters/copy_before_write.ts")).copyBeforeWrite as DriverDefinition,
  "snapshot-access": async () => (await import("./filters/snapshot_access.ts")).snapshotAccess as DriverDefinition,
  "null-co": async () => (await import("./protocols/null/null.ts")).nullCo as DriverDefinition,
  "null-aio": async () => (await import("./protocols/null/null.ts")).nullAio as DriverDefinition,
  memory: async () => (await import("./protocols/memory/memory.ts")).memory as DriverDefinition,
};

const FORMATS = ["raw", "qcow2", "luks"];

/** The drivers that come with moa. */
export const builtinDrivers: DriverTable = {
  names: Object.keys(LOADERS),
  formats: FORMATS,
  load: (name) => Object.hasOwn(LOADERS, name) ? LOADERS[name]!() : undefined,
};

/** What `-drive format=help` prints: all drivers, twice, since every one of them may be written. */
export function formatsHelp(drivers: DriverTable): string {
  const names = [...drivers.names].sort().join(" ");
  return `Supported formats: ${names}\nSupported formats (read-only): ${names}\n`;
}
