/**
 * The CPU's registers, read from the core's state.
 *
 * @module
 */
import type { CpuRegisters, SegmentRegister } from "../accelerator.ts";
import type { Core } from "./core.ts";
import { At } from "./layout.ts";

/** In the core's order. */
const SEGMENTS = ["ES", "CS", "SS", "DS", "FS", "GS", "TR", "LDT"] as const;
const GENERAL = ["EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"] as const;
const FOUR_KIB_UNITS = 0x80_0000;
const BIG = 0x40_0000;

/** All of them, as they stand between two instructions. */
export function readRegisters(core: Core): CpuRegisters {
  const word = (at: number, index = 0) => core.word(at + 4 * index) >>> 0;
  const state = new DataView(core.bytes.buffer);
  const is32 = core.bytes[At.is32] !== 0;
  const segments: SegmentRegister[] = SEGMENTS.map((name, index) => {
    const limit = word(At.segmentLimits, index);
    const granular = limit > 0xf_ffff;
    // The core keeps the size of code alone; whoever has more than 64 KiB of data addresses them by 32 bits.
    const big = name === "CS" ? is32 : index < 6 && limit > 0xffff;
    const flags = core.bytes[At.segmentAccess + index]! << 8 | (granular ? FOUR_KIB_UNITS : 0) | (big ? BIG : 0) |
      (granular ? limit >>> 12 : limit) & 0xf_0000;
    const selector = state.getUint16(At.selectors + 2 * index, true);
    return { name, selector, base: word(At.segmentBases, index), limit, flags };
  });
  return {
    general: Object.fromEntries(GENERAL.map((name, index) => [name, word(At.reg32, index)])),
    // The core counts in linear addresses.
    eip: (word(At.instructionPointer) - segments[1]!.base) >>> 0,
    eflags: core.exports.get_eflags() >>> 0,
    cpl: core.bytes[At.cpl]!,
    halted: core.halted,
    segments,
    gdt: { base: word(At.gdtrBase), limit: word(At.gdtrLimit) & 0xffff },
    idt: { base: word(At.idtrBase), limit: word(At.idtrLimit) & 0xffff },
    control: [0, 1, 2, 3, 4].map((index) => word(At.cr, index)),
    debug: [0, 1, 2, 3, 4, 5, 6, 7].map((index) => word(At.dr, index)),
    fpuControl: state.getUint16(At.fpuControl, true),
    fpuStatus: state.getUint16(At.fpuStatus, true),
    fpuTop: core.bytes[At.fpuStackTop]! & 7,
    fpuEmpty: core.bytes[At.fpuStackEmpty]!,
    mxcsr: word(At.mxcsr),
    fpu: [0, 1, 2, 3, 4, 5, 6, 7].map((index) => ({
      mantissa: state.getBigUint64(At.fpuRegisters + 16 * index, true),
      exponent: state.getUint16(At.fpuRegisters + 16 * index + 8, true),
    })),
    xmm: [0, 1, 2, 3, 4, 5, 6, 7].map((index) => ({
      low: state.getBigUint64(At.xmm + 16 * index, true),
      high: state.getBigUint64(At.xmm + 16 * index + 8, true),
    })),
  };
}
