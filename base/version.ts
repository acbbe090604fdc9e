/**
 * Which QEMU this speaks like, and moa's own version.
 *
 * @module
 */

/** The release whose text is spoken. */
export const QEMU_VERSION = { major: 7, minor: 2, micro: 22 } as const;

/** moa's own, where QEMU has the name of its package. */
export const PACKAGE_VERSION = "moa 0.1.0";

/** `7.2.22`. */
export function qemuVersionText(): string {
  return `${QEMU_VERSION.major}.${QEMU_VERSION.minor}.${QEMU_VERSION.micro}`;
}
