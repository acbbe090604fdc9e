/**
 * One SMBIOS structure being made: a header, fields, and the texts that fields refer to by number.
 *
 * Source: [DSP0134] 6.1.2 "Structure header format", 6.1.3 "Text strings".
 *
 * @module
 */
import { concatBytes, littleEndian } from "../../../base/bytes.ts";

const HEADER_BYTES = 4;

/** Fields are appended in their order; each method returns the structure itself. */
export class Structure {
  readonly type: number;
  readonly #handle: number;
  readonly #fields: number[] = [];
  readonly #texts: Uint8Array[] = [];

  constructor(type: number, handle: number) {
    this.type = type;
    this.#handle = handle;
  }

  u8(...values: readonly number[]): this {
    this.#fields.push(...values);
    return this;
  }

  u16(...values: readonly number[]): this {
    return this.u8(...values.flatMap((value) => littleEndian(value, 2)));
  }

  u32(...values: readonly number[]): this {
    return this.u8(...values.flatMap((value) => littleEndian(value, 4)));
  }

  u64(value: bigint): this {
    return this.u32(Number(value & 0xffff_ffffn), Number(value >> 32n));
  }

  /** The number of a text that is added; 0 where there is none. */
  text(text: string | undefined): this {
    this.addText(text);
    return this.u8(text === undefined || text === "" ? 0 : this.#texts.length);
  }

  /** A text that no field of its own refers to. */
  addText(text: string | undefined): this {
    if (text !== undefined && text !== "") this.#texts.push(new TextEncoder().encode(`${text}\0`));
    return this;
  }

  /** Header and fields, then the texts, ended by a zero byte; two of those where there is no text. */
  toBytes(): Uint8Array {
    const length = HEADER_BYTES + this.#fields.length;
    const formatted = Uint8Array.of(this.type, length, ...littleEndian(this.#handle, 2), ...this.#fields);
    return concatBytes([formatted, ...this.#texts, new Uint8Array(this.#texts.length === 0 ? 2 : 1)]);
  }
}
