/**
 * The floppy controller 82078 on the ISA bus: registers, resets, and the commands that move no data.
 *
 * Commands on data are carried out by {@link DataEngine}.
 *
 * Left out: what heads, motors and the power-down mode take of time; tape drives.
 *
 * Source: [82078] 2.1 "Registers", 4.0 "Reset", 5.0 "Command Set"; where QEMU's answers differ, those (see the README).
 *
 * @module
 */
import {
  Bus,
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  IsaDevice,
  MemoryRegion,
  prop,
  PropertyError,
  type PropertyValues,
} from "../bus/mod.ts";
import { commandOf, type FloppyCommand } from "./commands.ts";
import { DataEngine } from "./data_engine.ts";
import { DRIVE_TYPES, FloppyDrive } from "./floppy_drive.ts";
import {
  CONFIGURATION_AT_RESET,
  Dir,
  Dor,
  Dsr,
  Msr,
  PART_ID,
  Register,
  SECTOR_CODE_512,
  St0,
  St1,
  St3,
  VERSION_82078,
} from "./registers.ts";
import { EXAMPLE_TRANSFER, loadTransfer, type SavedTransfer, saveTransfer } from "./transfer.ts";

const DRIVE_TYPE_HELP = { description: "FDC drive type, 144/288/120/none/auto" };

const PROPERTIES = {
  "iobase": prop.uint32(0x3f0),
  "irq": prop.uint32(6),
  "dma": prop.uint32(2),
  "fdtypeA": prop.choice("FdcDriveType", DRIVE_TYPES, "auto", DRIVE_TYPE_HELP),
  "fdtypeB": prop.choice("FdcDriveType", DRIVE_TYPES, "auto", DRIVE_TYPE_HELP),
  "fallback": prop.choice("FdcDriveType", DRIVE_TYPES, "288", DRIVE_TYPE_HELP),
  "bootindexA": prop.int32(-1, { noDefault: true, hidden: true }),
  "bootindexB": prop.int32(-1, { noDefault: true, hidden: true }),
};

const DRIVES = 4;
const DMA_CHANNELS = 8;
const SRB_UNUSED_DRIVES = 0xc0;
const TDR_BOOT_SELECT = 0x04;
const SAVED_BYTES = 16;

export interface FdcState {
  dor: number;
  tdr: number;
  dsr: number;
  msr: number;
  command: number[];
  result: number[];
  /** Drives whose interrupt after a reset SENSE INTERRUPT STATUS has still to report, 4 to 0. */
  resetsToSense: number;
  /** ST0 of a seek or reset that is pending; `null` for none. */
  pendingSt0: number | null;
  timing: number[];
  configuration: number;
  precompensation: number;
  perpendicular: number;
  locked: boolean;
  lastEnd: number;
  /** The sector that READ ID saw last. */
  seenSector: number;
  interrupt: 0 | 1;
  transfer: SavedTransfer | null;
}

