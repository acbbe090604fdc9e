/**
 * `websocket=on`: a server's connection as a web browser speaks it. The handshake is answered, input is taken out of
 * frames, output is put into binary ones, pings are answered.
 *
 * Text frames are taken as input, too; QEMU ends the connection at one. Left out: extensions, subprotocols other than
 * `binary`, any path but `/`.
 *
 * Source: [RFC 6455] 4.2 "Server-Side Requirements", 5 "Data Framing", 7.4.1 for the codes at the end.
 *
 * @module
 */
import { concatBytes } from "../../base/bytes.ts";
import type { Line } from "./dial.ts";

const KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const MAX_REQUEST_BYTES = 4096;
/** Longer control frames are forbidden. */
const MAX_CONTROL_BYTES = 125;

const CONTINUATION = 0;
const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

const CLOSE_NORMAL = 1000;
const CLOSE_PROTOCOL_ERROR = 1002;

/**
 * Answers a client's handshake and makes a line of its frames; `undefined` for a client that wanted something else,
 * which is told so and sent away.
 */
export async function acceptWebsocket(line: Line): Promise<Line | undefined> {
  const request = await readRequest(line);
  if (request !== undefined) {
    const answer = await answerTo(request.head);
    await line.write(new TextEncoder().encode(answer.text)).catch(() => {});
    if (answer.isAccepted) return new WebsocketLine(line, request.rest);
  }
  line.close();
  return undefined;
}

async function readRequest(line: Line): Promise<{ readonly head: string; readonly rest: Uint8Array } | undefined> {
  let bytes: Uint8Array = new Uint8Array();
  while (bytes.length <= MAX_REQUEST_BYTES) {
    const part = await line.read();
    if (part === undefined) return undefined;
    bytes = concatBytes([bytes, part]);
    const text = new TextDecoder("latin1").decode(bytes);
    const end = text.indexOf("\r\n\r\n");
    if (end >= 0) return { head: text.slice(0, end), rest: bytes.subarray(end + 4) };
  }
  return { head: "", rest: bytes };
}

