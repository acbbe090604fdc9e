/**
 * Requests to images in the page cache, raw and qcow2, against `qemu-img bench` at the same offsets.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { IoVector } from "../../base/io_vector.ts";
import { GiB, KiB, MiB } from "../../base/units.ts";
import type { BlockdevOptions } from "../../block/mod.ts";
import type { Benchmark } from "./harness.ts";
import { fileImage, type Requests, secondsOf, withBackend } from "./in_process.ts";
import { qemuImgBench, run } from "./qemu.ts";

const REQUEST_BYTES = 4 * KiB;
/** The stride of the offsets: 17 pages, so that clusters are left at every request. */
const STEP_BYTES = 69_632;
const IMAGE_BYTES = 1 * GiB;
const SEQUENTIAL_BYTES = 2 * MiB;
/** Not counted: until they have run, V8 has not compiled the path for good. The real program is compiled already. */
const WARM_UP_REQUESTS = 50_000;

/** Makes `bench.raw` or `bench.qcow2` in `directory` with the real qemu-img, where it is not there yet. */
export async function makeImage(directory: string, format: "raw" | "qcow2"): Promise<void> {
  const requests = `${IMAGE_BYTES / REQUEST_BYTES}`;
  const size = `${REQUEST_BYTES}`;
  const image = `${directory}/bench.${format}`;
  if (existsSync(image)) return;
  await run("qemu-img", "create", "-q", "-f", format, image, `${IMAGE_BYTES}`);
  // Written as a guest writes, not in one piece: the kernel caches large writes in large folios, and each small write
  // to one of those costs several times as much, for either program.
  const how = ["-f", format, "-w", "-d", "32", "-i", "io_uring"];
  await run("qemu-img", "bench", ...how, "-s", size, "-S", size, "-c", requests, image);
}

/** All benchmarks over the images in `directory`. */
export function imageBenchmarks(directory: string): Benchmark[] {
  const benchmarks: Benchmark[] = [];
  for (const format of ["raw", "qcow2"] as const) {
    const image = `${directory}/bench.${format}`;
    for (const [write, depth, target] of [[false, 1, 1.5], [false, 16, 1.1], [true, 1, 5], [true, 16, 2]] as const) {
      // The real program needs long enough a run for its own start not to count.
      const requests = write ? 60_000 : 100_000;
      const how = { write, depth, requests, requestBytes: REQUEST_BYTES, stepBytes: STEP_BYTES };
      benchmarks.push({
        name: `${format}: 4 KiB ${write ? "writes" : "reads"} at depth ${depth}`,
        unit: "IOPS",
        target,
        prepare: () => makeImage(directory, format),
        ours: () => randomRequests(fileImage(format, image), { ...how, diskBytes: IMAGE_BYTES }),
        theirs: () => qemuImgBench({ image, format, ...how }),
      });
    }
  }
  const image = `${directory}/bench.qcow2`;
  benchmarks.push({
    name: "qcow2: sequential 2 MiB reads",
    unit: "MiB/s",
    target: 0.9,
    prepare: () => makeImage(directory, "qcow2"),
    ours: () => sequentialReads(fileImage("qcow2", image)),
    theirs: () => convertToNowhere(image),
  });
  return benchmarks;
}

async function randomRequests(options: BlockdevOptions, how: Requests): Promise<number> {
  return await withBackend(options, async (backend) => {
    await secondsOf(backend, { ...how, requests: WARM_UP_REQUESTS });
    return how.requests / await secondsOf(backend, how);
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
