/**
 * Two ports of the board that belong to no chip: 80, where firmware writes its progress, and F0, which clears the
 * coprocessor's error line. Both read as ones.
 *
 * Source: [PIIX3] 2.5.6 "Coprocessor Error Register"; port 80: [IBM AT HITR] "Manufacturing checkpoint port".
 *
 * @module
 */
import { type IrqLine, MemoryRegion } from "../bus/mod.ts";

/** Port 80; `wrote` is told of each progress code. */
export function progressPort(wrote?: (value: number) => void): MemoryRegion {
  return MemoryRegion.io("ioport80", 1, { read: () => 0xffff_ffff, write: (_offset, _size, value) => wrote?.(value) });
}

/** Port F0; a write lowers `error` (interrupt 13). */
export function coprocessorErrorPort(error?: IrqLine): MemoryRegion {
  return MemoryRegion.io("ioportF0", 1, { read: () => 0xffff_ffff, write: () => error?.set(0) });
}
