/**
 * PCI at power on (addresses and interrupts are given out), and the PCI functions of int 1Ah.
 *
 * Left out: bridges, expansion ROMs, 64-bit addresses above 4 GiB.
 *
 * Source: [PCI 3.0] 6.2.5 "Base Addresses"; [PCI BIOS] PCI BIOS Specification 2.1, 4; [PIIX3] 2.2.7 "PIRQRC".
 *
 * @module
 */
import { type FirmwareCall, linear } from "./call.ts";
import { mpPointer, mpTable, PIR_HEADER_BYTES, pirTable, wireOf } from "./routing_tables.ts";
import { type FirmwareSite, POWER_PORTS } from "./site.ts";
import type { TableMemory } from "./table_memory.ts";

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
const SLOTS = 32;
const FUNCTIONS = 8;
const BARS = 6;
const FIRST_IO = 0xc000;
const FIRST_MEMORY = 0xf000_0000;
/** What the four wires are routed to, and what they may be routed to. */
const INTERRUPTS = [10, 10, 11, 11];
const ROUTABLE = 1 << 5 | 1 << 10 | 1 << 11;
const PIRQ_ROUTES = 0x60;
const EDGE_LEVEL = 0x4d1;
/** Interrupts 10 and 11 are level-triggered, as PCI's are. */
const LEVEL_TRIGGERED = 0x0c;
const VENDOR_INTEL = 0x8086;
const DEVICE = { piix3: 0x7000, piix3Ide: 0x7010, piix4Power: 0x7113 } as const;
/** The host bridge's register for F0000 to FFFFF: what of it is RAM. */
const PAM0 = 0x59;
/** Those for C0000 to EFFFF: four bits for each 16 KiB. */
const PAM1 = 0x5a;
const PAM_PAGE_BYTES = 0x4000;
const PAM_START = 0xc0000;
const PAM0_READ = 0x10;
const PAM0_WRITE = 0x20;
const PORTS_AND_MEMORY_AND_MASTER = 0x0007;
const ERROR = { unsupported: 0x81, badVendor: 0x83, notFound: 0x86, badRegister: 0x87, smallBuffer: 0x89 } as const;

/** The services. */
export class PciService {
  readonly #site: FirmwareSite;

  constructor(site: FirmwareSite) {
    this.#site = site;
  }

  /** Gives every function on bus 0 its addresses and its interrupt, and switches it on. */
  powerOn(): void {
    let io = FIRST_IO;
    let memory = FIRST_MEMORY;
    for (const place of this.#functions()) {
      for (let bar = 0; bar < BARS; bar++) {
        const at = 0x10 + bar * 4;
        const isWide = (this.#read(place, at, 4) & 0x7) === 0x4;
        this.#write(place, at, 4, 0xffff_ffff);
        const mask = this.#read(place, at, 4);
        if (mask === 0) continue;
        if ((mask & 1) !== 0) {
          const bytes = ((~(mask & 0xfffc)) & 0xffff) + 1;
          io = Math.ceil(io / bytes) * bytes;
          this.#write(place, at, 4, io);
          io += bytes;
        } else {
          const bytes = (~(mask & 0xffff_fff0) >>> 0) + 1;
          memory = Math.ceil(memory / bytes) * bytes;
          this.#write(place, at, 4, memory);
          memory += bytes;
        }
        if (isWide) this.#write(place, 0x10 + ++bar * 4, 4, 0);
      }
      const pin = this.#read(place, 0x3d, 1);
      if (pin > 0) this.#write(place, 0x3c, 1, INTERRUPTS[wireOf(place >> 3, pin - 1)]!);
      this.#setUpChip(place);
      this.#write(place, 0x04, 2, this.#read(place, 0x04, 2) | PORTS_AND_MEMORY_AND_MASTER);
    }
    this.#site.ports.writeValue(EDGE_LEVEL, 1, LEVEL_TRIGGERED);
  }

  /** Where memory window `bar` of the first function with this device and vendor is; `undefined` without one. */
  memoryOf(id: number, bar: number): number | undefined {
    const place = this.#functions().find((one) => this.#read(one, 0, 4) === id);
    const value = place === undefined ? 1 : this.#read(place, 0x10 + bar * 4, 4);
    return (value & 1) !== 0 || value < 16 ? undefined : (value & 0xffff_fff0) >>> 0;
  }

  /** Tells systems without ACPI how interrupts are wired. */
  placeTables(room: TableMemory): void {
    room.place(pirTable(ROUTABLE));
    const at = room.place(mpTable(INTERRUPTS));
    if (at !== undefined) room.place(mpPointer(at));
  }

  /** Lets the F segment be written to while `work` goes on. */
  withOpenSegment(work: () => void): void {
    this.#write(0, PAM0, 1, PAM0_READ | PAM0_WRITE);
    work();
    this.#write(0, PAM0, 1, PAM0_READ);
  }

  /** Whole pages from `start` on are RAM, which can be written to while it is open. */
  shadow(start: number, end: number, { isOpen }: { readonly isOpen: boolean }): void {
    for (let page = Math.floor((start - PAM_START) / PAM_PAGE_BYTES); PAM_START + page * PAM_PAGE_BYTES < end; page++) {
      const register = PAM1 + (page >> 1);
      const shift = (page & 1) * 4;
      const others = this.#read(0, register, 1) & ~(0xf << shift);
      this.#write(0, register, 1, others | ((isOpen ? 3 : 1) << shift));
    }
  }

  /** Int 1Ah, functions B1xxh. */
  call(call: FirmwareCall): void {
    call.carry = false;
    switch (call.al) {
      case 0x01:
        call.edx = 0x20494350;
        call.ax = 0x0001;
        call.bx = 0x0210;
        call.cx = 0;
        return;
      case 0x02:
        if (call.dx === 0xffff) return this.#fail(call, ERROR.badVendor);
        return this.#find(call, (place) => this.#read(place, 0, 4) === call.cx * 0x10000 + call.dx);
      case 0x03:
        return this.#find(call, (place) => this.#read(place, 0x08, 4) >>> 8 === (call.ecx & 0xff_ffff));
    }
    if (call.al === 0x0e) return this.#routing(call);
    const size = 1 << ((call.al - 0x08) % 3);
    if (call.al < 0x08 || call.al > 0x0d) return this.#fail(call, ERROR.unsupported);
    if (call.di > 0xff || call.di % size !== 0) return this.#fail(call, ERROR.badRegister);
    const elsewhere = call.bh !== 0;
    call.ah = 0;
    if (call.al < 0x0b) {
      const value = elsewhere ? 2 ** (size * 8) - 1 : this.#read(call.bl, call.di, size);
      if (size === 1) call.cl = value;
      else if (size === 2) call.cx = value;
      else call.ecx = value;
    } else if (!elsewhere) {
      this.#write(call.bl, call.di, size, size === 1 ? call.cl : size === 2 ? call.cx : call.ecx);
    }
  }

  /** The rows of the interrupt routing table, where the guest's buffer takes them. */
  #routing(call: FirmwareCall): void {
    const { memory } = this.#site;
    const rows = pirTable(ROUTABLE).subarray(PIR_HEADER_BYTES);
    const at = linear(call.es, call.di);
    const room = memory.readValue(at, 2);
    memory.writeValue(at, 2, rows.length);
    if (room < rows.length) return this.#fail(call, ERROR.smallBuffer);
    memory.write(linear(memory.readValue(at + 4, 2), memory.readValue(at + 2, 2)), rows);
    call.bx = 1 << 10 | 1 << 11;
    call.ah = 0;
  }

