/**
 * Int 11h, 12h, 14h, 15h, 17h and 1Ah: what the machine has, memory, serial ports, the clock; and the data area at power
 * on.
 *
 * Left out: joysticks, multitasking hooks beyond answering them, alarms.
 *
 * Source: Ralf Brown's Interrupt List; [ACPI] 6.4, 15.1 "INT 15H, E820H".
 *
 * @module
 */
import { KiB, MiB } from "../../../base/units.ts";
import { type FirmwareCall, linear } from "./call.ts";
import { ROM_BYTES, ROM_SEGMENT } from "./rom.ts";
import { BDA, type FirmwareSite, LOW_MEMORY_KIB } from "./site.ts";
import type { TableMemory } from "./table_memory.ts";

const SMAP = 0x534d4150;
const UNSUPPORTED = 0x86;
const SERIAL_PORTS = [0x3f8, 0x2f8, 0x3e8, 0x2e8];
const LINE_STATUS = 5;
const MODEM_STATUS = 6;
const DATA_READY = 0x01;
const CAN_SEND = 0x20;
const TIMED_OUT = 0x80;
const NS_PER_US = 1000;
const FOUR_GIB = 2 ** 32;
const CMOS = { index: 0x70, data: 0x71 } as const;
const RTC = { seconds: 0x00, minutes: 0x02, hours: 0x04, day: 0x07, month: 0x08, year: 0x09, century: 0x32 } as const;
/** What of the extended data area is in use, but for calls. */
const EXTENDED_AREA_BYTES = 0x100;
const TICKS_PER_DAY = 0x1800b0;
const SECONDS_PER_DAY = 86_400;

/** One run of memory for E820: 1 is RAM, 2 is not. */
interface MemoryRun {
  readonly start: number;
  readonly bytes: number;
  readonly type: 1 | 2;
}

/** The services. */
export class SystemService {
  readonly #site: FirmwareSite;
  readonly #room: TableMemory;

  constructor(site: FirmwareSite, room: TableMemory) {
    this.#site = site;
    this.#room = room;
  }

