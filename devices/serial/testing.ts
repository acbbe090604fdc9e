/**
 * Two serial ports and a parallel one on a bare machine, for tests of this folder.
 *
 * @module
 */
import type { CharConnection, Chardev, CharFrontend, CharLine } from "../bus/mod.ts";
import { type TestMachine, testMachine } from "../bus/testing.ts";
import { isaDebugcon } from "./isa_debugcon.ts";
import { type IsaParallel, isaParallel } from "./isa_parallel.ts";
import { type IsaSerial, isaSerial } from "./isa_serial.ts";

/** The other end of a port in a test's hands. */
export class TestLine implements Chardev {
  readonly label = "line";
  /** What the port sent. */
  readonly heard: number[] = [];
  /** How many bytes it takes; all without a limit. */
  takes = Infinity;
  frontend: CharFrontend | undefined;
  /** The last speed and format that the port told. */
  line: CharLine | undefined;
  /** How often the port said that it has room. */
  invitations = 0;

  connect(frontend: CharFrontend): CharConnection {
    this.frontend = frontend;
    return {
      isOpen: true,
      write: (bytes) => {
        const taken = bytes.subarray(0, Math.min(bytes.length, this.takes));
        this.takes -= taken.length;
        this.heard.push(...taken);
        return taken.length;
      },
      setLine: (line) => void (this.line = line),
      acceptInput: () => void this.invitations++,
      flushed: () => Promise.resolve(),
      hangUp() {},
      [Symbol.dispose]: () => void (this.frontend = undefined),
    };
  }

  /** Gives the port as much as it has room for; returns how much that was. */
  say(...bytes: number[]): number {
    const room = Math.min(this.frontend!.room(), bytes.length);
    if (room > 0) this.frontend!.receive(Uint8Array.from(bytes.slice(0, room)));
    return room;
  }

  get text(): string {
    return String.fromCharCode(...this.heard);
  }
}

export interface PortsMachine extends TestMachine, AsyncDisposable {
  readonly com1: IsaSerial;
  readonly com2: IsaSerial;
  readonly lpt1: IsaParallel;
  readonly line1: TestLine;
  readonly line2: TestLine;
  readonly printer: TestLine;
  readonly debug: TestLine;
}

/** COM1, COM2, LPT1, a debug console at its port. */
export async function portsMachine(): Promise<PortsMachine> {
  const machine = testMachine();
  const [line1, line2, printer, debug] = [new TestLine(), new TestLine(), new TestLine(), new TestLine()];
  const com1 = isaSerial.create(machine, { index: 0, chardev: line1 });
  const com2 = isaSerial.create(machine, { index: 1, chardev: line2 });
  const lpt1 = isaParallel.create(machine, { index: 0, chardev: printer });
  const debugcon = isaDebugcon.create(machine, { chardev: debug });
  for (const device of [com1, com2, lpt1, debugcon]) {
    await device.realize(machine.isa);
    await device.reset();
  }
  return {
    ...machine,
    com1,
    com2,
    lpt1,
    line1,
    line2,
    printer,
    debug,
    async [Symbol.asyncDispose]() {
      for (const device of [com1, com2, lpt1, debugcon]) await device.unrealize();
    },
  };
}
