/**
 * Where the firmware puts tables for operating systems: below its code in the F segment, and at the end of RAM.
 *
 * How much of RAM they have taken stands in the extended BIOS data area, so that a snapshot keeps it.
 *
 * @module
 */
import { MiB } from "../../../base/units.ts";
import type { AddressSpace } from "../../../devices/bus/mod.ts";
import { TABLES_BYTES } from "../linux.ts";
import { CODE_OFFSET, ROM_SEGMENT } from "./rom.ts";
import { EXTENDED_AREA } from "./site.ts";

/** No more than this of RAM where a kernel was given, whose initial RAM disk is laid out below; else what is ample. */
const HIGH_BYTES = { withKernel: TABLES_BYTES, alone: 16 * MiB } as const;
/** Where tables are looked for they begin at such multiples. */
const PARAGRAPH = 16;
const PAGE = 4096;
const FIRST = ROM_SEGMENT * 16;

/** Where something goes: `"low"` is the F segment, where operating systems look for what points to the rest. */
export type TableZone = "low" | "high";

/** The two zones. */
export class TableMemory {
  readonly #memory: AddressSpace;
  readonly #ramBytes: number;
  readonly #highBytes: number;
  #lowEnd = FIRST;

  /** @param ramBytes where RAM below 4 GiB ends */
  constructor(memory: AddressSpace, ramBytes: number, { hasKernel = true }: { readonly hasKernel?: boolean } = {}) {
    this.#memory = memory;
    this.#ramBytes = ramBytes;
    this.#highBytes = hasKernel ? HIGH_BYTES.withKernel : HIGH_BYTES.alone;
  }

  /** All is free, as at power on. */
  clear(): void {
    this.#lowEnd = FIRST;
    this.#memory.writeValue(EXTENDED_AREA.ramEnd, 4, this.#ramBytes);
  }

  /** Where RAM ends for everybody else: at the start of a page. */
  get ramEnd(): number {
    const taken = this.#memory.readValue(EXTENDED_AREA.ramEnd, 4);
    const end = taken - taken % PAGE;
    return end > MiB && end < this.#ramBytes ? end : this.#ramBytes;
  }

  /** Takes `bytes` bytes at a multiple of `alignment`, a power of two; `undefined` where there is no room for them. */
  take(zone: TableZone, bytes: number, alignment: number): number | undefined {
    const unit = Math.max(alignment, PARAGRAPH);
    if (zone === "low") {
      const at = Math.ceil(this.#lowEnd / unit) * unit;
      if (at + bytes > FIRST + CODE_OFFSET) return undefined;
      this.#lowEnd = at + bytes;
      return at;
    }
    const at = Math.floor((this.ramEnd - bytes) / unit) * unit;
    if (at < Math.max(2 * MiB, this.#ramBytes - this.#highBytes)) return undefined;
    this.#memory.writeValue(EXTENDED_AREA.ramEnd, 4, at);
    return at;
  }

  /** Puts a table of one piece into the F segment; where it is. */
  place(table: Uint8Array): number | undefined {
    const at = this.take("low", table.length, PARAGRAPH);
    if (at !== undefined) this.#memory.write(at, table);
    return at;
  }
}
