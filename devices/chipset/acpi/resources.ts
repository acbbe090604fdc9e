/**
 * Resource descriptors: what ports, memory, interrupts and DMA channels a device uses or could use.
 *
 * Source: [ACPI 6.5] 6.4.2 "Small Resource Data Type", 6.4.3 "Large Resource Data Type".
 *
 * @module
 */
import { concatBytes, littleEndian } from "../../../base/bytes.ts";
import { buffer, type Expression } from "./aml.ts";

/** One descriptor. */
export interface Resource {
  readonly bytes: Uint8Array;
}

const END_TAG = Uint8Array.of(0x79, 0);

function small(tag: number, ...content: number[]): Resource {
  return { bytes: Uint8Array.of(tag << 3 | content.length, ...content) };
}

function large(tag: number, ...content: number[]): Resource {
  return { bytes: Uint8Array.of(0x80 | tag, ...littleEndian(content.length, 2), ...content) };
}

/** Descriptors in order, as `_CRS` and `_PRS` give them. */
export function resourceTemplate(resources: readonly Resource[]): Expression {
  return buffer(concatBytes([...resources.map(({ bytes }) => bytes), END_TAG]));
}

/** `lengthBytes` ports from `port` on. */
export function ports(port: number, lengthBytes: number): Resource {
  const decodesAllBits = 1;
  return small(0x08, decodesAllBits, ...littleEndian(port, 2), ...littleEndian(port, 2), 1, lengthBytes);
}

/** An ISA interrupt: edge-triggered, active high, not shared. */
export function isaInterrupt(irq: number): Resource {
  return small(0x04, ...littleEndian(1 << irq, 2));
}

/** An ISA DMA channel: compatibility timing, 8 bits wide. */
export function isaDma(channel: number): Resource {
  return small(0x05, 1 << channel, 0);
}

/** Where the number lies in the bytes of a template that begins with {@link interrupts}. */
export const INTERRUPT_NUMBER_OFFSET = 5;

/** One or more PCI interrupts to choose from: level-triggered, active high, shared. */
export function interrupts(...irqs: number[]): Resource {
  const consumer = 1;
  const shared = 8;
  return large(0x09, consumer | shared, irqs.length, ...irqs.flatMap((irq) => littleEndian(irq, 4)));
}

/** Memory that stays where it is. */
export function fixedMemory(address: number, lengthBytes: number): Resource {
  const writable = 1;
  return large(0x06, writable, ...littleEndian(address, 4), ...littleEndian(lengthBytes, 4));
}

const FIXED_PRODUCER = 0x0c; // both ends stay

/** Bus numbers that a bridge produces, both ends included. */
export function busNumbers(first: number, last: number): Resource {
  return addressSpace(0x08, 2, 2, 0, first, last);
}

/** Ports that a bridge passes on, both ends included. */
export function portWindow(first: number, last: number): Resource {
  const wholeRange = 3;
  return addressSpace(0x08, 2, 1, wholeRange, first, last);
}

/** Memory that a bridge passes on, both ends included. */
export function memoryWindow(first: number, last: number, { cacheable = false } = {}): Resource {
  const writable = 1;
  return addressSpace(0x07, 4, 0, writable | (cacheable ? 2 : 0), first, last);
}

function addressSpace(
  tag: number,
  bytes: 2 | 4,
  kind: number,
  flags: number,
  first: number,
  last: number,
): Resource {
  const number = (value: number) => littleEndian(value, bytes);
  const granularity = number(0);
  const translation = number(0);
  const range = [...granularity, ...number(first), ...number(last), ...translation, ...number(last - first + 1)];
  return large(tag, kind, FIXED_PRODUCER, flags, ...range);
}
