/**
 * The CPU's state as bytes: what a snapshot keeps, and what a reset brings back.
 *
 * ```
 *   version (4 bytes), then CPU (1216), first and second PIC (13 each), local APIC (184), I/O APIC (208)
 * ```
 *
 * The time stamp counter is kept as its value at the moment of saving, in the CPU's part.
 *
 * @module
 */
import { assert } from "../../../base/assert.ts";
import type { Core } from "./core.ts";
import { APIC_BYTES, At, CPU_END, CPU_START, IOAPIC_BYTES, PIC_BYTES } from "./layout.ts";

const STATE_VERSION = 1;
const VERSION_BYTES = 4;
const RESET_LIMIT = 0xffff;
/** Of ES CS SS DS FS GS TR LDTR: present, and data, code, a busy 32-bit task, a local table. */
const RESET_ACCESS = [0x93, 0x9b, 0x93, 0x93, 0x93, 0x93, 0x8b, 0x82] as const;

interface Part {
  readonly at: number;
  readonly lengthBytes: number;
}

/** The interrupt controllers. */
function controllers({ exports }: Core): Part[] {
  return [
    { at: exports.get_pic_addr_master() >>> 0, lengthBytes: PIC_BYTES },
    { at: exports.get_pic_addr_slave() >>> 0, lengthBytes: PIC_BYTES },
    { at: exports.get_apic_addr() >>> 0, lengthBytes: APIC_BYTES },
    { at: exports.get_ioapic_addr() >>> 0, lengthBytes: IOAPIC_BYTES },
  ];
}

function parts(core: Core): Part[] {
  return [{ at: CPU_START, lengthBytes: CPU_END - CPU_START }, ...controllers(core)];
}

function copyOut({ bytes }: Core, from: readonly Part[]): Uint8Array {
  const all = new Uint8Array(from.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0));
  let position = 0;
  for (const { at, lengthBytes } of from) {
    all.set(bytes.subarray(at, at + lengthBytes), position);
    position += lengthBytes;
  }
  return all;
}

function copyIn({ bytes }: Core, to: readonly Part[], all: Uint8Array): void {
  let position = 0;
  for (const { at, lengthBytes } of to) {
    bytes.set(all.subarray(position, position + lengthBytes), at);
    position += lengthBytes;
  }
}

/** Copies the interrupt controllers of a core that was just made: the core's own reset leaves them alone. */
export function pristineControllers(core: Core): Uint8Array {
  return copyOut(core, controllers(core));
}

/** Puts the CPU and its interrupt controllers into their state after power-on. */
export function resetCore(core: Core, pristine: Uint8Array): void {
  copyIn(core, controllers(core), pristine);
  core.exports.reset_cpu();
  setDescriptors(core);
  core.exports.full_clear_tlb();
}

/**
 * Limits and access rights as a reset leaves them, which the core's own reset does not set: [SDM] volume 3, table 9-1.
 */
function setDescriptors({ bytes }: Core): void {
  const state = new DataView(bytes.buffer);
  for (const [index, access] of RESET_ACCESS.entries()) {
    bytes[At.segmentAccess + index] = access;
    state.setUint32(At.segmentLimits + 4 * index, RESET_LIMIT, true);
  }
  state.setUint32(At.gdtrLimit, RESET_LIMIT, true);
  state.setUint32(At.idtrLimit, RESET_LIMIT, true);
}

/** All of the CPU's state. */
export function saveCore(core: Core): Uint8Array {
  core.exports.store_current_tsc();
  const state = copyOut(core, parts(core));
  const all = new Uint8Array(VERSION_BYTES + state.length);
  new DataView(all.buffer).setUint32(0, STATE_VERSION, true);
  all.set(state, VERSION_BYTES);
  return all;
}

/** Why `state` cannot be loaded; `undefined` where it can. */
export function stateProblem(core: Core, state: Uint8Array): string | undefined {
  const wanted = VERSION_BYTES + parts(core).reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  if (state.length !== wanted) return `its CPU state has ${state.length} bytes, not ${wanted}`;
  const version = new DataView(state.buffer, state.byteOffset).getUint32(0, true);
  return version === STATE_VERSION ? undefined : `its CPU state has version ${version}, known is ${STATE_VERSION}`;
}

/** Takes up a state that has no problem; RAM and the virtual clock have theirs already. */
export function loadCore(core: Core, state: Uint8Array, nowMs: number): void {
  assert(stateProblem(core, state) === undefined, "a state that was refused");
  const { exports } = core;
  exports.jit_clear_cache_js();
  copyIn(core, parts(core), state.subarray(VERSION_BYTES));
  restoreTsc(core, nowMs);
  exports.update_state_flags();
  exports.full_clear_tlb();
  exports.jit_clear_cache_js();
}

/** Reads of the counter at one moment: the second or third, and all after it, give one more. */
const READS_UNTIL_STEADY = 4;

/**
 * The core's `set_tsc` takes its old offset off twice: what it is given makes up for that. It reads the counter itself,
 * so that must give the same as it does here.
 */
function restoreTsc(core: Core, nowMs: number): void {
  const wanted = tsc(core);
  for (let read = 0; read < READS_UNTIL_STEADY; read++) core.exports.store_current_tsc();
  const now = BigInt(Math.trunc(nowMs * 1e6));
  const given = BigInt.asUintN(64, wanted - now + tsc(core));
  core.exports.set_tsc(Number(given & 0xffff_ffffn), Number(given >> 32n));
}

function tsc({ bytes }: Core): bigint {
  return new DataView(bytes.buffer, At.currentTsc).getBigUint64(0, true);
}
