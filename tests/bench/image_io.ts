/**
 * Requests to images in the page cache, raw and qcow2, against `qemu-img bench` at the same offsets.
 *
 * Ours go through the public API: a `BlockBackend` with tracking, statistics and image locks.
 *
 * @module
 */
import { HostClock } from "../../base/clocks.ts";
import { IoVector } from "../../base/io_vector.ts";
import { HostRandom } from "../../base/random.ts";
import { GiB, KiB, MiB } from "../../base/units.ts";
import { BlockBackend, type BlockdevOptions, BlockGraph, Permission } from "../../block/mod.ts";
import type { Benchmark } from "./harness.ts";
import { qemuImgBench, run } from "./qemu.ts";

const REQUEST_BYTES = 4 * KiB;
/** The stride of the offsets: 17 pages, so that clusters are left at every request. */
const STEP_BYTES = 69_632;
const IMAGE_BYTES = 1 * GiB;
const SEQUENTIAL_BYTES = 2 * MiB;
/** Not counted: until they have run, V8 has not compiled the path for good. The real program is compiled already. */
const WARM_UP_REQUESTS = 100_000;

/** The images that the benchmarks need, made with the real qemu-img. */
export async function makeImages(directory: string): Promise<void> {
  const requests = `${IMAGE_BYTES / REQUEST_BYTES}`;
  const size = `${REQUEST_BYTES}`;
  for (const format of ["raw", "qcow2"]) {
    const image = `${directory}/bench.${format}`;
    await run("qemu-img", "create", "-q", "-f", format, image, `${IMAGE_BYTES}`);
    // Written as a guest writes, not in one piece: the kernel caches large writes in large folios, and each small write
    // to one of those costs several times as much, for either program.
    const how = ["-f", format, "-w", "-d", "32", "-i", "io_uring"];
    await run("qemu-img", "bench", ...how, "-s", size, "-S", size, "-c", requests, image);
  }
}

/** All benchmarks over the images in `directory`. */
export function imageBenchmarks(directory: string): Benchmark[] {
  const benchmarks: Benchmark[] = [];
  for (const format of ["raw", "qcow2"] as const) {
    const image = `${directory}/bench.${format}`;
    for (const [write, depth, target] of [[false, 1, 1.5], [false, 16, 1.1], [true, 1, 5], [true, 16, 2]] as const) {
      // The real program needs long enough a run for its own start not to count.
      const requests = write ? 60_000 : 200_000;
      benchmarks.push({
        name: `${format}: 4 KiB ${write ? "writes" : "reads"} at depth ${depth}`,
        unit: "IOPS",
        target,
        ours: () => randomRequests(open(format, image), write, depth, requests),
        theirs: () =>
          qemuImgBench({ image, format, write, depth, requests, requestBytes: REQUEST_BYTES, stepBytes: STEP_BYTES }),
      });
    }
  }
  const image = `${directory}/bench.qcow2`;
  benchmarks.push({
    name: "qcow2: sequential 2 MiB reads",
    unit: "MiB/s",
    target: 0.9,
    ours: () => sequentialReads(open("qcow2", image)),
    theirs: () => convertToNowhere(image),
  });
  return benchmarks;
}

function open(format: "raw" | "qcow2", filename: string): BlockdevOptions {
  return { driver: format, file: { driver: "file", filename } };
}

async function withBackend<Result>(
  options: BlockdevOptions,
  work: (backend: BlockBackend) => Promise<Result>,
): Promise<Result> {
  const realtime = new HostClock();
  const clocks = { virtual: realtime, realtime, host: new HostClock({ sinceEpoch: true }) };
  await using graph = new BlockGraph({ clocks, random: new HostRandom() });
  await using backend = new BlockBackend({ graph, shared: Permission.consistentRead });
  const node = await graph.open(options);
  await backend.insertMedium(node);
  await graph.release(node);
  return await work(backend);
}

function randomRequests(options: BlockdevOptions, write: boolean, depth: number, requests: number): Promise<number> {
  return withBackend(options, async (backend) => {
    const loop = async (lane: number, count: number) => {
      const data = IoVector.allocate(REQUEST_BYTES);
      for (let request = lane; request < count; request += depth) {
        const at = request * STEP_BYTES % (IMAGE_BYTES - REQUEST_BYTES);
        if (write) await backend.write(at, data);
        else await backend.read(at, data);
      }
    };
    const lanes = (count: number) => Promise.all(Array.from({ length: depth }, (_, lane) => loop(lane, count)));
    await lanes(WARM_UP_REQUESTS);
    const start = performance.now();
    await lanes(requests);
    return requests / ((performance.now() - start) / 1000);
  });
}

function sequentialReads(options: BlockdevOptions): Promise<number> {
  return withBackend(options, async (backend) => {
    const data = IoVector.allocate(SEQUENTIAL_BYTES);
    const start = performance.now();
    for (let at = 0; at < IMAGE_BYTES; at += SEQUENTIAL_BYTES) await backend.read(at, data);
    return IMAGE_BYTES / MiB / ((performance.now() - start) / 1000);
  });
}

/** MiB a second of `qemu-img convert` into a device that forgets: reading alone. */
async function convertToNowhere(image: string): Promise<number> {
  const target = `driver=null-co,size=${IMAGE_BYTES}`;
  const start = performance.now();
  await run("qemu-img", "convert", "-n", "-f", "qcow2", image, "--target-image-opts", target);
  return IMAGE_BYTES / MiB / ((performance.now() - start) / 1000);
}
