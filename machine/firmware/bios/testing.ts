/**
 * The built-in firmware's services called as its ROM calls them, for tests.
 *
 * @module
 */
import { nextTurn } from "../../../base/turn.ts";
import type { TestMachine } from "../../../devices/bus/testing.ts";
import { FRAME_ADDRESS, FRAME_BYTES } from "./call.ts";
import { CALL_PORT } from "./rom.ts";

/** Where registers are in a call's frame, and the number of the service. */
export const FRAME_AT = { dx: 24, cx: 28, ax: 32, number: 36 } as const;
/** A string is written a few characters at a time. */
const MAX_LOOKS = 20_000;
/** Int 15h waits up to 72 minutes. */
const LOOK_NS = 1e10;

/** Calls; the frame afterwards, or that the call sleeps. @throws where it never ends */
export async function callFirmware(machine: TestMachine, frame: Uint8Array): Promise<Uint8Array | "sleeps"> {
  machine.memory.write(FRAME_ADDRESS, frame);
  machine.out(CALL_PORT, 0);
  const asked = machine.in(CALL_PORT);
  for (let looks = 0; looks < MAX_LOOKS; looks++) {
    machine.out(CALL_PORT + 1, asked);
    const answer = machine.in(CALL_PORT + 1);
    if (answer === 2) return "sleeps";
    if (answer === 0) {
      const after = new Uint8Array(FRAME_BYTES);
      machine.memory.read(FRAME_ADDRESS, after);
      return after;
    }
    machine.clock.advance(LOOK_NS);
    await nextTurn();
  }
  throw new Error(`a call never ended: ${frame.toHex()}`);
}
