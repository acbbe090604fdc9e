/**
 * One guest access to a device's registers: cut into the sizes that its handlers take, or widened to them.
 *
 * A device that takes 1 and 2 bytes sees an access of 4 as two of 2. One that takes only 4 sees an access of 1 as one of
 * 4, of which the rest is cut off.
 *
 * @module
 */
import type { AccessSizes, IoHandlers } from "./memory_region.ts";

const ONE_TO_FOUR: AccessSizes = { min: 1, max: 4 };

/** Whether a guest may access `size` bytes at `offset` at all. */
export function isValidAccess(handlers: IoHandlers, offset: number, size: number): boolean {
  const valid = handlers.validSizes ?? ONE_TO_FOUR;
  return size >= valid.min && size <= valid.max && (valid.unaligned === true || offset % size === 0);
}

/** How many of `length` bytes at `offset` one access takes: a power of two, aligned where the handlers want it. */
export function accessSize(handlers: IoHandlers, offset: number, length: number): number {
  let max = (handlers.validSizes ?? ONE_TO_FOUR).max;
  if (handlers.accessSizes?.unaligned !== true) {
    while (max > 1 && offset % max !== 0) max >>>= 1;
  }
  while (max > length) max >>>= 1;
  return max;
}

/** Reads `size` (1, 2 or 4) bytes: a value below 2^32. */
export function readRegisters(handlers: IoHandlers, offset: number, size: number): number {
  const { min, max } = handlers.accessSizes ?? ONE_TO_FOUR;
  const unit = Math.max(Math.min(size, max), min);
  if (unit === size) return masked(handlers.read(offset, size), size);
  const big = handlers.endian === "big";
  let value = 0;
  for (let at = 0; at < size; at += unit) {
    const piece = masked(handlers.read(offset + at, unit), unit);
    const shift = big ? size - unit - at : at;
    value += shift >= 0 ? piece * 2 ** (shift * 8) : Math.floor(piece / 2 ** (-shift * 8));
  }
  return masked(value, size);
}

/** Writes `size` (1, 2 or 4) bytes. */
export function writeRegisters(handlers: IoHandlers, offset: number, size: number, value: number): void {
  const { min, max } = handlers.accessSizes ?? ONE_TO_FOUR;
  const unit = Math.max(Math.min(size, max), min);
  if (unit === size) return handlers.write(offset, size, masked(value, size));
  const big = handlers.endian === "big";
  for (let at = 0; at < size; at += unit) {
    const shift = big ? size - unit - at : at;
    const piece = shift >= 0 ? Math.floor(value / 2 ** (shift * 8)) : value * 2 ** (-shift * 8);
    handlers.write(offset + at, unit, masked(piece, unit));
  }
}

/** The lowest `size` bytes of `value`. */
export function masked(value: number, size: number): number {
  return size === 4 ? value >>> 0 : size === 2 ? value & 0xffff : value & 0xff;
}

/** `size` bytes of `value` in the other order. */
export function swapped(value: number, size: number): number {
  if (size === 1) return value;
  if (size === 2) return ((value & 0xff) << 8) | (value >>> 8);
  return (((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}