async function answerTo(head: string): Promise<{ readonly isAccepted: boolean; readonly text: string }> {
  const [request = "", ...fields] = head.split("\r\n");
  const values = new Map<string, string>();
  for (const field of fields) {
    const [, name = "", value = ""] = /^([^:]+):\s*(.*?)\s*$/.exec(field) ?? [];
    values.set(name.toLowerCase(), value);
  }
  const words = (name: string) => (values.get(name) ?? "").toLowerCase().split(/\s*,\s*/);
  const refused = (status: string, more = "") => ({
    isAccepted: false,
    text: `HTTP/1.1 ${status}\r\nConnection: close\r\n${more}Content-Length: 0\r\n\r\n`,
  });
  const [, path] = /^GET (\S+) HTTP\/1\.1$/.exec(request) ?? [];
  const protocols = values.has("sec-websocket-protocol") ? words("sec-websocket-protocol") : undefined;
  if (path !== undefined && path !== "/") return refused("404 Not Found");
  const key = values.get("sec-websocket-key");
  const isGood = path !== undefined && key !== undefined && values.get("sec-websocket-version") === "13" &&
    words("upgrade").includes("websocket") && words("connection").includes("upgrade") &&
    (protocols?.includes("binary") ?? true);
  if (!isGood) return refused("400 Bad Request", "Sec-WebSocket-Version: 13\r\n");
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(key + KEY_SUFFIX));
  const accept = btoa(String.fromCharCode(...new Uint8Array(digest)));
  const protocol = protocols === undefined ? "" : "Sec-WebSocket-Protocol: binary\r\n";
  return {
    isAccepted: true,
    text: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n${protocol}\r\n`,
  };
}

/** The bytes that go over a websocket. */
class WebsocketLine implements Line {
  readonly #line: Line;
  readonly #frames = new FrameReader();
  #early: Uint8Array | undefined;
  #saidClose = false;

  constructor(line: Line, early: Uint8Array) {
    this.#line = line;
    this.#early = early;
  }

  get peer(): string | undefined {
    return this.#line.peer;
  }

  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const part = this.#early ?? await this.#line.read();
      this.#early = undefined;
      if (part === undefined) return undefined;
      const { data, pings, ending } = this.#frames.read(part);
      for (const ping of pings) await this.#send(PONG, ping);
      if (ending !== undefined) await this.#sayClose(ending);
      if (data.length > 0) return data;
      if (ending !== undefined) return undefined;
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (!this.#saidClose) await this.#line.write(frame(BINARY, bytes));
  }

  close(): void {
    this.#line.close();
  }

  async #sayClose(code: number): Promise<void> {
    if (this.#saidClose) return;
    this.#saidClose = true;
    await this.#send(CLOSE, new Uint8Array([code >> 8, code & 0xff]));
  }

  /** The other side may have gone; the end of its input tells that. */
  async #send(opcode: number, payload: Uint8Array): Promise<void> {
    await this.#line.write(frame(opcode, payload)).catch(() => {});
  }
}

/** A whole message in one frame; a server's are not masked. */
function frame(opcode: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 0x10000 ? 2 : 8;
  const bytes = new Uint8Array(2 + extended + length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x80 | opcode;
  bytes[1] = extended === 0 ? length : extended === 2 ? 126 : 127;
  if (extended === 2) view.setUint16(2, length);
  if (extended === 8) view.setBigUint64(2, BigInt(length));
  bytes.set(payload, 2 + extended);
  return bytes;
}

/** What a piece of a client's stream came to. */
interface FramePart {
  readonly data: Uint8Array;
  readonly pings: readonly Uint8Array[];
  /** The connection is over, and this code says why. */
  readonly ending: number | undefined;
}

/** Takes a client's frames apart as they come; of data frames nothing is kept, so their length does not matter. */
class FrameReader {
  #head: number[] = [];
  #mask: readonly number[] = [];
  #opcode = 0;
  #left = 0;
  #at = 0;
  #isInPayload = false;
  #isOver = false;
  #control: number[] = [];

  read(bytes: Uint8Array): FramePart {
    const data = new Uint8Array(bytes.length);
    const pings: Uint8Array[] = [];
    let length = 0;
    let ending: number | undefined;
    for (const byte of bytes) {
      if (this.#isOver) break;
      if (!this.#isInPayload) {
        this.#head.push(byte);
        if (!this.#readHead()) ending = CLOSE_PROTOCOL_ERROR;
      } else {
        const plain = byte ^ this.#mask[this.#at++ & 3]!;
        this.#left--;
        if (this.#opcode < CLOSE) data[length++] = plain;
        else this.#control.push(plain);
      }
      if (this.#isInPayload && this.#left === 0) {
        this.#isInPayload = false;
        if (this.#opcode === PING) pings.push(Uint8Array.from(this.#control));
        if (this.#opcode === CLOSE) ending = CLOSE_NORMAL;
        this.#control = [];
      }
      this.#isOver = ending !== undefined;
    }
    return { data: data.subarray(0, length), pings, ending };
  }

  /** Looks at what there is of a frame's head; false where it may not be so. */
  #readHead(): boolean {
    const [first = 0, second] = this.#head;
    const opcode = first & 15;
    if ((first & 0x70) !== 0 || ![CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG].includes(opcode)) return false;
    if (second === undefined) return true;
    const short = second & 0x7f;
    if ((second & 0x80) === 0) return false;
    if (opcode >= CLOSE && (short > MAX_CONTROL_BYTES || (first & 0x80) === 0)) return false;
    const extended = short < 126 ? 0 : short === 126 ? 2 : 8;
    if (this.#head.length < 2 + extended + 4) return true;
    const view = new DataView(Uint8Array.from(this.#head).buffer);
    this.#left = extended === 0 ? short : extended === 2 ? view.getUint16(2) : Number(view.getBigUint64(2));
    if (this.#left > Number.MAX_SAFE_INTEGER) return false;
    this.#mask = this.#head.slice(-4);
    this.#opcode = opcode;
    this.#at = 0;
    this.#head = [];
    this.#isInPayload = true;
    return true;
  }
}
