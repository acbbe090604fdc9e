/**
 * A guest's PCI: configuration space by ports CF8 and CFC, a scan of bus 0, base addresses, bus mastering, capabilities,
 * messages, and the way of an interrupt pin through PIIX3.
 *
 * Left out: bridges and buses behind them, giving out addresses beyond 4 GiB.
 *
 * Source: [PCI 3.0] 3.2.2.3.2 "Software generation of configuration transactions", 6.2.5 "Base Addresses", 6.7, 6.8.2;
 * Intel 82371SB (PIIX3) datasheet, 2.2.9 "PIRQRC", 2.5.5 "ELCR".
 *
 * @module
 */
import { littleEndian } from "../../base/bytes.ts";
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

const BAR_TYPE = 6;
const BAR_64_BIT = 4;
const STATUS_CAPABILITIES = 0x10;
const MSIX = 0x11;
const MSIX_ENABLE = 0x8000_0000;
const PIIX3_SLOT = 1;
const PIRQ_ROUTES = 0x60;
const ELCR_HIGH = 0x4d1;

/** A capability: its id, and where it begins. */
export interface GuestCapability {
  readonly id: number;
  readonly offset: number;
}

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
      const address = (value & ~low) >>> 0;
      const wide = !io && (mask & BAR_TYPE) === BAR_64_BIT;
      const high = wide ? await this.read(offset + 4) : 0;
      found.push({ index, kind: io ? "io" : "memory", address: address + high * 2 ** 32, sizeBytes: size });
      if (wide) index++;
    }
    return found;
  }

  /** The capabilities, in the order of their list. */
  async capabilities(): Promise<GuestCapability[]> {
    const found: GuestCapability[] = [];
    if ((await this.read(0x04) >>> 16 & STATUS_CAPABILITIES) === 0) return found;
    let offset = await this.read(0x34) & 0xfc;
    // A list that is longer than configuration space has room for is a loop.
    while (offset !== 0 && found.length < 48) {
      const head = await this.read(offset);
      found.push({ id: head & 0xff, offset });
      offset = head >>> 8 & 0xfc;
    }
    return found;
  }

  /**
   * Switches MSI-X on and has message `i` written to the 4 bytes at `address + 4 * i`, with `i + 1` as its data: a
   * driver without a local APIC looks for it there. @returns how many messages there are; 0 for a function without
   */
  async enableMessages(address: number): Promise<number> {
    const capability = (await this.capabilities()).find(({ id }) => id === MSIX);
    if (capability === undefined) return 0;
    const head = await this.read(capability.offset);
    const count = (head >>> 16 & 0x7ff) + 1;
    const place = await this.read(capability.offset + 4);
    const bar = (await this.bars()).find(({ index }) => index === (place & 7));
    const table = (bar?.address ?? 0) + (place & ~7);
    for (let i = 0; i < count; i++) {
      for (const [word, value] of [address + 4 * i, 0, i + 1, 0].entries()) {
        await this.bus.writeMemory(table + 16 * i + 4 * word, Uint8Array.from(littleEndian(value, 4)));
      }
    }
    await this.write(capability.offset, (head | MSIX_ENABLE) >>> 0);
    return count;
  }

  /** Leads its interrupt pin to line `line` (9 to 15), level-triggered, through PIIX3. */
  async routePin(line: number): Promise<void> {
    const pin = (await this.read(0x3c) >>> 8 & 0xff) - 1;
    const wire = (this.slot - 1 + pin) & 3;
    const routes = await readConfig(this.bus, PIIX3_SLOT, 0, PIRQ_ROUTES);
    const shift = 8 * wire;
    await this.bus.out32(CONFIG_ADDRESS, configAddress(PIIX3_SLOT, 0, PIRQ_ROUTES));
    await this.bus.out32(CONFIG_DATA, ((routes & ~(0xff << shift)) | line << shift) >>> 0);
    await this.bus.out8(ELCR_HIGH, await this.bus.in8(ELCR_HIGH) | 1 << (line - 8));
    await this.write(0x3c, (await this.read(0x3c) & ~0xff | line) >>> 0);
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

/**
 * Gives an address to every base address register of `functions` that has none, beside those of `present`, and switches
 * the functions on.
 */
export async function assignPci(functions: readonly PciFunction[], present = functions): Promise<void> {
  const taken: GuestBar[] = [];
  for (const fn of present) taken.push(...(await fn.bars()).filter(({ address }) => address !== 0));
  for (const fn of functions) {
    const bars = await fn.bars();
    for (const bar of bars) {
      if (bar.address !== 0) continue;
      const address = freePlace(bar, taken);
      taken.push({ ...bar, address });
      await fn.assign(bar.index, address);
    }
    if (bars.length > 0) await fn.enable();
  }
}

/** The first place of its size that nobody has. */
function freePlace({ kind, sizeBytes }: GuestBar, taken: readonly GuestBar[]): number {
  const aligned = (address: number) => Math.ceil(address / sizeBytes) * sizeBytes;
  let at = aligned(kind === "io" ? FIRST_PORT : FIRST_MEMORY);
  for (;;) {
    const other = taken.find((bar) =>
      bar.kind === kind && bar.address < at + sizeBytes && bar.address + bar.sizeBytes > at
    );
    if (other === undefined) return at;
    at = aligned(other.address + other.sizeBytes);
  }
}

async function readConfig(bus: GuestBus, slot: number, fn: number, offset: number): Promise<number> {
  await bus.out32(CONFIG_ADDRESS, configAddress(slot, fn, offset));
  return await bus.in32(CONFIG_DATA);
}

function configAddress(slot: number, fn: number, offset: number): number {
  return (0x8000_0000 | slot << 11 | fn << 8 | offset) >>> 0;
}
