import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ManualClock } from "../../base/clocks.ts";
import { OptionError } from "../../base/option_error.ts";
import { ChardevError } from "./errors.ts";
import { type ChardevWish, parseChardev, parseShortForm } from "./options.ts";
import { ChardevSet } from "./set.ts";
import { RingChardev, ScriptChardev } from "./simple.ts";
import { SocketChardev } from "./socket.ts";
import { StdioChardev } from "./stdio.ts";
import { TelnetInput } from "./telnet.ts";
import { Ear } from "./testing.ts";
import { UdpChardev } from "./udp.ts";

function newSet(more: { notes?: string[]; clock?: ManualClock } = {}): ChardevSet {
  const silent = { writeSync: (bytes: Uint8Array) => bytes.length };
  const set = new ChardevSet({
    streams: { stdin: { readable: new Blob(["typed"]).stream() }, stdout: silent, stderr: silent },
    clock: more.clock ?? new ManualClock(),
    note: (text) => void more.notes?.push(text),
  });
  set.start();
  return set;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const wish = (text: string): ChardevWish => parseChardev(`${text},id=x`).wish;

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a ring keeps the last bytes, whatever is put in", () => {
  const ring = new RingChardev("r", "ringbuf", 8);
  const model: number[] = [];
  let seed = 1;
  for (let step = 0; step < 300; step++) {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    const size = seed % 13;
    if (step % 3 === 2) assertEquals([...ring.take(size)], model.splice(0, size));
    else {
      const put = Array.from({ length: size }, (_, i) => (step + i) & 0xff);
      ring.put(Uint8Array.from(put));
      model.push(...put);
      model.splice(0, Math.max(0, model.length - 8));
    }
  }
});

Deno.test("input comes as far as there is room", async () => {
  await using line = new ScriptChardev("line", { received() {} });
  const ear = new Ear();
  ear.space = 3;
  using port = line.connect(ear);
  const said = line.say(bytes("abcdefg"));
  await ear.until(() => ear.text === "abc");
  assertEquals(ear.events, ["opened"]);
  ear.space = 2;
  port.acceptInput();
  await ear.until(() => ear.text === "abcde");
  ear.space = 9;
  port.acceptInput();
  await said;
  assertEquals(ear.text, "abcdefg");
});

Deno.test("output is taken as far as the other end takes it, and goes on afterwards", async () => {
  let heard = 0;
  let letGo = () => {};
  const gate = new Promise<void>((resolve) => letGo = resolve);
  await using line = new ScriptChardev("line", {
    async received(part) {
      await gate;
      heard += part.length;
    },
  });
  let told = () => {};
  const again = new Promise<void>((resolve) => told = resolve);
  using port = line.connect({ room: () => 0, receive() {}, writable: () => told() });
  const much = new Uint8Array(1 << 20);
  const taken = port.write(much);
  assert(taken > 0 && taken < much.length);
  assertEquals(port.write(much), 0);
  letGo();
  await again;
  assert(port.write(much) > 0);
  await port.flushed();
  assert(heard > taken);
});

Deno.test("one frontend for a device, four for a multiplexer; what is in use stays", async () => {
  await using set = newSet();
  const device = await set.add("n", wish("null"));
  const mux = await set.add("m", wish("null,mux=on"));
  assertEquals(set.list.map(({ label, filename }) => [label, filename]), [["n", "null"], ["m-base", "null"], [
    "m",
    "mux",
  ]]);
  using _one = device.connect(new Ear());
  assertThrows(() => device.connect(new Ear()), ChardevError, "Device 'n' is in use");
  const ears = [1, 2, 3, 4].map(() => mux.connect(new Ear()));
  assertThrows(() => mux.connect(new Ear()), ChardevError, "Device 'm' is in use");
  await assertRejects(() => set.remove("m-base"), ChardevError, "Chardev 'm-base' is busy");
  for (const ear of ears) ear[Symbol.dispose]();
  await set.remove("m");
  await set.remove("m-base");
});

