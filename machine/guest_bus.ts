/**
 * A machine as a guest driver sees it: ports, memory, interrupt lines.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { GuestBus } from "./guest/bus.ts";
import type { Machine } from "./machine.ts";

/** The view of whoever plays the guest of `machine`. */
export function guestBus(machine: Machine): GuestBus {
  return new MachineGuestBus(machine);
}

/** What a wait for a line that is up already gives. */
const RAISED: Promise<void> = Promise.resolve();

class MachineGuestBus implements GuestBus {
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  in8(port: number): number {
    return this.#machine.ports.readValue(port, 1);
  }

  in16(port: number): number {
    return this.#machine.ports.readValue(port, 2);
  }

  in32(port: number): number {
    return this.#machine.ports.readValue(port, 4);
  }

  out8(port: number, value: number): void {
    this.#machine.ports.writeValue(port, 1, value);
  }

  out16(port: number, value: number): void {
    this.#machine.ports.writeValue(port, 2, value);
  }

  out32(port: number, value: number): void {
    this.#machine.ports.writeValue(port, 4, value);
  }

  ins16(port: number, into: Uint8Array): void {
    for (let at = 0; at < into.length; at += 2) {
      const value = this.in16(port);
      into[at] = value & 0xff;
      into[at + 1] = value >>> 8;
    }
  }

  outs16(port: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at += 2) this.out16(port, bytes[at]! | bytes[at + 1]! << 8);
  }

  readMemory(address: number, lengthBytes: number): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    this.#machine.memory.read(address, bytes);
    return bytes;
  }

  writeMemory(address: number, bytes: Uint8Array): void {
    this.#machine.memory.write(address, bytes);
  }

  waitForInterrupt(line: number, signal?: AbortSignal): Promise<void> {
    const { built } = this.#machine;
    if (built.interruptLevel(line) === 1) return RAISED;
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const finish = (end: () => void) => {
        ignore();
        signal?.removeEventListener("abort", abort);
        end();
      };
      const abort = () => finish(() => reject(signal?.reason));
      const ignore = built.watchInterrupt(line, (level) => {
        if (level === 1) finish(resolve);
      });
      signal?.addEventListener("abort", abort);
    });
  }

  pause(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}
