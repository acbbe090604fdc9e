/**
 * What interrupt controllers hold, whoever models them: the board's chips, or those that a CPU brings.
 *
 * Source: [8259A] "Programming the 8259A"; [82093AA] 3.0 "Register Description"; [SDM] volume 3, chapter 10 "Advanced
 * Programmable Interrupt Controller".
 *
 * @module
 */

/** An 8259A; eight-bit registers have a bit for each input. */
export interface PicView {
  readonly irr: number;
  readonly imr: number;
  readonly isr: number;
  /** The input of the highest priority. */
  readonly highest: number;
  /** The vector of input 0. */
  readonly vectorBase: number;
  /** Whether reads of the first port show the ISR. */
  readonly readIsr: boolean;
  /** Inputs that are level-triggered. */
  readonly elcr: number;
  readonly specialFullyNested: boolean;
}

/** An I/O APIC with 24 inputs. */
export interface IoApicView {
  readonly version: number;
  readonly id: number;
  /** The register that the window shows. */
  readonly select: number;
  /** A bit for each input that asks. */
  readonly requests: number;
  /** Redirection entries, 64 bits each. */
  readonly entries: readonly bigint[];
}

/** A CPU's local APIC; registers as the guest reads them. */
export interface LocalApicView {
  readonly id: number;
  readonly lint0: number;
  readonly lint1: number;
  readonly performance: number;
  readonly error: number;
  readonly thermal: number;
  readonly timer: number;
  /** Divide configuration. */
  readonly divide: number;
  readonly initialCount: number;
  readonly currentCount: number;
  readonly spurious: number;
  readonly commandLow: number;
  readonly commandHigh: number;
  readonly errorStatus: number;
  /** Eight words, vector 0 in the lowest bit of the first. */
  readonly isr: readonly number[];
  readonly irr: readonly number[];
  readonly taskPriority: number;
  /** The whole register: the model is in bits 28 to 31. */
  readonly destinationFormat: number;
  /** The whole register: the id is in bits 24 to 31. */
  readonly logicalDestination: number;
}

/** All of a machine with one CPU. */
export interface InterruptControllers {
  readonly first: PicView;
  readonly second: PicView;
  readonly ioApic: IoApicView;
  readonly localApic: LocalApicView;
}

const MASKED = 0x1_0000;
const NO_VECTORS: readonly number[] = new Array(8).fill(0);

/** A local APIC that was just switched on: [SDM] 10.4.7.1 "Local APIC State After Power-Up or Reset". */
export const LOCAL_APIC_AFTER_RESET: LocalApicView = {
  id: 0,
  lint0: MASKED,
  lint1: MASKED,
  performance: MASKED,
  error: MASKED,
  thermal: MASKED,
  timer: MASKED,
  divide: 0,
  initialCount: 0,
  currentCount: 0,
  spurious: 0xff,
  commandLow: 0,
  commandHigh: 0,
  errorStatus: 0,
  isr: NO_VECTORS,
  irr: NO_VECTORS,
  taskPriority: 0,
  destinationFormat: 0xffff_ffff,
  logicalDestination: 0,
};
