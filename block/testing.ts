/**
 * What tests of the block layer share: graphs on manual clocks, and bytes to write.
 *
 * @module
 */
import { ManualClock } from "../base/clocks.ts";
import { SeededRandom } from "../base/random.ts";
import { BlockGraph, type GraphOptions } from "./graph.ts";

/** A graph that no host's time or chance gets into. */
export function testGraph(options: Partial<GraphOptions> = {}): BlockGraph {
  const clock = new ManualClock();
  const clocks = { virtual: clock, realtime: clock, host: clock };
  return new BlockGraph({ clocks, random: new SeededRandom(7), ...options });
}

/** Bytes of a pattern that tells offsets apart. */
export function pattern(length: number, seed: number): Uint8Array {
  const random = new SeededRandom(seed);
  const bytes = new Uint8Array(length);
  random.fill(bytes);
  return bytes;
}
