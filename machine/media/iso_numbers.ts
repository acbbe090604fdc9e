/**
 * Numbers and dates as a CD has them: twice, in both byte orders.
 *
 * Source: [ECMA-119] 7.2.3, 7.3.3, 8.4.26.1, 9.1.5.
 *
 * @module
 */

/** Writes 16 bits little-endian and then big-endian. */
export function putBoth16(bytes: Uint8Array, at: number, value: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint16(at, value, true);
  view.setUint16(at + 2, value);
}

/** Writes 32 bits little-endian and then big-endian. */
export function putBoth32(bytes: Uint8Array, at: number, value: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(at, value, true);
  view.setUint32(at + 4, value);
}

/** The seven bytes of a date in a directory record, in UTC. */
export function recordingTime(date: Date): number[] {
  return [
    date.getUTCFullYear() - 1900,
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
    0,
  ];
}

/** The seventeen bytes of a date in a volume descriptor, in UTC. */
export function volumeTime(date: Date): Uint8Array {
  const digits = date.toISOString().replace(/\D/g, "").slice(0, 16);
  return Uint8Array.of(...new TextEncoder().encode(digits), 0);
}

/** The same field where there is no date. */
export function noVolumeTime(): Uint8Array {
  return Uint8Array.of(...new TextEncoder().encode("0".repeat(16)), 0);
}
