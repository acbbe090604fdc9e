/**
 * Register files: a table declares each register, and reset, access by any width, tracing names and saved state follow.
 *
 * Behaviour is not here: a device asks {@link RegisterFile.at} which register an access hits and switches over its
 * name, or lets {@link RegisterFile.read} and {@link RegisterFile.write} do what the table says. Left out: registers
 * wider than 32 bits (declare two), banks.
 *
 * ```ts
 * import { RegisterFile, registerTable } from "./registers.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const TABLE = registerTable({
 *   command: { offset: 0, size: 1, access: "rw", mask: 0x09, section: "[BMIDE] 2.1" },
 *   status: { offset: 2, size: 1, access: "rw1c", mask: 0x06, section: "[BMIDE] 2.2" },
 * });
 * const registers = new RegisterFile(TABLE);
 * registers.set("status", 0x04);
 * registers.write(2, 1, 0x04);
 * assertEquals(registers.get("status"), 0);
 * ```
 *
 * @module
 */
import { assert } from "./assert.ts";

/** What a guest may do: `rw1c` bits are cleared by writing one to them. */
export type Access = "ro" | "wo" | "rw" | "rw1c";

/** One row of a table. */
export interface RegisterDeclaration {
  /** Bytes from the start of the block. */
  readonly offset: number;
  /** Bytes. */
  readonly size: 1 | 2 | 4;
  readonly access: Access;
  /** Its value after reset; 0 where absent. */
  readonly reset?: number;
  /** The bits that a write changes (`rw`) or clears (`rw1c`); all where absent. */
  readonly mask?: number;
  /** The bits that a write of one clears in a register that is `rw` otherwise, as PCI status has them. */
  readonly clearMask?: number;
  /** Where the specification says so: `"[ATA-8] 7.12"`. */
  readonly section: string;
}

/** A checked table; names are its keys. */
export interface RegisterTable<Name extends string> {
  readonly rows: ReadonlyMap<Name, RegisterDeclaration>;
  /** Bytes from the start to the end of the last register. */
  readonly sizeBytes: number;
  /** The register that covers each byte. */
  readonly byOffset: readonly (Name | undefined)[];
}

/** Checks a table: no overlaps, values within the size. @throws {AssertionFailure} */
export function registerTable<const Rows extends Readonly<Record<string, RegisterDeclaration>>>(
  rows: Rows,
): RegisterTable<keyof Rows & string> {
  type Name = keyof Rows & string;
  const entries = Object.entries(rows) as [Name, RegisterDeclaration][];
  const sizeBytes = Math.max(0, ...entries.map(([, row]) => row.offset + row.size));
  const byOffset = new Array<Name | undefined>(sizeBytes).fill(undefined);
  for (const [name, row] of entries) {
    for (let at = row.offset; at < row.offset + row.size; at++) {
      assert(byOffset[at] === undefined, `registers ${byOffset[at]} and ${name} overlap at ${at}`);
      byOffset[at] = name;
    }
    for (const value of [row.reset, row.mask, row.clearMask]) {
      assert(value === undefined || (value >= 0 && value < 2 ** (8 * row.size)), `${name} is too narrow for ${value}`);
    }
  }
  return { rows: new Map(entries), sizeBytes, byOffset };
}

/** A register file's state: every name and its value, so that a forgotten one does not compile. */
export type RegisterState<Name extends string> = Readonly<Record<Name, number>>;

/** The values of a table's registers. Accesses never throw, whatever the guest does. */
export class RegisterFile<Name extends string> {
  readonly table: RegisterTable<Name>;
  readonly #values = new Map<Name, number>();

  constructor(table: RegisterTable<Name>) {
    this.table = table;
    this.reset();
  }

  /** Gives every register its reset value. */
  reset(): void {
    for (const [name, row] of this.table.rows) this.#values.set(name, row.reset ?? 0);
  }

  /** The register that covers byte `offset`, for a device's switch and for tracing. */
  at(offset: number): Name | undefined {
    return this.table.byOffset[offset];
  }

  /** The value, whatever the guest may see of it. */
  get(name: Name): number {
    return this.#values.get(name)!;
  }

  /** Sets the value as the device itself does: no access rule applies, bits beyond its size are dropped. */
  set(name: Name, value: number): void {
    const row = this.table.rows.get(name)!;
    this.#values.set(name, row.size === 4 ? value >>> 0 : value & (2 ** (8 * row.size) - 1));
  }

  /**
   * What a guest reads: `size` bytes at `offset`, little endian, over as many registers as they cover.
   *
   * Write-only registers and gaps read as 0.
   */
  read(offset: number, size: 1 | 2 | 4): number {
    let value = 0;
    for (let i = 0; i < size; i++) value += this.#readByte(offset + i) * 2 ** (8 * i);
    return value;
  }

  /**
   * What a guest writes. Bytes that hit no register, and read-only ones, are dropped.
   *
   * @returns the names of the registers that were written, in order, for the device to act on.
   */
  write(offset: number, size: 1 | 2 | 4, value: number): Name[] {
    const touched: Name[] = [];
    for (let i = 0; i < size; i++) {
      const name = this.table.byOffset[offset + i];
      if (name === undefined) continue;
      if (touched.at(-1) !== name) touched.push(name);
      this.#writeByte(name, offset + i, Math.floor(value / 2 ** (8 * i)) & 0xff);
    }
    return touched;
  }

  /** All values by name. */
  save(): RegisterState<Name> {
    return Object.fromEntries(this.#values) as Record<Name, number>;
  }

  /** Takes what {@link save} gave. */
  restore(state: RegisterState<Name>): void {
    for (const name of this.table.rows.keys()) this.set(name, state[name]);
  }

  #readByte(offset: number): number {
    const name = this.table.byOffset[offset];
    if (name === undefined) return 0;
    const row = this.table.rows.get(name)!;
    return row.access === "wo" ? 0 : this.#values.get(name)! >>> (8 * (offset - row.offset)) & 0xff;
  }

  #writeByte(name: Name, offset: number, byte: number): void {
    const row = this.table.rows.get(name)!;
    if (row.access === "ro") return;
    const shift = 8 * (offset - row.offset);
    const old = this.#values.get(name)!;
    const mask = (row.mask ?? 0xffffffff) & (0xff << shift);
    const bits = byte << shift;
    const clears = (row.access === "rw1c" ? mask : (row.clearMask ?? 0) & (0xff << shift)) & bits;
    const written = row.access === "rw1c" ? old : (old & ~mask) | (bits & mask);
    // Bits that a one clears are never set by writing.
    const kept = row.clearMask === undefined ? written : (written & ~row.clearMask) | (old & row.clearMask);
    this.#values.set(name, (kept & ~clears) >>> 0);
  }
}
