/**
 * What cannot be done with a machine.
 *
 * @module
 */

/** An operating error of the machine; the message is QEMU's. */
export class MachineError extends Error {
  override readonly name = "MachineError";
}
