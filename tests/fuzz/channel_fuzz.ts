/**
 * What comes over the wire of a character device from somebody who means harm: telnet's commands, a websocket's handshake
 * and frames, JSON in pieces.
 *
 * Nothing throws, nothing goes on for ever, and a line that is given up is closed. A line may break at any write.
 *
 * @module
 */
import type { SeededRandom } from "../../base/random.ts";
import { JsonStream } from "../../base/json/mod.ts";
import type { Line } from "../../machine/chardev/dial.ts";
import { TelnetInput } from "../../machine/chardev/telnet.ts";
import { acceptWebsocket } from "../../machine/chardev/websocket.ts";
import { pick } from "../support/pick.ts";
import { type Finding, type Seeds, trySeeds } from "./seeds.ts";

/** How it is run. */
export interface ChannelFuzz extends Seeds {
  /** What answers a handshake, instead of moa's own. */
  readonly accept?: typeof acceptWebsocket;
}

const HANDSHAKE = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
/** First bytes of frames: data, continuations, pings, closes, reserved bits. */
const FRAMES = [0x82, 0x02, 0x80, 0x00, 0x89, 0x88, 0x81, 0xf2, 0x0a];
const JSON_BYTES = [...new TextEncoder().encode('{{}}[]"",::\\u01e+-.tfn \n\'%')];
const MAX_READS = 100;

class Broken extends Error {}

/** Runs with seeds from `seed` on. */
export function fuzzChannels({ accept = acceptWebsocket, ...seeds }: ChannelFuzz): Promise<Finding[]> {
  return trySeeds(seeds, async ({ random, told }) => {
    told.push("telnet");
    const telnet = new TelnetInput(() => {});
    for (let n = random.below(6); n > 0; n--) telnet.filter(bytes(random, () => 240 + random.below(16)));
    told.push("JSON");
    const stream = new JsonStream(() => {});
    for (let n = random.below(6); n > 0; n--) stream.push(bytes(random, () => pick(random, JSON_BYTES)));
    told.push("websocket");
    await websocket(random, accept);
  });
}

async function websocket(random: SeededRandom, accept: typeof acceptWebsocket): Promise<void> {
  const pieces = [handshake(random), ...Array.from({ length: random.below(10) }, () => frame(random))];
  let closed = false;
  const line: Line = {
    peer: "somebody",
    read: () => Promise.resolve(closed ? undefined : pieces.shift()),
    write: () => random.below(30) === 0 ? Promise.reject(new Broken()) : Promise.resolve(),
    close: () => void (closed = true),
  };
  try {
    const socket = await accept(line);
    if (socket === undefined) {
      if (!closed) throw new Error("a line that is given up stays open");
      return;
    }
    let reads = 0;
    while (await socket.read() !== undefined) if (++reads > MAX_READS) throw new Error("a line that never ends");
    socket.close();
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
  }
}

function handshake(random: SeededRandom): Uint8Array {
  const head = new TextEncoder().encode(HANDSHAKE);
  for (let n = random.below(2) === 0 ? 0 : random.below(4); n > 0; n--) {
    head[random.below(head.length)] = random.uint32();
  }
  return random.below(10) === 0 ? head.subarray(0, random.below(head.length)) : head;
}

function frame(random: SeededRandom): Uint8Array {
  const frame = new Uint8Array(random.below(60));
  random.fill(frame);
  if (frame.length > 2 && random.below(5) > 0) {
    frame[0] = pick(random, FRAMES);
    frame[1] = 0x80 | pick(random, [0, 1, 5, 125, 126, 127, Math.max(0, frame.length - 6)]);
  }
  return frame;
}

/** Half of them what matters, half anything. */
function bytes(random: SeededRandom, special: () => number): Uint8Array {
  return Uint8Array.from({ length: random.below(50) }, () => random.below(2) === 0 ? special() : random.below(256));
}