/** The controller. */
export class FloppyController extends IsaDevice<typeof PROPERTIES, FdcState> {
  /** Where drives are. */
  readonly floppyBus: Bus;
  readonly #engine: DataEngine;
  #state = initialState();

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(isaFdc, context, values, options);
    this.floppyBus = new Bus(context, "floppy-bus", this);
    this.#engine = new DataEngine({
      context,
      drive: (unit) => this.drive(unit),
      dma: () => this.isa.dma[this.properties.dma < DRIVES ? 0 : 1],
      channel: this.properties.dma,
      showStatus: (msr) => this.#state.msr = msr,
      interrupt: () => this.#interrupt(1),
      finish: (...result) => this.#finishData(result),
    });
  }

  /** The registers, as they stand. */
  get state(): Readonly<FdcState> {
    return this.#state;
  }

  /** The drive that answers as `unit`; the tape register may make the second one the first. */
  drive(unit: number): FloppyDrive | undefined {
    const wanted = (this.#state.tdr & TDR_BOOT_SELECT) !== 0 && unit < 2 ? unit ^ 1 : unit;
    for (const device of this.floppyBus.devices) {
      if (device instanceof FloppyDrive && device.properties.unit === wanted) return device;
    }
    return undefined;
  }

  protected override onRealize(): void {
    const { iobase, irq, dma } = this.properties;
    this.checkIrq(irq);
    if (dma >= DMA_CHANNELS) {
      throw new PropertyError(`isa-fdc: there is no DMA channel ${dma} (0 to ${DMA_CHANNELS - 1})`);
    }
    const handlers = (first: number) => ({
      read: (offset: number) => this.#read(first + offset),
      write: (offset: number, _size: number, value: number) => this.#write(first + offset, value),
      accessSizes: { min: 1, max: 1 },
    });
    this.claimPorts(MemoryRegion.io("fdc", 5, handlers(1)), iobase + 1);
    this.claimPorts(MemoryRegion.io("fdc", 1, handlers(7)), iobase + 7);
    this.isa.dma[dma < DRIVES ? 0 : 1]?.serve(dma, () => this.#engine.dmaReady());
  }

  protected override async onReset(): Promise<void> {
    this.#engine.cancel();
    await this.#engine.job;
    this.#state = initialState();
    this.#interrupt(0);
  }

  protected override async onStop(): Promise<void> {
    // One request may lead to the next.
    while (this.#engine.job !== undefined) await this.#engine.job;
  }

  protected override onResume(): void {
    this.#engine.resume();
  }

  protected override readonly occasionalState = { transfer: EXAMPLE_TRANSFER };

  protected override saveState(): FdcState {
    const { transfer } = this.#engine;
    return structuredClone({ ...this.#state, transfer: transfer === undefined ? null : saveTransfer(transfer) });
  }

  protected override loadState(state: FdcState): void {
    this.#state = structuredClone(state);
    this.#engine.load(state.transfer === null ? undefined : loadTransfer(state.transfer));
    this.#state.transfer = null;
    this.#interrupt(state.interrupt);
  }

  #interrupt(level: 0 | 1): void {
    this.#state.interrupt = level;
    this.isa.irq(this.properties.irq).set(level);
  }

  #read(register: number): number {
    const state = this.#state;
    switch (register) {
      case Register.StatusB: {
        const motors = (state.dor & Dor.MotorA ? 1 : 0) | (state.dor & Dor.MotorB ? 2 : 0);
        return SRB_UNUSED_DRIVES | motors | (state.dor & 1) << 5;
      }
      case Register.Dor:
        return state.dor;
      case Register.Tape:
        return state.tdr;
      case Register.Status:
        // QEMU's controller wakes up when it is looked at, from a reset that is held as well.
        state.dsr &= ~Dsr.PowerDown;
        state.dor |= Dor.NotReset;
        return state.msr;
      case Register.Data:
        return this.#readData();
      default: // without a drive the line floats, which reads as "changed"
        return this.drive(state.dor & 3)?.changed ?? true ? Dir.Changed : 0;
    }
  }

  #readData(): number {
    const state = this.#state;
    if (this.#engine.transfer !== undefined) return this.#engine.readByte();
    if ((state.msr & Msr.ToHost) === 0) return 0;
    this.#interrupt(0);
    const byte = state.result.shift() ?? 0;
    if (state.result.length === 0) state.msr = Msr.Ready;
    return byte;
  }

  #write(register: number, value: number): void {
    const state = this.#state;
    switch (register) {
      case Register.Dor:
        return this.#writeDor(value);
      case Register.Tape:
        state.tdr = value & TDR_BOOT_SELECT;
        return;
      case Register.Status:
        state.dsr = value & ~Dsr.Reset;
        if ((value & Dsr.Reset) !== 0) this.#restart();
        return;
      case Register.Data:
        return this.#writeData(value);
      case Register.Direction: // the configuration control register
        state.dsr = (state.dsr & ~Dsr.RateMask) | (value & Dsr.RateMask);
    }
  }

  #writeDor(value: number): void {
    const before = this.#state.dor;
    this.#state.dor = value;
    if ((value & Dor.NotReset) === 0) {
      this.#engine.cancel();
      this.#interrupt(0);
    } else if ((before & Dor.NotReset) === 0) this.#restart();
  }

  /** What follows a reset: an interrupt, and four drives that SENSE INTERRUPT STATUS reports. */
  #restart(): void {
    this.#engine.cancel();
    const { dor, dsr, tdr, locked, configuration, precompensation } = this.#state;
    const kept = locked ? { locked, configuration, precompensation } : {};
    this.#state = { ...initialState(), dor, dsr, tdr, ...kept, resetsToSense: DRIVES, pendingSt0: St0.Polling };
    for (let unit = 0; unit < DRIVES; unit++) this.drive(unit)?.seek(0);
    this.#interrupt(1);
  }

  #writeData(value: number): void {
    const state = this.#state;
    if (this.#engine.transfer !== undefined) return this.#engine.writeByte(value);
    if ((state.dor & Dor.NotReset) === 0 || (state.msr & (Msr.Ready | Msr.ToHost)) !== Msr.Ready) return;
    state.command.push(value);
    state.msr = Msr.Ready | Msr.Busy;
    const known = commandOf(state.command[0]!);
    if (known === undefined) {
      state.command = [];
      return this.#answer(St0.Invalid);
    }
    if (known.action === "drive-specification" && (value & 0x80) !== 0 && state.command.length > 1) {
      return this.#execute(known, state.command.splice(0));
    }
    if (state.command.length >= known.bytes) this.#execute(known, state.command.splice(0));
  }

  #answer(...result: number[]): void {
    const state = this.#state;
    state.result = result;
    state.msr = result.length === 0 ? Msr.Ready : Msr.Ready | Msr.ToHost | Msr.Busy;
  }

  #finishData(result: number[]): void {
    this.#answer(...result);
    this.#interrupt(1);
  }

  #execute(known: FloppyCommand, command: readonly number[]): void {
    const state = this.#state;
    const [code = 0, first = 0, second = 0, third = 0] = command;
    switch (known.action) {
      case "specify":
        state.timing = [first, second];
        return this.#answer();
      case "sense-drive":
        return this.#answer(this.#driveStatus(first));
      case "recalibrate":
        return this.#seek(first, 0);
      case "seek":
        return this.#seek(first, second);
      case "relative-seek": {
        const from = this.drive(first & 3)?.cylinder ?? 0;
        return this.#seek(first, (code & 0x40) === 0 ? from - second : from + second);
      }
      case "sense-interrupt":
        return this.#senseInterrupt();
      case "read-id":
        return this.#readId(first);
      case "dump":
        return this.#answer(...this.#registers());
      case "version":
        return this.#answer(VERSION_82078);
      case "part-id":
        return this.#answer(PART_ID);
      case "perpendicular":
        if ((first & 0x80) !== 0) state.perpendicular = first & 0x3f;
        return this.#answer();
      case "configure":
        state.configuration = second;
        state.precompensation = third;
        return this.#answer();
      case "lock":
        state.locked = (code & 0x80) !== 0;
        return this.#answer(state.locked ? 0x10 : 0x00);
      case "power-down":
        return this.#answer(first);
      case "option":
        return this.#answer();
      case "drive-specification":
        return this.#answer(...(command.at(-1)! & 0x40) !== 0 ? [] : [0, 0, 0, 0]);
      case "save":
        return this.#answer(...this.#saved());
      case "restore":
        this.#restore(command);
        return this.#answer();
      default:
        return this.#beginData(known, command);
    }
  }

  #select(unit: number): void {
    this.#state.dor = (this.#state.dor & ~3) | (unit & 3);
  }

  #driveStatus(select: number): number {
    this.#select(select);
    const drive = this.drive(select & 3);
    const protect = drive?.writeProtected ?? true ? St3.WriteProtected : 0;
    const track0 = (drive?.cylinder ?? 0) === 0 ? St3.Track0 : 0;
    return protect | St3.Ready | track0 | St3.TwoSided | (select & 7);
  }

  #seek(select: number, cylinder: number): void {
    this.#select(select);
    this.drive(select & 3)?.seek(cylinder);
    this.#answer();
    this.#state.pendingSt0 = St0.SeekEnd | (select & 3);
    this.#interrupt(1);
  }

  #senseInterrupt(): void {
    const state = this.#state;
    const cylinder = (unit: number) => this.drive(unit)?.cylinder ?? 0;
    if (state.resetsToSense > 0) {
      const unit = DRIVES - state.resetsToSense--;
      state.pendingSt0 = null;
      this.#answer(St0.Polling | unit, cylinder(unit));
    } else if (state.pendingSt0 === null) {
      return this.#answer(St0.Invalid);
    } else {
      const st0 = state.pendingSt0;
      state.pendingSt0 = null;
      this.#answer(st0, cylinder(st0 & 3));
    }
    this.#interrupt(0);
  }

  /** The address of the sector that comes by: one after the other. */
  #readId(select: number): void {
    this.#select(select);
    const drive = this.drive(select & 3);
    const format = drive?.format;
    const cylinder = drive?.cylinder ?? 0;
    const head = (select >> 2) & 1;
    const readable = format !== undefined && (this.#state.dsr & Dsr.RateMask) === format.rate && head < format.heads;
    const sector = this.#state.seenSector = this.#state.seenSector % (format?.sectors ?? 1) + 1;
    const st0 = (readable ? 0 : St0.Abnormal) | (select & 7);
    this.#finishData([st0, readable ? 0 : St1.NoAddressMark, 0, cylinder, head, sector, SECTOR_CODE_512]);
  }

  /** What DUMPREG shows, in its order. */
  #registers(): number[] {
    const { timing, lastEnd, locked, perpendicular, configuration, precompensation } = this.#state;
    const cylinders = [0, 1, 2, 3].map((unit) => this.drive(unit)?.cylinder ?? 0);
    const mode = (locked ? 0x80 : 0) | (perpendicular << 2) & 0x7f;
    return [...cylinders, ...timing, lastEnd, mode, configuration, precompensation];
  }

  /** What SAVE answers: the data rate, then what DUMPREG shows. */
  #saved(): number[] {
    const answer = [this.#state.dsr & Dsr.RateMask, 0, 0, 0, 0, 0, ...this.#registers()];
    return answer.slice(0, SAVED_BYTES);
  }

  #restore(command: readonly number[]): void {
    const saved = command.slice(1);
    const [rate = 0] = saved;
    const [timing0 = 0, timing1 = 0, lastEnd = 0, mode = 0, configuration = 0, precompensation = 0] = saved.slice(10);
    Object.assign(this.#state, { timing: [timing0, timing1], lastEnd, configuration, precompensation });
    this.#state.dsr = (this.#state.dsr & ~Dsr.RateMask) | (rate & Dsr.RateMask);
    this.#state.locked = (mode & 0x80) !== 0;
    this.#state.perpendicular = (mode & 0x7f) >> 2;
  }

  #beginData({ action, name }: FloppyCommand, command: readonly number[]): void {
    const state = this.#state;
    this.#select(command[1]!);
    state.lastEnd = command[action === "format" ? 3 : 6]!;
    const byDma = (state.dor & Dor.Dma) !== 0 && (state.timing[1]! & 1) === 0;
    state.msr = Msr.Busy;
    this.#engine.begin(action, name, command, { byDma, rate: state.dsr & Dsr.RateMask });
  }
}

function initialState(): FdcState {
  return {
    dor: Dor.NotReset | Dor.Dma,
    tdr: 0,
    dsr: 0,
    msr: Msr.Ready,
    command: [],
    result: [],
    resetsToSense: 0,
    pendingSt0: null,
    timing: [0, 0],
    configuration: CONFIGURATION_AT_RESET,
    precompensation: 0,
    perpendicular: 0,
    locked: false,
    lastEnd: 0,
    seenSector: 0,
    interrupt: 0,
    transfer: null,
  };
}

/** `isa-fdc`. */
export const isaFdc = {
  name: "isa-fdc",
  busType: "ISA",
  category: "Storage",
  description: "virtual floppy controller",
  userCreatable: true,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new FloppyController(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
