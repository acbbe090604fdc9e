/**
 * An IDE channel: two drives behind one set of registers, an interrupt line, soft reset.
 *
 * What the command block's registers are written goes to both drives; reads and commands go to the selected one. While
 * the selected drive is busy or moves data, writes are ignored. A place without a drive answers as QEMU's does: the
 * second one is silent, the first one executes what needs no medium.
 *
 * Source: [ATA/ATAPI-6] 9.3 "Device selection", 9.16 "Devices in a two-drive configuration", 7.9 "Device Control".
 *
 * @module
 */
import type { IrqLine } from "../bus/mod.ts";
import { CdDrive, type CdState } from "./cd.ts";
import { Disk, type DiskState } from "./disk.ts";
import type { DmaMaster, Drive, DriveHost, DriveRequest } from "./drive.ts";
import { COMMAND_BLOCK, ControlBit, DeviceBit, REGISTER_NAMES, Status, type TaskFile } from "./registers.ts";
import type { IdeTraces } from "./traces.ts";

/** What a channel is made with. */
export interface ChannelOptions {
  /** `"ide.0"`. */
  readonly name: string;
  /** The port that register 0 is at, for traces. */
  readonly port: number;
  readonly interrupt: IrqLine;
  readonly traces: IdeTraces;
  /** The virtual clock. */
  nowNs(): number;
  realtimeNs(): number;
  request?(drive: Drive, request: DriveRequest): void;
}

type DriveSnapshot =
  | { readonly kind: "disk"; readonly state: DiskState }
  | { readonly kind: "cd"; readonly state: CdState };

/** A channel's volatile state. */
export interface ChannelState {
  readonly selected: 0 | 1;
  readonly control: number;
  readonly interrupt: 0 | 1;
  readonly unit0: DriveSnapshot;
  readonly unit1: DriveSnapshot;
}

/** The fields of the task file that writes of registers 1 to 5 fill. */
const WRITTEN = [
  ["features", "hobFeatures"],
  ["count", "hobCount"],
  ["lbaLow", "hobLbaLow"],
  ["lbaMid", "hobLbaMid"],
  ["lbaHigh", "hobLbaHigh"],
] as const satisfies readonly (readonly [keyof TaskFile, keyof TaskFile])[];

/** The one command that a busy CD drive takes. */
const DEVICE_RESET = 0x08;

/** Two drives. */
export class Channel implements DriveHost {
  readonly name: string;
  readonly traces: IdeTraces;
  readonly request?: (drive: Drive, request: DriveRequest) => void;
  readonly #port: number;
  readonly #line: IrqLine;
  readonly #options: ChannelOptions;
  readonly #drives: [Drive, Drive];
  #master: (DmaMaster & { interruptRaised(): void }) | undefined;
  #selected: 0 | 1 = 0;
  #control = 0;
  #interrupt: 0 | 1 = 0;

  constructor(options: ChannelOptions) {
    this.name = options.name;
    this.traces = options.traces;
    this.#port = options.port;
    this.#line = options.interrupt;
    this.#options = options;
    if (options.request !== undefined) this.request = options.request;
    this.#drives = [new Disk(this, 0), new Disk(this, 1)];
  }

  nowNs(): number {
    return this.#options.nowNs();
  }

  realtimeNs(): number {
    return this.#options.realtimeNs();
  }

  get master(): DmaMaster | undefined {
    return this.#master;
  }

  /** Joins a bus master to the channel. */
  connectMaster(master: DmaMaster & { interruptRaised(): void }): void {
    this.#master = master;
  }

  get drives(): readonly [Drive, Drive] {
    return this.#drives;
  }

  /** The drive that the registers show. */
  get selected(): Drive {
    return this.#drives[this.#selected];
  }

  get interruptLevel(): 0 | 1 {
    return this.#interrupt;
  }

  /** Puts a drive in. */
  plug(drive: Drive): void {
    this.#drives[drive.unit] = drive;
    drive.powerOn();
  }

  /** Takes the drive of `unit` out; nothing of it is in flight. */
  unplug(unit: 0 | 1): void {
    this.#drives[unit] = new Disk(this, unit);
    this.#drives[unit].powerOn();
  }