Deno.test("another device takes a device's place under its frontend", async () => {
  await using set = newSet();
  const ear = new Ear();
  using port = (await set.add("a", wish("null"))).connect(ear);
  const ring = await set.change("a", wish("ringbuf,size=16"));
  assert(ring instanceof RingChardev);
  port.write(bytes("hello"));
  assertEquals(new TextDecoder().decode(ring.take(9)), "hello");
  assertEquals(ear.events, ["opened", "closed", "opened"]);
});

Deno.test("Ctrl-a: focus, break, itself, help, and what it does to the program", async () => {
  await using set = newSet();
  let out = "";
  const line = set.put(new ScriptChardev("base", { received: (part) => void (out += new TextDecoder().decode(part)) }));
  const mux = await set.add("m", { device: { kind: "mux", base: "base" }, mux: false });
  const done: string[] = [];
  set.terminate = () => void done.push("x");
  set.saveDisks = () => void done.push("s");
  const [monitor, serial] = [new Ear(), new Ear()];
  using _monitor = mux.connect(monitor);
  using port = mux.connect(serial);
  assertEquals([monitor.events, serial.events], [["focus", "opened", "blur"], ["focus", "opened"]]);
  await line.say(bytes("to serial\x01\x01\x01b\x01cto monitor\x01cback\x01s\x01x\x01q"));
  assertEquals([serial.text, monitor.text], ["to serial\x01back", "to monitor"]);
  assertEquals(serial.events.slice(2), ["break", "blur", "focus"]);
  assertEquals(done, ["s", "x"]);
  port.write(bytes("out"));
  await line.say(bytes("\x01h"));
  await port.flushed();
  // Recorded from qemu-system-x86_64 7.2.
  assertEquals(
    out,
    "QEMU: Terminated\n\rout\n\rC-a h    print this help\n\rC-a x    exit emulator\n\r" +
      "C-a s    save disk data back to file (if -snapshot)\n\rC-a t    toggle console timestamps\n\r" +
      "C-a b    send break (magic sysrq)\n\rC-a c    switch between console and monitor\n\rC-a C-a  sends C-a\n\r",
  );
});

Deno.test("a frontend that goes leaves the focus to nobody: a prompt does not speak up at the end", async () => {
  await using set = newSet();
  const line = set.put(new ScriptChardev("base", { received() {} }));
  const mux = await set.add("m", { device: { kind: "mux", base: "base" }, mux: false });
  const [monitor, serial] = [new Ear(), new Ear()];
  using _monitor = mux.connect(monitor);
  const port = mux.connect(serial);
  const before = monitor.events.length;
  port[Symbol.dispose]();
  await line.say(bytes("lost"));
  assertEquals([monitor.events.length, monitor.text], [before, ""]);
  await line.say(bytes("\x01cback"));
  assertEquals([monitor.events.slice(before), monitor.text], [["focus"], "back"]);
});

Deno.test("a multiplexer hears Ctrl-a while a frontend is busy, and keeps what was typed to it", async () => {
  await using set = newSet();
  const line = set.put(new ScriptChardev("base", { received() {} }));
  const mux = await set.add("m", { device: { kind: "mux", base: "base" }, mux: false });
  const [other, busy] = [new Ear(), new Ear()];
  using _other = mux.connect(other);
  using port = mux.connect(busy);
  busy.space = 0;
  await line.say(bytes("typed\x01cthere"));
  assertEquals([busy.text, other.text], ["", "there"]);
  busy.space = 10;
  await line.say(bytes("\x01c"));
  port.acceptInput();
  assertEquals(busy.text, "typed");
});

Deno.test("on a terminal a multiplexer hears Ctrl-a however much was typed to a guest that stands still", async () => {
  await using set = newSet();
  const out = { writeSync: (part: Uint8Array) => part.length, isTerminal: () => true };
  const typed = `${"typed ".repeat(100)}\x01cto the monitor`;
  const stdin = { readable: new Blob([typed]).stream(), isTerminal: () => true };
  set.put(new StdioChardev("base", { stdin, stdout: out, stderr: out }, false));
  const mux = await set.add("m", { device: { kind: "mux", base: "base" }, mux: false });
  const [monitor, guest] = [new Ear(), new Ear()];
  guest.space = 0;
  using _monitor = mux.connect(monitor);
  using port = mux.connect(guest);
  set.start();
  for (let turns = 0; monitor.text === "" && turns < 10_000; turns++) {
    await new Promise((resolve) => setTimeout(resolve));
  }
  assertEquals([monitor.text, guest.text], ["to the monitor", ""]);
  guest.space = 1000;
  port.acceptInput();
  await stdin.readable.cancel().catch(() => {});
});

