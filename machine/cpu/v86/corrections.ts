/**
 * Where the core is not what the architecture says, and a byte of its module makes it so.
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

const CORRECTIONS: readonly Correction[] = [PAE_HAS_BIG_PAGES];

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