  // Interrupt ---------------------------------------------------------------------------------------------------------

  /** A drive wants attention. */
  raiseInterrupt(): void {
    if ((this.#control & ControlBit.NIEN) !== 0) return;
    this.#interrupt = 1;
    this.#master?.interruptRaised();
    this.#line.set(1);
  }

  #lowerInterrupt(): void {
    this.#interrupt = 0;
    this.#line.set(0);
  }

  // Registers ---------------------------------------------------------------------------------------------------------

  /** Whether the selected place answers at all. */
  get #silent(): boolean {
    return (!this.#drives[0].present && !this.#drives[1].present) || (this.#selected === 1 && !this.selected.present);
  }

  /** Reads register 0 to 7, one byte; register 0 is only 16 and 32 bits wide and reads as 0. */
  read(register: number): number {
    const value = this.#readRegister(register);
    const { portRead } = this.traces;
    if (portRead.enabled) {
      portRead.emit({
        port: this.#port + register,
        register: REGISTER_NAMES.read[register]!,
        value,
        bus: this.name,
        drive: this.selected.name,
      });
    }
    return value;
  }

  #readRegister(register: number): number {
    const { file } = this.selected;
    const older = (this.#control & ControlBit.HOB) !== 0;
    const name = COMMAND_BLOCK.byOffset[register];
    switch (name) {
      case "error":
        return this.#silent ? 0 : older ? file.hobFeatures : file.error;
      case "status":
        this.#lowerInterrupt();
        return this.#silent ? 0 : file.status;
      case "data":
      case undefined:
        return 0;
      default:
        break;
    }
    if (!this.#drives[0].present && !this.#drives[1].present) return 0;
    if (name === "device" || !older) return file[name];
    return name === "count" ? file.hobCount : file[HOB_OF[name]];
  }

  /** The status register, without lowering the interrupt. */
  readAlternateStatus(): number {
    const value = this.#silent ? 0 : this.selected.file.status;
    const { statusRead } = this.traces;
    if (statusRead.enabled) {
      statusRead.emit({ port: this.#port + 0x206, value, bus: this.name, drive: this.selected.name });
    }
    return value;
  }

  /** Writes register 0 to 7, one byte. */
  write(register: number, value: number): void {
    const { portWrite } = this.traces;
    if (portWrite.enabled) {
      portWrite.emit({
        port: this.#port + register,
        register: REGISTER_NAMES.write[register]!,
        value,
        bus: this.name,
        drive: this.selected.name,
      });
    }
    if (register === 7) return this.#command(value);
    if ((this.selected.file.status & (Status.BSY | Status.DRQ)) !== 0 || register === 0) return;
    this.#control &= ~ControlBit.HOB;
    if (register === 6) {
      for (const { file } of this.#drives) file.device = value | DeviceBit.ONES;
      this.#selected = (value & DeviceBit.UNIT) !== 0 ? 1 : 0;
      return;
    }
    const [current, older] = WRITTEN[register - 1]!;
    for (const { file } of this.#drives) {
      file[older] = file[current];
      file[current] = value;
    }
  }

  #command(code: number): void {
    const drive = this.selected;
    this.#control &= ~ControlBit.HOB;
    this.#lowerInterrupt();
    if (this.#selected === 1 && !drive.present) return;
    const resets = code === DEVICE_RESET && drive instanceof CdDrive;
    if ((drive.file.status & (Status.BSY | Status.DRQ)) !== 0 && !resets) return;
    const { execCommand } = this.traces;
    if (execCommand.enabled) {
      execCommand.emit({ bus: this.name, drive: drive.name, code, name: drive.commandName(code) });
    }
    if (resets) this.#whenIdle([drive], () => (drive as CdDrive).deviceReset());
    else drive.execute(code);
  }

  /** Writes the device control register. */
  writeControl(value: number): void {
    this.traces.controlWrite.emit({ port: this.#port + 0x206, value, bus: this.name });
    const resetBegins = (value & ControlBit.SRST) !== 0 && (this.#control & ControlBit.SRST) === 0;
    this.#control = value;
    if (resetBegins) this.#softReset();
  }

  /** Reads 2 or 4 bytes of data. */
  readData(size: 2 | 4): number {
    const value = this.#silent ? 0 : this.selected.readData(size);
    const event = size === 2 ? this.traces.dataReadW : this.traces.dataReadL;
    if (event.enabled) event.emit({ port: this.#port, value, bus: this.name, drive: this.selected.name });
    return value;
  }

  /** Writes 2 or 4 bytes of data. */
  writeData(size: 2 | 4, value: number): void {
    const event = size === 2 ? this.traces.dataWriteW : this.traces.dataWriteL;
    if (event.enabled) event.emit({ port: this.#port, value, bus: this.name, drive: this.selected.name });
    this.selected.writeData(size, value);
  }

  // DMA and resets ----------------------------------------------------------------------------------------------------

  /** The bus master has been started. */
  dmaStarted(): void {
    for (const drive of this.#drives) drive.dmaStarted();
  }

  /** Whether a drive's request is in flight. */
  get inFlight(): boolean {
    return this.#drives.some((drive) => drive.job !== undefined);
  }

  #softReset(): void {
    this.#whenIdle(this.#drives, () => {
      for (const drive of this.#drives) drive.softReset();
    });
  }

  /** Cancels, keeps the drives busy until nothing of theirs is in flight, then goes on, unless another reset came. */
  #whenIdle(drives: readonly Drive[], then: () => void): void {
    const jobs = drives.map((drive) => drive.cancel()).filter((job) => job !== undefined);
    if (jobs.length === 0) {
      for (const drive of drives) drive.file.status = Status.BSY;
      return then();
    }
    for (const drive of drives) drive.file.status |= Status.BSY;
    const token = this.#resetToken = {};
    void Promise.all(jobs).then(() => {
      if (this.#resetToken === token) then();
    });
  }

  #resetToken: object | undefined;

  /** Resolves when nothing is in flight. */
  async drain(): Promise<void> {
    while (this.inFlight) await Promise.all(this.#drives.map((drive) => drive.job));
    await Promise.resolve(); // A soft reset that waited for it has been done.
  }

  /** The state after power on; what is in flight ends first. */
  async reset(): Promise<void> {
    this.#resetToken = undefined;
    this.traces.busReset.emit({});
    const jobs = this.#drives.map((drive) => drive.cancel());
    await Promise.all(jobs);
    this.#selected = 0;
    this.#control = 0;
    for (const drive of this.#drives) drive.powerOn();
    this.#lowerInterrupt();
  }

  /** The machine runs again: held requests are begun anew. */
  resume(): void {
    for (const drive of this.#drives) drive.resume();
  }

  // State -------------------------------------------------------------------------------------------------------------

  save(): ChannelState {
    return {
      selected: this.#selected,
      control: this.#control,
      interrupt: this.#interrupt,
      unit0: snapshot(this.#drives[0]),
      unit1: snapshot(this.#drives[1]),
    };
  }

  load(state: ChannelState): void {
    this.#resetToken = undefined;
    this.#selected = state.selected === 1 ? 1 : 0;
    this.#control = state.control & 0xff;
    for (const [i, drive] of this.#drives.entries()) {
      const snapshot = i === 0 ? state.unit0 : state.unit1;
      if (snapshot?.kind === "cd" && drive instanceof CdDrive) drive.load(snapshot.state);
      else if (snapshot?.kind === "disk" && drive instanceof Disk) drive.load(snapshot.state);
    }
    this.#interrupt = state.interrupt === 1 ? 1 : 0;
    this.#line.set(this.#interrupt);
  }
}

function snapshot(drive: Drive): DriveSnapshot {
  return drive instanceof CdDrive
    ? { kind: "cd", state: drive.save() }
    : { kind: "disk", state: (drive as Disk).save() };
}

const HOB_OF = { lbaLow: "hobLbaLow", lbaMid: "hobLbaMid", lbaHigh: "hobLbaHigh" } as const;
