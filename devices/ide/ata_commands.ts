/**
 * The ATA commands that a disk takes: code, name, and what each does in terms of `Disk`.
 *
 * The set is that of QEMU's ide-hd: what is not here is aborted there too.
 *
 * Source: [ATA-8 ACS] 7 "Command descriptions", [ATA/ATAPI-5] 8 for those that later editions dropped.
 *
 * @module
 */
import type { Disk } from "./disk.ts";
import { setFeatures } from "./features.ts";
import { MAX_MULTIPLE } from "./identify.ts";
import { READY, Status } from "./registers.ts";
import { runSelfTest, SMART_KEY, SmartCommand, smartData, smartLog, smartThresholds, worksWhenOff } from "./smart.ts";

/** One command. */
export interface AtaCommand {
  readonly name: string;
  /** It takes 48-bit addresses and 16-bit counts. */
  readonly extended?: boolean;
  run(disk: Disk, code: number): void;
}

/** Idle, but without a word on where the heads are. */
const SETTLED = Status.DRDY;

function simple(name: string, status: number = READY): AtaCommand {
  return { name, run: (disk) => disk.finish(status) };
}

function pio(name: string, direction: "read" | "write", extended = false): AtaCommand {
  return { name, extended, run: (disk) => disk.transferPio(direction, 1) };
}

function multiple(name: string, direction: "read" | "write", extended = false): AtaCommand {
  return {
    name,
    extended,
    run: (disk) => disk.multipleSectors === 0 ? disk.refuse() : disk.transferPio(direction, disk.multipleSectors),
  };
}

function dma(name: string, work: "dma-read" | "dma-write", extended = false): AtaCommand {
  return { name, extended, run: (disk) => disk.transferDma(work) };
}

function flush(name: string): AtaCommand {
  return { name, run: (disk) => disk.flushCache() };
}

function nativeMax(name: string, extended: boolean): AtaCommand {
  return {
    name,
    extended,
    run(disk) {
      if (disk.totalSectors === 0) return disk.refuse();
      disk.lba = disk.totalSectors - 1;
      disk.finish();
    },
  };
}

/** The range is not looked at, as QEMU does not. */
function verify(name: string, extended = false): AtaCommand {
  return { name, extended, run: (disk) => disk.finish() };
}

const checkPower: AtaCommand = {
  name: "CHECK POWER MODE",
  run(disk) {
    disk.file.count = 0xff; // Active or idle.
    disk.finish();
  },
};

/** Power modes have no effect: the disk is always ready. */
function power(name: string): AtaCommand {
  return simple(name, SETTLED);
}