Deno.test("a terminal on which the guest switched wrapping off has it back in the end", async () => {
  for (
    const [sent, isTerminal, last] of [
      [["\x1b[?", "7", "lhello"], true, "\x1b[?7h"],
      [["\x1b[?7lhello\x1b[?7h"], true, ""],
      [["\x1b[?7lhello"], false, ""],
      [["hello\x1b[", "2J"], true, ""],
    ] as const
  ) {
    let text = "";
    const out = {
      writeSync: (part: Uint8Array) => (text += new TextDecoder().decode(part), part.length),
      isTerminal: () => isTerminal,
    };
    const device = new StdioChardev(
      "s",
      { stdin: { readable: new Blob([]).stream() }, stdout: out, stderr: out },
      false,
    );
    const port = device.connect(new Ear());
    for (const part of sent) port.write(bytes(part));
    await device[Symbol.asyncDispose]();
    assertEquals(text, sent.join("") + last);
  }
});

Deno.test("files: output, log, and pipes that wait for nobody", async () => {
  await withFolder(async (folder) => {
    await using set = newSet();
    const file = await set.add("f", wish(`file,path=${folder}/out,logfile=${folder}/log`));
    file.connect(new Ear()).write(bytes("one"));
    await set.change("f", wish(`file,path=${folder}/out,append=on`));
    assertEquals(Deno.readTextFileSync(`${folder}/out`), "one");
    assertEquals(Deno.readTextFileSync(`${folder}/log`), "one");
    await new Deno.Command("mkfifo", { args: [`${folder}/p.in`, `${folder}/p.out`] }).output();
    const pipe = await set.add("p", wish(`pipe,path=${folder}/p`));
    const ear = new Ear();
    using port = pipe.connect(ear);
    await Deno.writeTextFile(`${folder}/p.in`, "hello");
    await ear.until(() => ear.text === "hello");
    port.write(bytes("answer"));
    using reader = await Deno.open(`${folder}/p.out`);
    const got = new Uint8Array(20);
    const count = await reader.read(got);
    assertEquals(new TextDecoder().decode(got.subarray(0, count!)), "answer");
  });
});

Deno.test("a socket server takes one client after the other; answers to the last words still get there", async () => {
  await withFolder(async (folder) => {
    await using set = newSet();
    const path = `${folder}/s`;
    const device = await set.add("s", wish(`socket,path=${path},server=on,wait=off`));
    assertEquals(device.filename, `disconnected:unix:${path},server=on`);
    const ear = new Ear();
    using port = device.connect(ear);
    ear.event = (event) => {
      if (event === "opened") port.write(bytes("hello"));
      Ear.prototype.event.call(ear, event);
    };
    Object.assign(ear, { inputEnded: () => Promise.resolve(void port.write(bytes("bye"))) });
    for (const name of ["a", "b"]) {
      const client = await Deno.connect({ transport: "unix", path });
      await client.write(bytes(name));
      await client.closeWrite();
      assertEquals(await new Response(client.readable).text(), "hellobye");
    }
    await ear.until(() => ear.events.length === 4);
    assertEquals([ear.text, ear.events], ["ab", ["opened", "closed", "opened", "closed"]]);
  });
});

