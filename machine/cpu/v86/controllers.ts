/**
 * The core's own interrupt controllers, read from its state.
 *
 * The core never rotates priorities and has no special fully nested mode. What its local APIC keeps of the timer is its
 * start; what is left of the count follows from the time.
 *
 * Source: where the bytes lie was found by programming each register with a value of its own, v86 0.5.462.
 *
 * @module
 */
import type { InterruptControllers, LocalApicView, PicView } from "../interrupt_controllers.ts";
import type { Core } from "./core.ts";
import { APIC_BYTES, ApicAt, IOAPIC_BYTES, IoApicAt, PIC_BYTES, PicAt, TIMER_PERIODIC } from "./layout.ts";

const INPUTS = 24;
/** What reads of register 1 say. */
const IO_APIC_VERSION = 0x20;
/** The timer counts nanoseconds, divided. */
const COUNTS_PER_MS = 1e6;

/** All of them as they stand between two instructions, at virtual time `nowMs`. */
export function readControllers(core: Core, nowMs: number): InterruptControllers {
  const { exports } = core;
  const ioApic = view(core, exports.get_ioapic_addr(), IOAPIC_BYTES);
  const word = (at: number, index = 0) => ioApic.getUint32(at + 4 * index, true);
  return {
    first: readPic(view(core, exports.get_pic_addr_master(), PIC_BYTES)),
    second: readPic(view(core, exports.get_pic_addr_slave(), PIC_BYTES)),
    ioApic: {
      version: IO_APIC_VERSION,
      id: word(IoApicAt.id),
      select: word(IoApicAt.select),
      requests: word(IoApicAt.requests),
      entries: Array.from(
        { length: INPUTS },
        (_, input) => BigInt(word(IoApicAt.high, input)) << 32n | BigInt(word(IoApicAt.low, input)),
      ),
    },
    localApic: readLocalApic(view(core, exports.get_apic_addr(), APIC_BYTES), nowMs),
  };
}

function view({ bytes }: Core, address: number, lengthBytes: number): DataView {
  return new DataView(bytes.buffer, address >>> 0, lengthBytes);
}

function readPic(state: DataView): PicView {
  const byte = (at: number) => state.getUint8(at);
  return {
    irr: byte(PicAt.irr),
    imr: ~byte(PicAt.enabled) & 0xff,
    isr: byte(PicAt.isr),
    highest: 0,
    vectorBase: byte(PicAt.vectorBase),
    readIsr: byte(PicAt.readIsr) !== 0,
    elcr: byte(PicAt.elcr),
    specialFullyNested: false,
  };
}

function readLocalApic(state: DataView, nowMs: number): LocalApicView {
  const word = (at: number, index = 0) => state.getUint32(at + 4 * index, true);
  const vectors = (at: number) => [0, 1, 2, 3, 4, 5, 6, 7].map((index) => word(at, index));
  return {
    id: word(ApicAt.id),
    lint0: word(ApicAt.lint0),
    lint1: word(ApicAt.lint1),
    performance: word(ApicAt.performance),
    error: word(ApicAt.error),
    thermal: word(ApicAt.thermal),
    timer: word(ApicAt.timer),
    divide: word(ApicAt.divide),
    initialCount: word(ApicAt.initialCount),
    currentCount: currentCount(state, nowMs),
    spurious: word(ApicAt.spurious),
    commandLow: word(ApicAt.commandLow),
    commandHigh: word(ApicAt.commandHigh),
    errorStatus: word(ApicAt.errorStatus),
    isr: vectors(ApicAt.isr),
    irr: vectors(ApicAt.irr),
    taskPriority: word(ApicAt.taskPriority),
    destinationFormat: word(ApicAt.destinationFormat),
    logicalDestination: word(ApicAt.logicalDestination),
  };
}

function currentCount(state: DataView, nowMs: number): number {
  const initial = state.getUint32(ApicAt.initialCount, true);
  if (initial === 0) return 0;
  const ms = nowMs - state.getFloat64(ApicAt.timerStartMs, true);
  const counted = Math.floor(ms * COUNTS_PER_MS / 2 ** state.getUint32(ApicAt.divideShift, true));
  if (counted < initial) return initial - Math.max(0, counted);
  return (state.getUint32(ApicAt.timer, true) & TIMER_PERIODIC) === 0 ? 0 : initial - counted % initial;
}