export const ATA_COMMANDS: ReadonlyMap<number, AtaCommand> = new Map<number, AtaCommand>([
  [0x06, {
    name: "DATA SET MANAGEMENT",
    extended: true,
    run: (disk) => disk.file.features === 0x01 ? disk.transferDma("dma-trim") : disk.refuse(),
  }],
  [0x10, simple("RECALIBRATE")],
  [0x20, pio("READ SECTOR(S)", "read")],
  [0x21, pio("READ SECTOR(S) (without retry)", "read")],
  [0x24, pio("READ SECTOR(S) EXT", "read", true)],
  [0x25, dma("READ DMA EXT", "dma-read", true)],
  [0x27, nativeMax("READ NATIVE MAX ADDRESS EXT", true)],
  [0x29, multiple("READ MULTIPLE EXT", "read", true)],
  [0x30, pio("WRITE SECTOR(S)", "write")],
  [0x31, pio("WRITE SECTOR(S) (without retry)", "write")],
  [0x34, pio("WRITE SECTOR(S) EXT", "write", true)],
  [0x35, dma("WRITE DMA EXT", "dma-write", true)],
  [0x39, multiple("WRITE MULTIPLE EXT", "write", true)],
  [0x3c, pio("WRITE VERIFY", "write")],
  [0x40, verify("READ VERIFY SECTOR(S)")],
  [0x41, verify("READ VERIFY SECTOR(S) (without retry)")],
  [0x42, verify("READ VERIFY SECTOR(S) EXT", true)],
  [0x70, simple("SEEK")],
  [0x90, { name: "EXECUTE DEVICE DIAGNOSTIC", run: (disk) => disk.runDiagnostic() }],
  [0x91, {
    name: "INITIALIZE DEVICE PARAMETERS",
    run(disk) {
      const { device, count } = disk.file;
      if (disk.present) disk.translation = { heads: (device & 0x0f) + 1, sectors: count || 1 };
      disk.finish();
    },
  }],
  [0x94, power("STANDBY IMMEDIATE")],
  [0x95, power("IDLE IMMEDIATE")],
  [0x96, power("STANDBY")],
  [0x97, power("IDLE")],
  [0x98, checkPower],
  [0x99, power("SLEEP")],
  [0xb0, { name: "SMART", run: smart }],
  [0xc4, multiple("READ MULTIPLE", "read")],
  [0xc5, multiple("WRITE MULTIPLE", "write")],
  [0xc6, { name: "SET MULTIPLE MODE", run: setMultiple }],
  [0xc8, dma("READ DMA", "dma-read")],
  [0xc9, dma("READ DMA (without retry)", "dma-read")],
  [0xca, dma("WRITE DMA", "dma-write")],
  [0xcb, dma("WRITE DMA (without retry)", "dma-write")],
  [0xe0, power("STANDBY IMMEDIATE")],
  [0xe1, power("IDLE IMMEDIATE")],
  [0xe2, power("STANDBY")],
  [0xe3, power("IDLE")],
  [0xe5, checkPower],
  [0xe6, power("SLEEP")],
  [0xe7, flush("FLUSH CACHE")],
  [0xea, flush("FLUSH CACHE EXT")],
  [0xec, {
    name: "IDENTIFY DEVICE",
    run: (disk) => disk.present ? disk.answer(disk.identity) : disk.refuse(),
  }],
  [0xef, { name: "SET FEATURES", run: (disk) => setFeatures(disk) }],
  [0xf5, {
    name: "SECURITY FREEZE LOCK",
    run(disk) {
      disk.file.count = 0;
      disk.finish();
    },
  }],
  [0xf8, nativeMax("READ NATIVE MAX ADDRESS", false)],
]);

function setMultiple(disk: Disk): void {
  const { count } = disk.file;
  if (count > MAX_MULTIPLE || (count & (count - 1)) !== 0) return disk.refuse();
  disk.multipleSectors = count;
  disk.finish();
}

function smart(disk: Disk): void {
  const { file, smart: state } = disk;
  const keyed = file.lbaMid === SMART_KEY.mid && file.lbaHigh === SMART_KEY.high;
  if (!disk.present || !keyed || (!state.enabled && !worksWhenOff(file.features))) return disk.refuse();
  switch (file.features) {
    case SmartCommand.READ_DATA:
      return disk.answer(smartData(state));
    case SmartCommand.READ_THRESHOLDS:
      return disk.answer(smartThresholds());
    case SmartCommand.READ_LOG: {
      const page = smartLog(file.lbaLow, state);
      return page === undefined ? disk.refuse() : disk.answer(page);
    }
    case SmartCommand.ATTRIBUTE_AUTOSAVE:
      // QEMU looks at the low LBA byte, where the specification has the count register.
      if (file.lbaLow !== 0x00 && file.lbaLow !== 0xf1) return disk.refuse();
      state.autosave = file.lbaLow === 0xf1;
      return disk.finish();
    case SmartCommand.EXECUTE_OFFLINE:
      return runSelfTest(state, file.lbaLow) ? disk.finish() : disk.refuse();
    case SmartCommand.ENABLE:
    case SmartCommand.DISABLE:
      state.enabled = file.features === SmartCommand.ENABLE;
      return disk.finish();
    case SmartCommand.RETURN_STATUS: // Well: the key stays as it is.
      return disk.finish();
    default:
      return disk.refuse();
  }
}
