/**
 * The floppy controller 82077AA, with no drive attached: registers, resets, and the commands that need no medium.
 *
 * Commands that would move a head or data end as they do when no drive answers.
 *
 * Left out: drives and media, with them seek, read, write, format and verify on data; tape registers.
 *
 * Source: [82077AA] 2.1 "Status, Data and Control Registers", 5.0 "Command Set", 4.2 "Reset".
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
  type PropertyValues,
} from "../bus/mod.ts";

const DRIVE_TYPES = ["144", "288", "120", "none", "auto"] as const;
const DRIVE_TYPE_HELP = { description: "FDC drive type, 144/288/120/none/auto" };

const PROPERTIES = {
  "iobase": prop.uint32(0x3f0),
  "irq": prop.uint32(6),
  "dma": prop.uint32(2),
  "fdtypeA": prop.choice("FdcDriveType", DRIVE_TYPES, "auto", DRIVE_TYPE_HELP),
  "fdtypeB": prop.choice("FdcDriveType", DRIVE_TYPES, "auto", DRIVE_TYPE_HELP),
  "fallback": prop.choice("FdcDriveType", DRIVE_TYPES, "288", DRIVE_TYPE_HELP),
};

const DOR_NOT_RESET = 0x04;
const DOR_DMA = 0x08;
const MSR_READY = 0x80;
const MSR_TO_HOST = 0x40;
const MSR_BUSY = 0x10;
const DSR_RESET = 0x80;
const SRB_UNUSED_DRIVES = 0xc0;
const DIR_CHANGED = 0x80;

const ST0_ABNORMAL = 0x40;
const ST0_INVALID = 0x80;
const ST0_POLLING = 0xc0;
const ST0_SEEK_END = 0x20;
const ST1_NO_ADDRESS_MARK = 0x01;
const VERSION_82077 = 0x90;

/** Bytes of a command, itself included, by its code without the upper modifier bits. */
const LENGTHS: Readonly<Record<number, number>> = {
  0x02: 9, // READ TRACK
  0x03: 3, // SPECIFY
  0x04: 2, // SENSE DRIVE STATUS
  0x05: 9, // WRITE DATA
  0x06: 9, // READ DATA
  0x07: 2, // RECALIBRATE
  0x08: 1, // SENSE INTERRUPT
  0x09: 9, // WRITE DELETED DATA
  0x0a: 2, // READ ID
  0x0c: 9, // READ DELETED DATA
  0x0d: 6, // FORMAT TRACK
  0x0e: 1, // DUMPREG
  0x0f: 3, // SEEK
  0x10: 1, // VERSION
  0x12: 2, // PERPENDICULAR
  0x13: 4, // CONFIGURE
  0x14: 1, // UNLOCK
  0x16: 9, // VERIFY
  0x94: 1, // LOCK
};

export interface FdcState {
  dor: number;
  tdr: number;
  dsr: number;
  msr: number;
  command: number[];
  result: number[];
  /** Drives whose interrupt after a reset SENSE INTERRUPT has still to report, 4 to 0. */
  resetsToSense: number;
  /** ST0 of the interrupt that is pending; `null` for none. */
  pendingSt0: number | null;
  cylinder: number[];
  timing: number[];
  configuration: number;
  precompensation: number;
  perpendicular: number;
  locked: boolean;
  interrupt: number;
}