Deno.test("a client connects again after a while", async () => {
  await withFolder(async (folder) => {
    const [notes, clock]: [string[], ManualClock] = [[], new ManualClock()];
    await using set = newSet({ notes, clock });
    const path = `${folder}/s`;
    const device = await set.add("s", wish(`socket,path=${path},reconnect=5`));
    const ear = new Ear();
    using _port = device.connect(ear);
    while (clock.nextDeadlineNs === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
    assertEquals(notes, [
      `Unable to connect character device s: Failed to connect to '${path}': No such file or directory`,
    ]);
    const listener = Deno.listen({ transport: "unix", path });
    clock.advance(5e9);
    const client = await listener.accept();
    await ear.until(() => ear.events.includes("opened"));
    client.close();
    await ear.until(() => ear.events.includes("closed"));
    listener.close();
  });
});

Deno.test("a server that waits is there when its first client is", async () => {
  const notes: string[] = [];
  await using set = newSet({ notes });
  let isThere = false;
  const adding = set.add("t", wish("socket,host=127.0.0.1,port=0,server=on")).then((device) => {
    isThere = true;
    return device;
  });
  while (notes.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  const port = /^info: QEMU waiting for connection on: disconnected:tcp:127.0.0.1:(\d+),server=on$/.exec(notes[0]!)
    ?.[1];
  assert(!isThere);
  const client = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  const device = await adding;
  assert(device instanceof SocketChardev);
  assert(device.filename.startsWith(`tcp:127.0.0.1:${port},server=on <-> 127.0.0.1:`));
  client.close();
});

Deno.test("abstract names of sockets, as long as they are and filled up", async () => {
  await using set = newSet();
  for (const [tight, told] of [["on", ",abstract=on,tight=on"], ["off", ",abstract=on"]]) {
    const place = `socket,path=moa-test-${Deno.pid},abstract=on,tight=${tight}`;
    const server = await set.add(`server-${tight}`, wish(`${place},server=on,wait=off`));
    assertEquals(server.filename, `disconnected:unix:moa-test-${Deno.pid}${told},server=on`);
    const ear = new Ear();
    using _here = server.connect(ear);
    using there = (await set.add(`client-${tight}`, wish(place))).connect(new Ear());
    there.write(bytes("hello"));
    await ear.until(() => ear.text === "hello");
  }
});

Deno.test("datagrams go to one address and come from there", async () => {
  await using set = newSet();
  const one = await set.add("one", wish("udp,host=127.0.0.1,port=1"));
  assert(one instanceof UdpChardev);
  const two = await set.add("two", wish(`udp,host=127.0.0.1,port=${one.localPort},localaddr=127.0.0.1`));
  assert(two instanceof UdpChardev);
  const back = await set.change("one", wish(`udp,host=127.0.0.1,port=${two.localPort},localport=${one.localPort}`));
  assertEquals([back.filename, back.isOpen], ["udp", true]);
  const [heardOne, heardTwo] = [new Ear(), new Ear()];
  using portOne = back.connect(heardOne);
  using portTwo = two.connect(heardTwo);
  const stranger = await set.add("stranger", wish(`udp,host=127.0.0.1,port=${two.localPort}`));
  using strangerPort = stranger.connect(new Ear());
  strangerPort.write(bytes("who am I"));
  await strangerPort.flushed();
  heardOne.space = 3;
  portOne.write(bytes("ping"));
  await heardTwo.until(() => heardTwo.text !== "");
  portTwo.write(bytes("pong"));
  await heardOne.until(() => heardOne.text === "pon");
  heardOne.space = 5;
  portOne.acceptInput();
  await heardOne.until(() => heardOne.text === "pong");
  assertEquals(heardTwo.text, "ping");
});

Deno.test("telnet commands are no input; a break is told", () => {
  let breaks = 0;
  const input = new TelnetInput(() => breaks++);
  const filtered: number[] = [];
  // a, IAC DO ECHO, b, IAC IAC, IAC SB 24 1 IAC SE, IAC BREAK, c: byte by byte
  for (const byte of [97, 255, 253, 1, 98, 255, 255, 255, 250, 24, 1, 255, 240, 255, 243, 99]) {
    filtered.push(...input.filter(new Uint8Array([byte])));
  }
  assertEquals([filtered, breaks], [[97, 98, 255, 99], 1]);
});

// Texts of qemu-system-x86_64 7.2 behind `-chardev`, but for the last ones, which are moa's own.
const REFUSED: readonly [text: string, message: string][] = [
  ["foo,id=a", "'foo' is not a valid char driver name"],
  ["null", "chardev: no id specified"],
  ["null,id=9", "Parameter 'id' expects an identifier"],
  ["socket,id=a", "Unable to parse FD number "],
  ["socket,id=a,path=/x,host=h", "None or one of 'path', 'fd' or 'host' option required."],
  ["socket,id=a,host=h", "chardev: socket: no port given"],
  [
    "socket,id=a,path=/nonexistent/x,server=on,wait=off",
    "Failed to bind socket to /nonexistent/x: No such file or directory",
  ],
  ["socket,id=a,path=/nonexistent/x", "Failed to connect to '/nonexistent/x': No such file or directory"],
  ["socket,id=a,path=/x,server=on,reconnect=3", "'reconnect' option is incompatible with socket in server listen mode"],
  ["socket,id=a,path=/x,wait=off", "'wait' option is incompatible with socket in client connect mode"],
  ["socket,id=a,fd=999", "File descriptor '999' is not a socket"],
  ["socket,id=a,fd=0,server=on", "File descriptor '0' is not a socket"],
  ["socket,id=a,host=127.0.0.1,port=1", "Failed to connect to '127.0.0.1:1': Connection refused"],
  ["socket,id=a,host=127.0.0.1,port=0", "Failed to connect to '127.0.0.1:0': Connection refused"],
  [
    "socket,id=a,host=127.0.0.1,port=abc",
    "address resolution failed for 127.0.0.1:abc: Servname not supported for ai_socktype",
  ],
  ["socket,id=a,path=/x,websocket=on", "Websocket client is not implemented"],
  ["socket,id=a,path=/x,tls-creds=t", "No TLS credentials with id 't'"],
  ["socket,id=a,path=/x,foo=t", "Invalid parameter 'foo'"],
  ["socket,id=a,path=/x,server=maybe", "Parameter 'server' expects 'on' or 'off'"],
  ["file,id=a", "chardev: file: no filename given"],
  ["file,id=a,path=/nonexistent/x", "Could not open '/nonexistent/x': No such file or directory"],
  ["pipe,id=a", "chardev: pipe: no device path given"],
  ["pipe,id=a,path=/nonexistent/x", "Could not open '/nonexistent/x': No such file or directory"],
  ["ringbuf,id=a,size=100", "size of ringbuf chardev must be power of two"],
  ["serial,id=a", "chardev: serial/tty: no device path given"],
  ["udp,id=a", "chardev: udp: remote port not specified"],
  ["udp,id=a,port=", "chardev: udp: remote port not specified"],
  ["udp,id=a,port=abc", "address resolution failed for localhost:abc: Servname not supported for ai_socktype"],
  ["udp,id=a,host=[,port=:1]:5", "address resolution failed for [::1]:5: Servname not supported for ai_socktype"],
  ["udp,id=a,port=5,localport=abc", "address resolution failed for :abc: Servname not supported for ai_socktype"],
  [
    "udp,id=a,port=5,host=1.2.3.4,localaddr=::1",
    "address resolution failed for ::1:0: Address family for hostname not supported",
  ],
  ["udp,id=a,host=127.0.0.1,port=5,localaddr=1.2.3.4", "Failed to bind socket: Cannot assign requested address"],
  ["socket,id=a,path=nothere,abstract=on", "Failed to connect to 'nothere': Connection refused"],
  [`socket,id=a,path=${"x".repeat(108)},abstract=on`, `UNIX socket path '${"x".repeat(108)}' is too long`],
  [`socket,id=a,path=${"x".repeat(108)},server=on`, `UNIX socket path '${"x".repeat(108)}' is too long`],
  ["tty,id=a,path=/dev/nosuch", "Could not open '/dev/nosuch': No such file or directory"],
  ["serial,id=a,path=/", "Could not open '/': Is a directory"],
  ["parallel,id=a", "chardev: parallel: no device path given"],
  ["mux,id=a", "chardev: mux: no chardev given"],
  ["null,id=a,logfile=/nonexistent/x", "Could not create '/nonexistent/x': No such file or directory"],
  ["stdio,id=a,signal=maybe", "Parameter 'signal' expects 'on' or 'off'"],
  ["socket,id=a,path=/x,server=on,tn3270=on", "there is no 3270 terminal in moa"],
];

Deno.test("options that are refused, in QEMU's words or by name", async () => {
  await using set = newSet();
  for (const [text, message] of REFUSED) {
    const error = await (async () => {
      const { id, wish } = parseChardev(text);
      await set.add(id, wish);
    })().then(() => undefined, (error) => error);
    assert(error instanceof ChardevError || error instanceof OptionError, text);
    assertEquals(error.message, message, text);
  }
  assertEquals(set.list, []);
});

// Behind `-monitor`; what QEMU says before it in the third column.
const REFUSED_SHORT: readonly [text: string, message: string, preceding?: string][] = [
  ["foo", "parse error: foo", "'foo' is not a valid char driver"],
  ["", "parse error: ", "'' is not a valid char driver"],
  ["stdio,foo=1", "parse error: stdio,foo=1", "'stdio,foo=1' is not a valid char driver"],
  ["tcp:foo", "parse error: tcp:foo"],
  ["telnet:127.0.0.1", "parse error: telnet:127.0.0.1"],
  ["vc:foo", "parse error: vc:foo"],
  ["unix:", "Unable to parse FD number "],
  ["udp:5555", "parse error: udp:5555"],
  ["udp:127.0.0.1:5@a", "parse error: udp:127.0.0.1:5@a"],
  ["udp::5@", "parse error: udp::5@"],
  ["con:", "'console' is not a valid char driver name"],
  ["websocket:127.0.0.1:1", "Websocket client is not implemented"],
  ["tcp:127.0.0.1:1,server,foo", "parse error: tcp:127.0.0.1:1,server,foo", "Invalid parameter 'foo'"],
];

Deno.test("short forms", () => {
  for (const [text, message, preceding] of REFUSED_SHORT) {
    const error = assertThrows(() => parseShortForm(text), ChardevError);
    assertEquals([error.message, ...error.preceding], preceding === undefined ? [message] : [message, preceding]);
  }
  const socket = (text: string) => {
    const { device } = parseShortForm(text);
    assert(device.kind === "socket");
    return device.socket;
  };
  assertEquals(socket("tcp:[::1]:4444,server").address, { transport: "tcp", hostname: "::1", port: "4444" });
  assertEquals([socket("tcp::4444,server").wait, socket("tcp::4444,server,nowait").wait], [true, false]);
  assertEquals([socket("telnet::4444,server").telnet, socket("unix:s").server], [true, false]);
  const udp = (text: string) => {
    const { device } = parseShortForm(text);
    assert(device.kind === "udp");
    const { remote, local } = device.udp;
    return [remote.hostname, remote.port, local?.hostname, local?.port];
  };
  assertEquals(udp("udp::4555"), ["localhost", "4555", undefined, undefined]);
  assertEquals(udp("udp::4555@:4556"), ["localhost", "4555", "", "4556"]);
  assertEquals(udp("udp:remote:1@local:2,foo"), ["remote", "1", "local", "2"]);
  assertEquals(parseShortForm("mon:stdio"), { device: { kind: "stdio", signal: false }, mux: true });
});

Deno.test("a browser's end of a socket", async () => {
  await using set = newSet();
  const device = await set.add("w", wish("socket,host=127.0.0.1,port=0,server=on,wait=off,websocket=on"));
  const place = /^disconnected:websocket:(127.0.0.1:\d+),server=on$/.exec(device.filename)?.[1];
  const ear = new Ear();
  using port = device.connect(ear);
  const socket = new WebSocket(`ws://${place}/`, "binary");
  socket.binaryType = "arraybuffer";
  const answer = new Promise<string>((resolve, reject) => {
    socket.onmessage = ({ data }) => resolve(new TextDecoder().decode(data));
    socket.onerror = reject;
  });
  await new Promise((resolve) => socket.onopen = resolve);
  socket.send(bytes("hello"));
  await ear.until(() => ear.text === "hello");
  assert(device.filename.startsWith(`websocket:${place},server=on <-> 127.0.0.1:`));
  port.write(bytes("answer"));
  assertEquals(await answer, "answer");
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;
  await ear.until(() => ear.events.includes("closed"));
});