  /** Fills the data area with what was found. */
  powerOn(): void {
    const { memory } = this.#site;
    memory.write(0x400, new Uint8Array(0x100));
    const ports = SERIAL_PORTS.filter((port) => this.#hasSerial(port));
    for (const [i, port] of ports.entries()) memory.writeValue(BDA.serialPorts + i * 2, 2, port);
    const floppies = this.#site.disks().filter(({ kind }) => kind === "floppy").length;
    const equipment = 0x0026 | (floppies > 0 ? 0x01 | ((floppies - 1) << 6) : 0) | (ports.length << 9);
    memory.writeValue(BDA.equipment, 2, equipment);
    memory.writeValue(BDA.memoryKiB, 2, LOW_MEMORY_KIB);
    memory.writeValue(BDA.extendedArea, 2, LOW_MEMORY_KIB * KiB / 16);
    const extended = new Uint8Array(EXTENDED_AREA_BYTES);
    extended[0] = 1; // its size in KiB
    memory.write(LOW_MEMORY_KIB * KiB, extended);
    memory.writeValue(BDA.hardDisks, 1, this.#site.disks().filter(({ kind }) => kind === "disk").length);
    const seconds = this.#clock(RTC.hours) * 3600 + this.#clock(RTC.minutes) * 60 + this.#clock(RTC.seconds);
    memory.writeValue(BDA.ticks, 4, Math.floor(seconds * TICKS_PER_DAY / SECONDS_PER_DAY));
  }

  /** Int 11h. */
  equipment(call: FirmwareCall): void {
    call.ax = this.#site.memory.readValue(BDA.equipment, 2);
  }

  /** Int 12h. */
  memorySize(call: FirmwareCall): void {
    call.ax = this.#site.memory.readValue(BDA.memoryKiB, 2);
  }

  /** Int 14h. */
  serial(call: FirmwareCall): void {
    const { memory, ports } = this.#site;
    const port = call.dx < 4 ? memory.readValue(BDA.serialPorts + call.dx * 2, 2) : 0;
    if (port === 0) return;
    const status = () => ports.readValue(port + LINE_STATUS, 1);
    switch (call.ah) {
      case 0x00: {
        const baud = [110, 150, 300, 600, 1200, 2400, 4800, 9600][call.al >> 5]!;
        ports.writeValue(port + 3, 1, 0x80);
        ports.writeValue(port, 1, Math.round(115_200 / baud) & 0xff);
        ports.writeValue(port + 1, 1, Math.round(115_200 / baud) >> 8);
        ports.writeValue(port + 3, 1, call.al & 0x1f);
        break;
      }
      case 0x01:
        if ((status() & CAN_SEND) === 0) {
          call.ah = TIMED_OUT | status();
          return;
        }
        ports.writeValue(port, 1, call.al);
        call.ah = status();
        return;
      case 0x02:
        if ((status() & DATA_READY) === 0) {
          call.ah = TIMED_OUT;
          return;
        }
        call.al = ports.readValue(port, 1);
        call.ah = status();
        return;
      case 0x03:
        break;
      default:
        return;
    }
    call.ax = (status() << 8) | ports.readValue(port + MODEM_STATUS, 1);
  }

  /** Int 17h: there is no printer. */
  printer(call: FirmwareCall): void {
    call.ah = 0x01;
  }

  /** Int 15h. */
  system(call: FirmwareCall): void | "again" {
    call.carry = false;
    switch (call.ah) {
      case 0x24:
        return this.#a20(call);
      case 0x4f:
        // Nobody has taken the key.
        call.carry = true;
        return;
      case 0x86:
        return this.#wait(call);
      case 0x87:
        return this.#moveBlock(call);
      case 0x88:
        // Some programs take more than 63 MiB for a negative number.
        call.ax = Math.min(63 * 1024, Math.floor(this.#room.ramEnd / KiB) - 1024);
        return;
      case 0x90:
      case 0x91:
        call.ah = 0;
        return;
      case 0xc0:
        call.es = ROM_SEGMENT;
        call.bx = this.#site.machineTable;
        call.ah = 0;
        return;
      case 0xc1:
        call.es = this.#site.memory.readValue(BDA.extendedArea, 2);
        return;
      case 0xe8:
        if (call.al === 0x20 && call.edx === SMAP) return this.#memoryMap(call);
        if (call.al === 0x01) return this.#memorySizes(call);
    }
    call.ah = UNSUPPORTED;
    call.carry = true;
  }

  /** Int 1Ah, but for PCI. */
  time(call: FirmwareCall): void {
    const { memory } = this.#site;
    call.carry = false;
    switch (call.ah) {
      case 0x00: {
        const ticks = memory.readValue(BDA.ticks, 4);
        call.cx = Math.floor(ticks / 0x10000);
        call.dx = ticks % 0x10000;
        call.al = memory.readValue(BDA.midnight, 1);
        return memory.writeValue(BDA.midnight, 1, 0);
      }
      case 0x01:
        memory.writeValue(BDA.ticks, 4, call.cx * 0x10000 + call.dx);
        return memory.writeValue(BDA.midnight, 1, 0);
      case 0x02:
        call.ch = this.#cmos(RTC.hours);
        call.cl = this.#cmos(RTC.minutes);
        call.dh = this.#cmos(RTC.seconds);
        call.dl = 0;
        return;
      case 0x03:
        this.#setCmos(RTC.hours, call.ch);
        this.#setCmos(RTC.minutes, call.cl);
        return this.#setCmos(RTC.seconds, call.dh);
      case 0x04:
        call.ch = this.#cmos(RTC.century);
        call.cl = this.#cmos(RTC.year);
        call.dh = this.#cmos(RTC.month);
        call.dl = this.#cmos(RTC.day);
        return;
      case 0x05:
        this.#setCmos(RTC.century, call.ch);
        this.#setCmos(RTC.year, call.cl);
        this.#setCmos(RTC.month, call.dh);
        return this.#setCmos(RTC.day, call.dl);
    }
    call.carry = true;
  }

  /** The gate is always open. */
  #a20(call: FirmwareCall): void {
    call.ah = 0;
    if (call.al === 0x02) call.al = 1;
    else if (call.al === 0x03) call.bx = 0x0003;
    else if (call.al > 0x01) {
      call.ah = UNSUPPORTED;
      call.carry = true;
    }
  }

  /** Microseconds by the machine's clock. */
  #wait(call: FirmwareCall): void | "again" {
    const nowNs = this.#site.clock.nowNs();
    if (call.memo === 0) call.memo = nowNs + (call.cx * 0x10000 + call.dx) * NS_PER_US;
    if (nowNs < call.memo) return "again";
  }

  /** Copies between addresses that two descriptors of a table tell. */
  #moveBlock(call: FirmwareCall): void {
    const { memory } = this.#site;
    const table = linear(call.es, call.si);
    const base = (at: number) =>
      memory.readValue(at + 2, 2) + memory.readValue(at + 4, 1) * 0x10000 +
      memory.readValue(at + 7, 1) * 0x100_0000;
    const bytes = new Uint8Array(Math.min(call.cx, 0x8000) * 2);
    memory.read(base(table + 0x10), bytes);
    memory.write(base(table + 0x18), bytes);
    call.ah = 0;
  }

  #memoryMap(call: FirmwareCall): void {
    const { memory } = this.#site;
    const runs = this.#runs();
    const run = runs[call.ebx];
    if (run === undefined || call.ecx < 20) {
      call.ah = UNSUPPORTED;
      call.carry = true;
      return;
    }
    const at = linear(call.es, call.di);
    for (const [i, value] of [run.start, run.bytes].entries()) {
      memory.writeValue(at + i * 8, 4, value % FOUR_GIB);
      memory.writeValue(at + i * 8 + 4, 4, Math.floor(value / FOUR_GIB));
    }
    memory.writeValue(at + 16, 4, run.type);
    call.ebx = call.ebx + 1 < runs.length ? call.ebx + 1 : 0;
    call.eax = SMAP;
    call.ecx = 20;
  }

