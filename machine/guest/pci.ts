/**
 * A guest's PCI: configuration space by ports CF8 and CFC, a scan of bus 0, base addresses, bus mastering.
 *
 * Left out: bridges and buses behind them, 64-bit base addresses beyond 4 GiB, interrupt routing.
 *
 * Source: [PCI 3.0] 3.2.2.3.2 "Software generation of configuration transactions", 6.2.5 "Base Addresses".
 *
 * @module
 */
import type { GuestBus } from "./bus.ts";

const CONFIG_ADDRESS = 0xcf8;
const CONFIG_DATA = 0xcfc;
const SLOTS = 32;
const FUNCTIONS = 8;
const BARS = 6;
/** Where addresses are given out to functions that firmware has left without. */
const FIRST_PORT = 0xc000;
const FIRST_MEMORY = 0xe000_0000;
const COMMAND = { IO: 1, MEMORY: 2, BUS_MASTER: 4 } as const;

/** A base address register with something behind it. */
export interface GuestBar {
  readonly index: number;
  readonly kind: "io" | "memory";
  readonly address: number;
  readonly sizeBytes: number;
}

/** A function that the scan has found. */
export class PciFunction {
  readonly bus: GuestBus;
  readonly slot: number;
  readonly function: number;
  readonly vendor: number;
  readonly device: number;
  /** Class and subclass: 0x0101 for IDE. */
  readonly classCode: number;

  constructor(bus: GuestBus, slot: number, fn: number, identity: number, classCode: number) {
    this.bus = bus;
    this.slot = slot;
    this.function = fn;
    this.vendor = identity & 0xffff;
    this.device = identity >>> 16;
    this.classCode = classCode;
  }

  /** Reads 32 bits of configuration space; `offset` is a multiple of 4. */
  async read(offset: number): Promise<number> {
    return await readConfig(this.bus, this.slot, this.function, offset);
  }

  async write(offset: number, value: number): Promise<void> {
    await this.bus.out32(CONFIG_ADDRESS, configAddress(this.slot, this.function, offset));
    await this.bus.out32(CONFIG_DATA, value);
  }

  /** Switches on ports, memory and bus mastering. */
  async enable(): Promise<void> {
    const command = await this.read(0x04) & 0xffff;
    await this.write(0x04, command | COMMAND.IO | COMMAND.MEMORY | COMMAND.BUS_MASTER);
  }

  /** What the base address registers show; sizes are found by writing ones, as firmware does. */
  async bars(): Promise<GuestBar[]> {
    const found: GuestBar[] = [];
    for (let index = 0; index < BARS; index++) {
      const offset = 0x10 + 4 * index;
      const value = await this.read(offset);
      await this.write(offset, 0xffff_ffff);
      const mask = await this.read(offset);
      await this.write(offset, value);
      if (mask === 0) continue;
      const io = (mask & 1) !== 0;
      const low = io ? 0x3 : 0xf;
      const sizeBytes = (~(mask & ~low) + 1) >>> 0;
      // An I/O register may leave its upper half at zero.
      const size = io && sizeBytes > 0xffff ? sizeBytes & 0xffff : sizeBytes;
      found.push({ index, kind: io ? "io" : "memory", address: (value & ~low) >>> 0, sizeBytes: size });
    }
    return found;
  }

  /** Puts base address register `index` at `address`. */
  async assign(index: number, address: number): Promise<void> {
    await this.write(0x10 + 4 * index, address);
  }
}

/** All functions of bus 0, by slot and function. */
export async function scanPci(bus: GuestBus): Promise<PciFunction[]> {
  const found: PciFunction[] = [];
  for (let slot = 0; slot < SLOTS; slot++) {
    for (let fn = 0; fn < FUNCTIONS; fn++) {
      const identity = await readConfig(bus, slot, fn, 0x00);
      if ((identity & 0xffff) === 0xffff) {
        if (fn === 0) break;
        continue;
      }
      const classCode = await readConfig(bus, slot, fn, 0x08) >>> 16;
      found.push(new PciFunction(bus, slot, fn, identity, classCode));
      const multifunction = (await readConfig(bus, slot, fn, 0x0c) >>> 16 & 0x80) !== 0;
      if (fn === 0 && !multifunction) break;
    }
  }
  return found;
}

/** Gives an address to every base address register that has none, and switches the functions on. */
export async function assignPci(functions: readonly PciFunction[]): Promise<void> {
  const next = { io: FIRST_PORT, memory: FIRST_MEMORY };
  for (const fn of functions) {
    const bars = await fn.bars();
    for (const { index, kind, address, sizeBytes } of bars) {
      if (address !== 0) continue;
      const at = Math.ceil(next[kind] / sizeBytes) * sizeBytes;
      next[kind] = at + sizeBytes;
      await fn.assign(index, at);
    }
    if (bars.length > 0) await fn.enable();
  }
}

async function readConfig(bus: GuestBus, slot: number, fn: number, offset: number): Promise<number> {
  await bus.out32(CONFIG_ADDRESS, configAddress(slot, fn, offset));
  return await bus.in32(CONFIG_DATA);
}

function configAddress(slot: number, fn: number, offset: number): number {
  return (0x8000_0000 | slot << 11 | fn << 8 | offset) >>> 0;
}
