/**
 * A PCI function's configuration space: 256 bytes of registers, declared as a table.
 *
 * Each register has a reset value, a mask of the bits that software can set and one of those that it clears by writing
 * ones. What a register does is up to whoever is told of writes.
 *
 * Source: [PCI 3.0] 6.1 "Configuration Space Organization", 6.2.
 *
 * @module
 */
import { assert } from "../../../base/assert.ts";

export const CONFIG_BYTES = 256;
/** Where a function's own registers begin. */
const HEADER_BYTES = 0x40;

/** One register. Values are little-endian. */
export interface ConfigRegister {
  readonly name: string;
  readonly offset: number;
  /** Bytes: 1, 2 or 4. */
  readonly size: 1 | 2 | 4;
  readonly reset?: number;
  /** Bits that software sets and clears; none by default. */
  readonly writable?: number;
  /** Bits that software clears by writing ones. */
  readonly writeOneToClear?: number;
  /** Whether a reset leaves it as it is. */
  readonly keepsOnReset?: boolean;
}

/** The registers of one function. */
export class ConfigSpace {
  readonly #bytes = new Uint8Array(CONFIG_BYTES);
  readonly #reset = new Uint8Array(CONFIG_BYTES);
  readonly #writable = new Uint8Array(CONFIG_BYTES);
  readonly #clearable = new Uint8Array(CONFIG_BYTES);
  readonly #kept = new Uint8Array(CONFIG_BYTES);
  readonly #registers = new Map<string, ConfigRegister>();

  /**
   * Beyond the header all is plain storage, which a reset leaves alone, until a register says otherwise: QEMU's functions
   * have it so.
   */
  constructor() {
    this.#writable.fill(0xff, HEADER_BYTES);
    this.#kept.fill(1, HEADER_BYTES);
  }

  /** Declares `registers`; a later row of the same name takes an earlier one's place. */
  define(registers: readonly ConfigRegister[]): void {
    for (const register of registers) {
      const { offset, size } = register;
      assert(offset >= 0 && offset + size <= CONFIG_BYTES, `register ${register.name} lies outside of the space`);
      this.#registers.set(register.name, register);
      put(this.#reset, offset, size, register.reset ?? 0);
      put(this.#bytes, offset, size, register.reset ?? 0);
      put(this.#writable, offset, size, register.writable ?? 0);
      put(this.#clearable, offset, size, register.writeOneToClear ?? 0);
      this.#kept.fill(register.keepsOnReset ? 1 : 0, offset, offset + size);
    }
  }

  /** All registers, by offset. */
  get registers(): ConfigRegister[] {
    return [...this.#registers.values()].sort((a, b) => a.offset - b.offset);
  }

  /** The value of a register by name. */
  get(name: string): number {
    const { offset, size } = this.#register(name);
    return this.read(offset, size);
  }

  /** Sets a register from the device's side: masks do not count. */
  set(name: string, value: number): void {
    const { offset, size } = this.#register(name);
    put(this.#bytes, offset, size, value);
  }

  /** `size` bytes at `offset`; beyond the end all ones. */
  read(offset: number, size: number): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (this.#bytes[offset + i] ?? 0xff);
    return value;
  }

  /** A write by software. */
  write(offset: number, size: number, value: number): void {
    for (let i = 0, rest = value; i < size && offset + i < CONFIG_BYTES; i++, rest = Math.floor(rest / 256)) {
      const at = offset + i;
      const written = rest % 256;
      const writable = this.#writable[at]!;
      const kept = this.#bytes[at]! & ~writable;
      this.#bytes[at] = (kept | (written & writable)) & ~(written & this.#clearable[at]!);
    }
  }

  /** Reset values everywhere, but for registers that keep theirs. */
  reset(): void {
    for (let at = 0; at < CONFIG_BYTES; at++) if (this.#kept[at] === 0) this.#bytes[at] = this.#reset[at]!;
  }

  save(): Uint8Array {
    return this.#bytes.slice();
  }

  /** Takes up what {@link save} gave, 256 bytes. */
  load(bytes: Uint8Array): void {
    assert(bytes.length === CONFIG_BYTES, "a configuration space has 256 bytes");
    this.#bytes.set(bytes);
  }

  #register(name: string): ConfigRegister {
    const register = this.#registers.get(name);
    assert(register !== undefined, `no configuration register ${name}`);
    return register;
  }
}

function put(into: Uint8Array, offset: number, size: number, value: number): void {
  for (let i = 0, rest = value; i < size; i++, rest = Math.floor(rest / 256)) into[offset + i] = rest % 256;
}