/** The controller. */
export class FloppyController extends IsaDevice<typeof PROPERTIES, FdcState> {
  /** Where drives would be. */
  readonly floppyBus: Bus;
  #state = initialState();

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(isaFdc, context, values, options);
    this.floppyBus = new Bus(context, "floppy-bus", this);
  }

  /** The registers, as they stand. */
  get state(): Readonly<FdcState> {
    return this.#state;
  }

  protected override onRealize(): void {
    const { iobase } = this.properties;
    const handlers = (first: number) => ({
      read: (offset: number) => this.#read(first + offset),
      write: (offset: number, _size: number, value: number) => this.#write(first + offset, value),
      accessSizes: { min: 1, max: 1 },
    });
    this.claimPorts(MemoryRegion.io("fdc", 5, handlers(1)), iobase + 1);
    this.claimPorts(MemoryRegion.io("fdc", 1, handlers(7)), iobase + 7);
  }

  protected override onReset(): void {
    const { locked, configuration, precompensation } = this.#state;
    this.#state = { ...initialState(), ...(locked ? { locked, configuration, precompensation } : {}) };
    this.#interrupt(0);
  }

  protected override saveState(): FdcState {
    return structuredClone(this.#state);
  }

  protected override loadState(state: FdcState): void {
    this.#state = structuredClone(state);
    this.#interrupt(state.interrupt === 1 ? 1 : 0);
  }

  #interrupt(level: 0 | 1): void {
    this.#state.interrupt = level;
    this.isa.irq(this.properties.irq).set(level);
  }

  #read(register: number): number {
    const state = this.#state;
    switch (register) {
      case 1:
        return SRB_UNUSED_DRIVES;
      case 2:
        return state.dor;
      case 3:
        return state.tdr;
      case 4:
        return (state.dor & DOR_NOT_RESET) === 0 ? 0 : state.msr;
      case 5:
        return this.#readData();
      default:
        // Without a drive the line floats, which reads as "changed".
        return DIR_CHANGED;
    }
  }

  #readData(): number {
    const state = this.#state;
    if ((state.msr & MSR_TO_HOST) === 0) return 0;
    this.#interrupt(0);
    const byte = state.result.shift() ?? 0;
    if (state.result.length === 0) state.msr = MSR_READY;
    return byte;
  }

  #write(register: number, value: number): void {
    const state = this.#state;
    switch (register) {
      case 2:
        return this.#writeDor(value);
      case 3:
        state.tdr = value & 3;
        return;
      case 4:
        state.dsr = value & ~DSR_RESET;
        if ((value & DSR_RESET) !== 0) this.#restart();
        return;
      case 5:
        return this.#writeData(value);
      case 7:
        state.dsr = (state.dsr & ~3) | (value & 3);
    }
  }

  #writeDor(value: number): void {
    const before = this.#state.dor;
    this.#state.dor = value;
    if ((value & DOR_NOT_RESET) === 0) this.#interrupt(0);
    else if ((before & DOR_NOT_RESET) === 0) this.#restart();
  }

  /** What follows a reset: an interrupt, and four drives that SENSE INTERRUPT reports. */
  #restart(): void {
    const { dor, dsr, tdr, locked, configuration, precompensation } = this.#state;
    const kept = locked ? { locked, configuration, precompensation } : {};
    this.#state = { ...initialState(), dor, dsr, tdr, ...kept, resetsToSense: 4, pendingSt0: ST0_POLLING };
    this.#interrupt(1);
  }

  #writeData(value: number): void {
    const state = this.#state;
    if ((state.dor & DOR_NOT_RESET) === 0 || (state.msr & (MSR_READY | MSR_TO_HOST)) !== MSR_READY) return;
    state.command.push(value);
    state.msr = MSR_READY | MSR_BUSY;
    const code = state.command[0]!;
    const length = LENGTHS[code] ?? LENGTHS[code & 0x1f] ?? 1;
    if (state.command.length < length) return;
    const command = state.command;
    state.command = [];
    this.#execute(LENGTHS[code] === undefined ? code & 0x1f : code, command);
  }

  #finish(...result: number[]): void {
    const state = this.#state;
    state.result = result;
    state.msr = result.length === 0 ? MSR_READY : MSR_READY | MSR_TO_HOST | MSR_BUSY;
  }

  #execute(code: number, command: readonly number[]): void {
    const state = this.#state;
    const select = (command[1] ?? 0) & 7;
    switch (code) {
      case 0x03:
        state.timing = [command[1]!, command[2]!];
        return this.#finish();
      case 0x04: // ready, two sides, drive and head; track 0 is never seen
        return this.#finish(0x28 | select | (state.cylinder[select & 3] === 0 ? 0x10 : 0));
      case 0x07:
      case 0x0f:
        return this.#seek(select, code === 0x07 ? 0 : command[2]!);
      case 0x08:
        return this.#senseInterrupt();
      case 0x0e:
        return this.#finish(
          ...state.cylinder,
          ...state.timing,
          0,
          (state.locked ? 0x80 : 0) | state.perpendicular,
          state.configuration,
          state.precompensation,
        );
      case 0x10:
        return this.#finish(VERSION_82077);
      case 0x12:
        if ((command[1]! & 0x80) !== 0) state.perpendicular = command[1]! & 7;
        return this.#finish();
      case 0x13:
        state.configuration = command[2]!;
        state.precompensation = command[3]!;
        return this.#finish();
      case 0x14:
      case 0x94:
        state.locked = code === 0x94;
        return this.#finish(state.locked ? 0x10 : 0x00);
      default:
        return LENGTHS[code] === undefined ? this.#finish(ST0_INVALID) : this.#noData(select, command);
    }
  }

  /** No drive: the head arrives nowhere, which only READ ID would find out. */
  #seek(select: number, cylinder: number): void {
    this.#state.cylinder[select & 3] = cylinder;
    this.#finish();
    this.#state.pendingSt0 = ST0_SEEK_END | select;
    this.#interrupt(1);
  }

  #senseInterrupt(): void {
    const state = this.#state;
    if (state.resetsToSense > 0) {
      const drive = 4 - state.resetsToSense;
      state.resetsToSense--;
      state.pendingSt0 = null;
      this.#finish(ST0_POLLING | drive, state.cylinder[drive]!);
    } else if (state.pendingSt0 === null) {
      this.#finish(ST0_INVALID);
      return;
    } else {
      const st0 = state.pendingSt0;
      state.pendingSt0 = null;
      this.#finish(st0, state.cylinder[st0 & 3]!);
    }
    this.#interrupt(0);
  }

  /** A command on data ends: no address mark was found. */
  #noData(select: number, command: readonly number[]): void {
    const [, , cylinder = 0, head = 0, sector = 1, size = 2] = command;
    this.#finish(ST0_ABNORMAL | select, ST1_NO_ADDRESS_MARK, 0, cylinder, head, sector, size);
    this.#interrupt(1);
  }
}

function initialState(): FdcState {
  return {
    dor: DOR_NOT_RESET | DOR_DMA,
    tdr: 0,
    dsr: 0x02,
    msr: MSR_READY,
    command: [],
    result: [],
    resetsToSense: 0,
    pendingSt0: null,
    cylinder: [0, 0, 0, 0],
    timing: [0, 0],
    configuration: 0,
    precompensation: 0,
    perpendicular: 0,
    locked: false,
    interrupt: 0,
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
