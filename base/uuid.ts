/**
 * UUIDs as people write them, and their 16 bytes in that order.
 *
 * Source: [RFC 9562] 4 "UUID Format".
 *
 * @module
 */

/** The 16 bytes; `undefined` where the text is no UUID. */
export function parseUuid(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(text)) return undefined;
  return Uint8Array.fromHex(text.replaceAll("-", ""));
}

/** `"12345678-1234-1234-1234-123456789abc"`. */
export function uuidText(bytes: Uint8Array): string {
  return bytes.toHex().replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}
