/**
 * The SMBus host controller of the PIIX4 power management function: 64 ports.
 *
 * A transaction that was started shows "busy" for one look at the status register and has then ended.
 *
 * Left out: I2C read, PEC, ten-bit addresses, the slave side.
 *
 * Source: [PIIX4] 7.3 "SMBus I/O Space Registers"; auxiliary control: [ICH9] 20.2.14.
 *
 * @module
 */
import { MemoryRegion } from "../bus/mod.ts";
import type { SmBus, SmbusTarget } from "./smbus_eeprom.ts";

const STATUS_BUSY = 0x01;
const STATUS_DONE = 0x02;
const STATUS_DEVICE_ERROR = 0x04;
const STATUS_KILLED = 0x10;
const STATUS_CLEARABLE = 0x9e;
const CONTROL_INTERRUPT = 0x01;
const CONTROL_KILL = 0x02;
const CONTROL_START = 0x40;
const CONTROL_READABLE = 0x1f;
const BLOCK_BYTES = 32;

const QUICK = 0;
const BYTE = 1;
const BYTE_DATA = 2;
const WORD_DATA = 3;
const PROCESS_CALL = 4;
const BLOCK = 5;

export interface PmSmbusState {
  status: number;
  control: number;
  command: number;
  address: number;
  data0: number;
  data1: number;
  block: number[];
  blockIndex: number;
  auxiliary: number;
  /** Whether a transaction waits for the next look at the status. */
  started: boolean;
}

/** The controller; its owner maps `region` and drives the interrupt. */
export class PmSmbus {
  readonly region: MemoryRegion;
  state = initialState();
  readonly #bus: SmBus;
  readonly #interrupt: (level: 0 | 1) => void;

  constructor(bus: SmBus, interrupt: (level: 0 | 1) => void) {
    this.#bus = bus;
    this.#interrupt = interrupt;
    this.region = MemoryRegion.io("pm-smbus", 64, {
      read: (offset) => this.#read(offset),
      write: (offset, _size, value) => this.#write(offset, value),
      accessSizes: { min: 1, max: 1 },
    });
  }

  reset(): void {
    this.state = initialState();
    this.#interrupt(0);
  }

  save(): PmSmbusState {
    return structuredClone(this.state);
  }

  load(state: PmSmbusState): void {
    this.state = {
      ...structuredClone(state),
      block: [...new Array(BLOCK_BYTES).keys()].map((i) => state.block[i] ?? 0),
    };
  }

  #read(offset: number): number {
    const state = this.state;
    switch (offset) {
      case 0x0: {
        const status = state.status;
        if (state.started) this.#run();
        return status;
      }
      case 0x2:
        state.blockIndex = 0;
        return state.control & CONTROL_READABLE;
      case 0x3:
        return state.command;
      case 0x4:
        return state.address;
      case 0x5:
        return state.data0;
      case 0x6:
        return state.data1;
      case 0x7: {
        const byte = state.block[state.blockIndex]!;
        state.blockIndex = (state.blockIndex + 1) % BLOCK_BYTES;
        return byte;
      }
      case 0xd:
        return state.auxiliary;
      default:
        return 0;
    }
  }

  #write(offset: number, value: number): void {
    const state = this.state;
    switch (offset) {
      case 0x0:
        state.status &= ~(value & STATUS_CLEARABLE);
        this.#driveInterrupt();
        break;
      case 0x2:
        this.#writeControl(value);
        break;
      case 0x3:
        state.command = value;
        break;
      case 0x4:
        state.address = value;
        break;
      case 0x5:
        state.data0 = value;
        break;
      case 0x6:
        state.data1 = value;
        break;
      case 0x7:
        state.block[state.blockIndex] = value;
        state.blockIndex = (state.blockIndex + 1) % BLOCK_BYTES;
        break;
      case 0xd:
        state.auxiliary = value & 0x03;
    }
  }

  #writeControl(value: number): void {
    const state = this.state;
    state.control = value & ~CONTROL_START;
    if ((value & CONTROL_KILL) !== 0 && state.started) {
      state.started = false;
      state.status = STATUS_KILLED;
      this.#driveInterrupt();
    } else if ((value & CONTROL_START) !== 0) {
      state.blockIndex = 0;
      state.started = true;
      state.status = STATUS_BUSY;
      // Interrupt-driven software does not look: the transaction is carried out at once.
      if ((value & CONTROL_INTERRUPT) !== 0) this.#run();
    }
  }

  #run(): void {
    const state = this.state;
    state.started = false;
    const target = this.#bus.target(state.address >> 1);
    const done = target !== undefined && this.#transact(target);
    state.status = done ? STATUS_DONE : STATUS_DEVICE_ERROR;
    this.#driveInterrupt();
  }

  /** Carries a transaction out; whether the target acknowledged. */
  #transact(target: SmbusTarget): boolean {
    const state = this.state;
    const reads = (state.address & 1) !== 0;
    switch ((state.control >> 2) & 7) {
      case QUICK:
        return true;
      case BYTE:
        return reads ? this.#take(target, 1) : target.receive([state.command]);
      case BYTE_DATA:
        return reads
          ? target.receive([state.command]) && this.#take(target, 1)
          : target.receive([state.command, state.data0]);
      case WORD_DATA:
        return reads
          ? target.receive([state.command]) && this.#take(target, 2)
          : target.receive([state.command, state.data0, state.data1]);
      case PROCESS_CALL:
        return target.receive([state.command, state.data0, state.data1]) && this.#take(target, 2);
      case BLOCK:
        return this.#transferBlock(target, reads);
      default:
        return false;
    }
  }

  #take(target: SmbusTarget, bytes: 1 | 2): boolean {
    const first = target.send();
    if (first === undefined) return false;
    this.state.data0 = first;
    if (bytes === 2) this.state.data1 = target.send() ?? 0xff;
    return true;
  }

  /** A block carries its length; reads take it from the target, writes from the data register. */
  #transferBlock(target: SmbusTarget, reads: boolean): boolean {
    const state = this.state;
    if (!reads) {
      const length = Math.min(BLOCK_BYTES, state.data0);
      return target.receive([state.command, length, ...state.block.slice(0, length)]);
    }
    if (!target.receive([state.command])) return false;
    const length = target.send();
    if (length === undefined || length === 0 || length > BLOCK_BYTES) return false;
    state.data0 = length;
    for (let i = 0; i < length; i++) state.block[i] = target.send() ?? 0xff;
    return true;
  }

  #driveInterrupt(): void {
    const { control, status } = this.state;
    this.#interrupt((control & CONTROL_INTERRUPT) !== 0 && (status & STATUS_CLEARABLE) !== 0 ? 1 : 0);
  }
}

function initialState(): PmSmbusState {
  return {
    status: 0,
    control: 0,
    command: 0,
    address: 0,
    data0: 0,
    data1: 0,
    block: new Array<number>(BLOCK_BYTES).fill(0),
    blockIndex: 0,
    auxiliary: 0x02,
    started: false,
  };
}
