import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { ManualClock } from "../../base/clocks.ts";
import { O_NOCTTY, O_NONBLOCK, O_RDWR } from "../../base/host/constants.ts";
import { closeDescriptor, openPath } from "../../base/host/files.ts";
import { type HostLibrary, hostLibrary, hostLibraryMissing } from "../../base/host/libc.ts";
import { PseudoTerminal } from "../../base/host/terminal.ts";
import { ChardevError } from "./errors.ts";
import { HostSerialChardev } from "./host_serial.ts";
import { PtyChardev } from "./pty.ts";
import { Ear } from "./testing.ts";

const ignore = hostLibraryMissing() !== undefined;
const bytes = (text: string) => new TextEncoder().encode(text);

/** A program that has the other end open. */
class Terminal implements Disposable {
  readonly #host: HostLibrary = hostLibrary()!;
  readonly #descriptor: number;

  constructor(path: string) {
    this.#descriptor = openPath(this.#host, path, O_RDWR | O_NOCTTY | O_NONBLOCK);
    assert(this.#descriptor >= 0, path);
  }

  type(text: string): void {
    const typed = bytes(text);
    assertEquals(this.#host.symbols.write(this.#descriptor, typed, BigInt(typed.length)), typed.length);
  }

  /** What is there to read now. */
  read(): string {
    const into = new Uint8Array(4096);
    const count = this.#host.symbols.read(this.#descriptor, into, 4096n);
    return new TextDecoder().decode(into.subarray(0, Math.max(0, count)));
  }

  async until(length: number): Promise<string> {
    let text = "";
    for (let turn = 0; turn < 10_000 && text.length < length; turn++) {
      text += this.read();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return text;
  }

  [Symbol.dispose](): void {
    closeDescriptor(this.#host, this.#descriptor);
  }
}

Deno.test({ name: "a pseudo terminal: who comes, what is said, who goes", ignore }, async () => {
  const clock = new ManualClock();
  await using device = new PtyChardev("p", clock);
  assertMatch(device.filename, /^pty:\/dev\/pts\/\d+$/);
  assertEquals(device.announcement, `char device redirected to ${device.path} (label p)`);
  const ear = new Ear();
  using port = device.connect(ear);
  assertEquals(port.write(bytes("nobody is there")), 15);
  {
    using terminal = new Terminal(device.path);
    assertEquals(ear.events, []);
    clock.advance(1e9);
    await ear.until(() => ear.events.length === 1);
    // Raw: no echo, no signal, no line that has to end first.
    terminal.type("a\x03\r");
    await ear.until(() => ear.text.length === 3);
    port.write(bytes("b\n\xff"));
    assertEquals(await terminal.until(3), new TextDecoder().decode(bytes("b\n\xff")));
  }
  await ear.until(() => ear.events.length === 2);
  assertEquals([ear.text, ear.events], ["a\x03\r", ["opened", "closed"]]);
});

Deno.test(
  { name: "output to a pseudo terminal finds who just came; input stays there without room", ignore },
  async () => {
    await using device = new PtyChardev("p", new ManualClock());
    const ear = new Ear();
    ear.space = 2;
    using port = device.connect(ear);
    using terminal = new Terminal(device.path);
    port.write(bytes("hello"));
    assertEquals(await terminal.until(5), "hello");
    terminal.type("typed");
    await ear.until(() => ear.text === "ty");
    ear.space = 9;
    port.acceptInput();
    await ear.until(() => ear.text === "typed");
  },
);

Deno.test(
  { name: "a pseudo terminal whose other end reads nothing holds output back, and loses none", ignore },
  async () => {
    await using device = new PtyChardev("p", new ManualClock());
    let isFull = false;
    let again = () => {};
    using port = device.connect({ room: () => 0, receive() {}, writable: () => again() });
    using terminal = new Terminal(device.path);
    const text = "0123456789".repeat(60_000);
    let sent = 0;
    const send = () => {
      sent += port.write(bytes(text.slice(sent)));
      isFull ||= sent < text.length;
    };
    again = send;
    send();
    assert(isFull);
    assertEquals(await terminal.until(text.length), text);
  },
);

Deno.test({ name: "a serial port of the host, which a pseudo terminal plays", ignore }, async () => {
  const host = hostLibrary()!;
  const clock = new ManualClock();
  const wire = PseudoTerminal.make(host);
  const device = new HostSerialChardev("s", wire.path, clock);
  const ear = new Ear();
  const port = device.connect(ear);
  assertEquals([device.filename, ear.events], ["serial", ["opened"]]);
  wire.write(bytes("typed\x03"));
  await ear.until(() => ear.text === "typed\x03");
  port.write(bytes("sent\r\xff"));
  await port.flushed();
  assertEquals(new TextDecoder().decode(wire.read()), new TextDecoder().decode(bytes("sent\r\xff")));
  const stty = async () => {
    const { stdout } = await new Deno.Command("stty", { args: ["-a", "-F", wire.path] }).output();
    return new TextDecoder().decode(stdout);
  };
  assertMatch(await stty(), /^speed 115200 baud/);
  port.setLine!({ baud: 9600, dataBits: 8, parity: "none", stopBits: 2 });
  const text = await stty();
  assertMatch(text, /^speed 9600 baud/);
  assertMatch(text, /\scstopb/);
  // The wire is pulled: nothing more comes, and it costs a look a second.
  await wire.close();
  port.write(bytes("lost"));
  await port.flushed();
  while (clock.nextDeadlineNs === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
  port[Symbol.dispose]();
  await device[Symbol.asyncDispose]();
  const refused = assertThrows(() => new HostSerialChardev("t", "/dev/nosuch", clock), ChardevError);
  assertEquals(refused.message, "Could not open '/dev/nosuch': No such file or directory");
});

Deno.test({ name: "what somebody said who has left again is heard", ignore }, async () => {
  const clock = new ManualClock();
  await using device = new PtyChardev("p", clock);
  const ear = new Ear();
  using _port = device.connect(ear);
  {
    using terminal = new Terminal(device.path);
    terminal.type("in passing");
  }
  clock.advance(1e9);
  await ear.until(() => ear.events.length === 2);
  assertEquals(ear.text, "in passing");
});