  #runs(): MemoryRun[] {
    const { lowRamBytes, highRamBytes } = this.#site;
    const low = LOW_MEMORY_KIB * KiB;
    const end = this.#room.ramEnd;
    const runs: MemoryRun[] = [
      { start: 0, bytes: low, type: 1 },
      { start: low, bytes: KiB, type: 2 },
      { start: ROM_SEGMENT * 16, bytes: ROM_BYTES, type: 2 },
      { start: MiB, bytes: end - MiB, type: 1 },
      ...end < lowRamBytes ? [{ start: end, bytes: lowRamBytes - end, type: 2 } as const] : [],
      { start: FOUR_GIB - 256 * KiB, bytes: 256 * KiB, type: 2 },
    ];
    return highRamBytes > 0 ? [...runs, { start: FOUR_GIB, bytes: highRamBytes, type: 1 }] : runs;
  }

  /** Function E801h: KiB from 1 to 16 MiB, and 64-KiB pieces above. */
  #memorySizes(call: FirmwareCall): void {
    const end = this.#room.ramEnd;
    const between = Math.floor(Math.min(end, 16 * MiB) / KiB) - 1024;
    const above = Math.floor(Math.max(0, end - 16 * MiB) / (64 * KiB));
    call.ax = call.cx = between;
    call.bx = call.dx = above;
  }

  #hasSerial(port: number): boolean {
    const { ports } = this.#site;
    // The scratch register keeps what it is given; nothing there reads as ones.
    ports.writeValue(port + 7, 1, 0x5a);
    return ports.readValue(port + 7, 1) === 0x5a;
  }

  #clock(index: number): number {
    const value = this.#cmos(index);
    return (value >> 4) * 10 + (value & 0x0f);
  }

  #cmos(index: number): number {
    this.#site.ports.writeValue(CMOS.index, 1, index);
    return this.#site.ports.readValue(CMOS.data, 1);
  }

  #setCmos(index: number, value: number): void {
    this.#site.ports.writeValue(CMOS.index, 1, index);
    this.#site.ports.writeValue(CMOS.data, 1, value);
  }
}
