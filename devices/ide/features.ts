/**
 * SET FEATURES: the subcommands that disks and CD drives take alike.
 *
 * Source: [ATA-8 ACS] 7.47 "SET FEATURES"; [ATA/ATAPI-5] 8.37 for older ones.
 *
 * @module
 */
import type { DriveBackend } from "./backend.ts";
import { setTransferMode, setWriteCache } from "./identify.ts";
import type { TaskFile } from "./registers.ts";

/** What the command needs of a drive. */
export interface FeatureTarget {
  readonly file: TaskFile;
  readonly backend: DriveBackend | undefined;
  /** The answer to IDENTIFY, if it has been asked for. */
  readonly knownIdentity: Uint8Array | undefined;
  finish(): void;
  refuse(): void;
  flushCache(): void;
}

const Feature = { WRITE_CACHE_ON: 0x02, TRANSFER_MODE: 0x03, WRITE_CACHE_OFF: 0x82 } as const;

/** Features that change nothing here, and are taken: power management, look-ahead, reverting, acoustics. */
const IDLE: ReadonlySet<number> = new Set(
  [0x05, 0x42, 0x55, 0x66, 0x67, 0x69, 0x85, 0x96, 0x9a, 0xaa, 0xc2, 0xcc],
);

/** Carries out the subcommand in the features register. */
export function setFeatures(drive: FeatureTarget): void {
  const { backend, file, knownIdentity } = drive;
  if (backend === undefined) return drive.refuse();
  switch (file.features) {
    case Feature.WRITE_CACHE_ON:
      backend.writeCacheEnabled = true;
      setWriteCache(knownIdentity, true);
      return drive.finish();
    case Feature.WRITE_CACHE_OFF:
      backend.writeCacheEnabled = false;
      setWriteCache(knownIdentity, false);
      return drive.flushCache();
    case Feature.TRANSFER_MODE:
      return setTransferMode(knownIdentity, file.count) ? drive.finish() : drive.refuse();
    default:
      return IDLE.has(file.features) ? drive.finish() : drive.refuse();
  }
}
