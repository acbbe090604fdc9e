/**
 * A cpio archive in the form that Linux takes for an initial RAM disk ("newc").
 *
 * Source: [LINUX] Documentation/driver-api/early-userspace/buffer-format.rst.
 *
 * @module
 */

/** A file, a folder (`content` absent), a link, or a character device. */
export interface CpioEntry {
  readonly name: string;
  /** Type and permissions, `0o100755`. */
  readonly mode: number;
  readonly content?: Uint8Array;
  readonly device?: readonly [major: number, minor: number];
}

/** The archive. */
export function cpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let length = 0;
  const add = (bytes: Uint8Array) => {
    const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
    padded.set(bytes);
    parts.push(padded);
    length += padded.length;
  };
  for (const [index, entry] of [...entries, { name: "TRAILER!!!", mode: 0 }].entries()) {
    const { name, mode, content = new Uint8Array(0), device = [0, 0] }: CpioEntry = entry;
    const fields = [index + 1, mode, 0, 0, 1, 0, content.length, 0, 0, ...device, name.length + 1, 0];
    const head = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}${name}\0`;
    add(new TextEncoder().encode(head));
    add(content);
  }
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
