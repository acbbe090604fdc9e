/**
 * Where the core is not what it has to be here, and a few bytes of its module make it so.
 *
 * A correction names the code that it changes by the bytes around it; they are there exactly once, or the module is
 * another.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { MachineError } from "../../errors.ts";
import { VERSION } from "./layout.ts";

interface Correction {
  readonly found: readonly number[];
  /** As long as what it takes the place of. */
  readonly wanted: readonly number[];
}

/**
 * The walk through page tables: `if (cr4 & 0x10) if (entry & 0x80) bigPage()`. With PAE (bit 5) entries may be big pages
 * whatever PSE (bit 4) says: [SDM 3] 4.4.2, table 4-9. memtest86+ counts on it.
 */
const PAE_HAS_BIG_PAGES: Correction = {
  found: [0x20, 0x08, 0x41, 0x10, 0x71, 0x45, 0x0d, 0x00, 0x20, 0x07, 0x41, 0x80, 0x01, 0x71],
  wanted: [0x20, 0x08, 0x41, 0x30, 0x71, 0x45, 0x0d, 0x00, 0x20, 0x07, 0x41, 0x80, 0x01, 0x71],
};

/**
 * Its allocator: `memory.grow(bytes >> 16)`. It has all its memory from the start ({@link withFixedMemory}) and is told
 * which part may be used by who runs it: `io_port_read32(bytes >> 0)`, of a port above any that there is.
 */
const ASKS_FOR_MEMORY: Correction = {
  found: [0x20, 0x06, 0x41, 0x10, 0x76, 0x40, 0x00, 0x22, 0x04, 0x41, 0x7f, 0x46],
  wanted: [0x20, 0x06, 0x41, 0x00, 0x76, 0x10, 0x0a, 0x22, 0x04, 0x41, 0x7f, 0x46],
};

const CORRECTIONS: readonly Correction[] = [PAE_HAS_BIG_PAGES, ASKS_FOR_MEMORY];

/** Corrects `module` itself. @throws {MachineError} where it is another than these are for */
export function correct(module: Uint8Array): void {
  const bytes = Buffer.from(module.buffer, module.byteOffset, module.length);
  for (const { found, wanted } of CORRECTIONS) {
    const looked = Uint8Array.from(found);
    const at = bytes.indexOf(looked);
    if (at < 0 || bytes.indexOf(looked, at + 1) >= 0) {
      throw new MachineError(`the CPU core is not v86 ${VERSION}: it has no place for a correction`);
    }
    module.set(wanted, at);
  }
}
