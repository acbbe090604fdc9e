import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Line } from "./dial.ts";
import { acceptWebsocket } from "./websocket.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** A line whose other side has said all this, in these pieces. */
class Said implements Line {
  readonly peer = undefined;
  readonly #pieces: Iterator<Uint8Array>;
  readonly sent: number[] = [];
  isClosed = false;

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = pieces.values();
  }

  read(): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#pieces.next().value);
  }

  write(part: Uint8Array): Promise<void> {
    this.sent.push(...part);
    return Promise.resolve();
  }

  close(): void {
    this.isClosed = true;
  }

  get text(): string {
    return String.fromCharCode(...this.sent);
  }
}

const REQUEST = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/** A client's frame, masked. */
function frame(first: number, payload: Uint8Array | string): number[] {
  const plain = typeof payload === "string" ? bytes(payload) : payload;
  const { length } = plain;
  const size = length < 126 ? [length] : length < 65536 ? [126, length >> 8, length & 255] : [
    ...[127, 0, 0, 0, 0],
    ...[length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255],
  ];
  const mask = [1, 2, 3, 4];
  return [first, size[0]! | 0x80, ...size.slice(1), ...mask, ...Array.from(plain, (byte, i) => byte ^ mask[i & 3]!)];
}

async function all(line: Line): Promise<number[]> {
  const heard: number[] = [];
  for (let part; (part = await line.read()) !== undefined;) heard.push(...part);
  return heard;
}

Deno.test("the handshake of RFC 6455's example", async () => {
  const said = new Said([bytes(`${REQUEST}Sec-WebSocket-Protocol: binary\r\n\r\n`)]);
  assert(await acceptWebsocket(said) !== undefined);
  assertStringIncludes(said.text, "HTTP/1.1 101 Switching Protocols\r\n");
  assertStringIncludes(said.text, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n");
  assertStringIncludes(said.text, "Sec-WebSocket-Protocol: binary\r\n\r\n");
});

// Answers of qemu-system-x86_64 7.2.
const REFUSED: readonly [request: string, status: string][] = [
  [REQUEST.replace("websocket", "foo"), "400"],
  [REQUEST.replace("13", "8"), "400"],
  [`${REQUEST}Sec-WebSocket-Protocol: chat\r\n`, "400"],
  ["GET / HTTP/1.1\r\n", "400"],
  [REQUEST.replace("/", "/foo"), "404"],
  ["x".repeat(5000), "400"],
];

Deno.test("who wants something else is sent away", async () => {
  for (const [request, status] of REFUSED) {
    const said = new Said([bytes(`${request}\r\n`)]);
    assertEquals(await acceptWebsocket(said), undefined);
    assertStringIncludes(said.text, `HTTP/1.1 ${status} `);
    assert(said.isClosed);
  }
  const gone = new Said([bytes("GET / ")]);
  assertEquals(await acceptWebsocket(gone), undefined);
  assert(gone.isClosed);
});

Deno.test("frames of every length, in any pieces, with controls in between", async () => {
  const long = Uint8Array.from({ length: 70_000 }, (_, i) => i & 255);
  const stream = [
    ...frame(0x02, "frag"),
    ...frame(0x89, "ping"),
    ...frame(0x80, "ments"),
    ...frame(0x82, ""),
    ...frame(0x81, "text"),
    ...frame(0x82, long.subarray(0, 300)),
    ...frame(0x8a, "pong"),
    ...frame(0x82, long),
    ...frame(0x88, new Uint8Array([3, 232])),
    ...frame(0x82, "after the end"),
  ];
  const expected = [...bytes("fragmentstext"), ...long.subarray(0, 300), ...long];
  const whole = Uint8Array.from([...bytes(`${REQUEST}\r\n`), ...stream]);
  for (const size of [1, 3, 1000, whole.length]) {
    const pieces = [];
    for (let at = 0; at < whole.length; at += size) pieces.push(whole.subarray(at, at + size));
    const said = new Said(pieces);
    const line = await acceptWebsocket(said);
    said.sent.length = 0;
    assertEquals(await all(line!), expected);
    assertEquals(said.sent, [0x8a, 4, ...bytes("ping"), 0x88, 2, 3, 232]);
    await line!.write(bytes("nobody"));
    assertEquals(said.sent.length, 10);
  }
});

Deno.test("output is binary frames; what breaks the protocol ends the connection", async () => {
  const bad: number[][] = [
    [0x82, 4, ...bytes("bare")],
    [0xc2, 0x80],
    [0x83, 0x80],
    frame(0x89, "x".repeat(126)),
    frame(0x09, "x"),
    [0x82, 0xff, ...Array(8).fill(0xff), 0, 0, 0, 0],
  ];
  for (const stream of bad) {
    const said = new Said([bytes(`${REQUEST}\r\n`), Uint8Array.from(stream)]);
    const line = await acceptWebsocket(said);
    said.sent.length = 0;
    await line!.write(bytes("hi"));
    assertEquals(await all(line!), []);
    assertEquals(said.sent, [0x82, 2, ...bytes("hi"), 0x88, 2, 3, 234]);
  }
  const said = new Said([bytes(`${REQUEST}\r\n`)]);
  const line = await acceptWebsocket(said);
  said.sent.length = 0;
  await line!.write(new Uint8Array(300));
  await line!.write(new Uint8Array(70_000));
  assertEquals(said.sent.slice(0, 4), [0x82, 126, 1, 44]);
  assertEquals(said.sent.slice(304, 314), [0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]);
});
