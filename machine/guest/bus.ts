/**
 * What a guest sees of its machine: ports, memory and interrupt lines, nothing else.
 *
 * Drivers in this folder are written against it, so that they run over any machine: moa's own board, a socket, a test
 * rig. In one process answers come at once; over a wire they are promises, which is why drivers `await` each.
 *
 * @module
 */

/** A value, or the promise of one. */
export type Answer<T> = T | Promise<T>;

/** A guest's view of the machine. */
export interface GuestBus {
  in8(port: number): Answer<number>;
  in16(port: number): Answer<number>;
  in32(port: number): Answer<number>;
  out8(port: number, value: number): Answer<void>;
  out16(port: number, value: number): Answer<void>;
  out32(port: number, value: number): Answer<void>;
  /** `rep insw`: fills `into`, whose length is even, from a 16-bit port. */
  ins16(port: number, into: Uint8Array): Answer<void>;
  /** `rep outsw`: sends `bytes`, whose length is even, to a 16-bit port. */
  outs16(port: number, bytes: Uint8Array): Answer<void>;
  /** Reads memory at a guest address; lengths of 1, 2 and 4 are one access of that width, so that registers work. */
  readMemory(address: number, lengthBytes: number): Answer<Uint8Array>;
  /** Writes memory at a guest address; lengths of 1, 2 and 4 are one access of that width. */
  writeMemory(address: number, bytes: Uint8Array): Answer<void>;
  /**
   * Resolves when interrupt line `line` (0 to 23, as wired to the interrupt controller) is raised, at once when it is.
   *
   * @throws the signal's reason when that is aborted first
   */
  waitForInterrupt(line: number, signal?: AbortSignal): Promise<void>;
  /** Lets the machine work for a moment: what a guest calls between two looks at a status register. */
  pause(): Promise<void>;
}
