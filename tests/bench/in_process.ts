/**
 * Our side of requests: through the public API, a `BlockBackend` with tracking, statistics and image locks.
 *
 * @module
 */
import { HostClock } from "../../base/clocks.ts";
import { IoVector } from "../../base/io_vector.ts";
import { HostRandom } from "../../base/random.ts";
import { BlockBackend, type BlockdevOptions, BlockGraph, Permission } from "../../block/mod.ts";

/** Requests of one size at offsets that go on by a step and start over at the disk's end, as `qemu-img bench` makes them. */
export interface Requests {
  readonly write: boolean;
  readonly depth: number;
  readonly requests: number;
  readonly requestBytes: number;
  readonly stepBytes: number;
  readonly diskBytes: number;
}

/** A graph on the host's clock. */
export function hostGraph(): BlockGraph {
  const realtime = new HostClock();
  const clocks = { virtual: realtime, realtime, host: new HostClock({ sinceEpoch: true }) };
  return new BlockGraph({ clocks, random: new HostRandom() });
}

/** Opens an image for `work`, as a drive has it. */
export async function withBackend<Result>(
  options: BlockdevOptions,
  work: (backend: BlockBackend) => Promise<Result>,
): Promise<Result> {
  await using graph = hostGraph();
  await using backend = new BlockBackend({ graph, shared: Permission.consistentRead });
  const node = await graph.open(options);
  await backend.insertMedium(node);
  await graph.release(node);
  return await work(backend);
}

/** Makes the requests, `depth` at a time; the seconds that they took. */
export async function secondsOf(backend: BlockBackend, how: Requests): Promise<number> {
  const loop = async (lane: number) => {
    const data = IoVector.allocate(how.requestBytes);
    for (let request = lane; request < how.requests; request += how.depth) {
      const at = request * how.stepBytes % (how.diskBytes - how.requestBytes);
      if (how.write) await backend.write(at, data);
      else await backend.read(at, data);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: how.depth }, (_, lane) => loop(lane)));
  return (performance.now() - start) / 1000;
}

/** The options that open `filename` as it lies in a file. */
export function fileImage(format: "raw" | "qcow2", filename: string): BlockdevOptions {
  return { driver: format, file: { driver: "file", filename } };
}