  /** The function number `call.si` of those that fit. */
  #find(call: FirmwareCall, fits: (place: number) => boolean): void {
    const place = this.#functions().filter(fits)[call.si];
    if (place === undefined) return this.#fail(call, ERROR.notFound);
    call.bx = place;
    call.ah = 0;
  }

  #fail(call: FirmwareCall, error: number): void {
    call.ah = error;
    call.carry = true;
  }

  #setUpChip(place: number): void {
    if (this.#read(place, 0, 2) !== VENDOR_INTEL) return;
    switch (this.#read(place, 2, 2)) {
      case DEVICE.piix3:
        for (const [i, line] of INTERRUPTS.entries()) this.#write(place, PIRQ_ROUTES + i, 1, line);
        return;
      case DEVICE.piix3Ide:
        // Both channels answer at their old ports.
        for (const at of [0x40, 0x42]) this.#write(place, at, 2, 0x8000);
        return;
      case DEVICE.piix4Power:
        this.#write(place, 0x3c, 1, 9);
        this.#write(place, 0x40, 4, POWER_PORTS | 1);
        this.#write(place, 0x80, 1, 0x01);
    }
  }

  /** Slots and functions of bus 0 where there is something: `slot << 3 | function`. */
  #functions(): number[] {
    const found: number[] = [];
    for (let slot = 0; slot < SLOTS; slot++) {
      if (this.#read(slot << 3, 0, 2) === 0xffff) continue;
      const several = (this.#read(slot << 3, 0x0e, 1) & 0x80) !== 0;
      for (let one = 0; one < (several ? FUNCTIONS : 1); one++) {
        if (this.#read((slot << 3) | one, 0, 2) !== 0xffff) found.push((slot << 3) | one);
      }
    }
    return found;
  }

  #read(place: number, register: number, size: number): number {
    this.#select(place, register);
    return this.#site.ports.readValue(CONFIG_DATA + (register & 3), size);
  }

  #write(place: number, register: number, size: number, value: number): void {
    this.#select(place, register);
    this.#site.ports.writeValue(CONFIG_DATA + (register & 3), size, value);
  }

  #select(place: number, register: number): void {
    this.#site.ports.writeValue(CONFIG_ADDRESS, 4, (0x8000_0000 | (place << 8) | (register & 0xfc)) >>> 0);
  }
}
