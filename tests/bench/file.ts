/**
 * Requests to the `file` driver below a `BlockNode` and nothing above it: what the host's files cost by themselves, in
 * the page cache and around it, against `qemu-img bench` on the same raw image and offsets.
 *
 * Alone: `deno run -P=bench tests/bench/file.ts [rounds]`.
 *
 * @module
 */
import { HostClock } from "../../base/clocks.ts";
import { allocateAligned } from "../../base/host/aligned.ts";
import { IoVector } from "../../base/io_vector.ts";
import { HostRandom } from "../../base/random.ts";
import { GiB, KiB } from "../../base/units.ts";
import { NO_SECRETS } from "../../block/crypto/secret_source.ts";
import { BlockNode } from "../../block/node.ts";
import { file } from "../../block/protocols/file.ts";
import { type Benchmark, line, measure } from "./harness.ts";
import { makeImage } from "./image_io.ts";
import { qemuImgBench, run } from "./qemu.ts";

const REQUEST_BYTES = 4 * KiB;
/** The stride of the offsets: 17 pages. */
const STEP_BYTES = 69_632;
const IMAGE_BYTES = 1 * GiB;
const CACHED = [[false, 1, 1.5], [false, 16, 1.1], [true, 1, 5], [true, 16, 2]] as const;
const DIRECT = [[false, 1, 1], [false, 16, 0.8], [true, 1, 1], [true, 16, 0.8]] as const;

/** The benchmarks over `bench.raw` in `directory`, which `makeImage` has made. */
export function fileBenchmarks(directory: string): Benchmark[] {
  const image = `${directory}/bench.raw`;
  const cached = CACHED.map(([write, depth, target]): Benchmark => {
    const requests = write ? 60_000 : 200_000;
    const request = { image, write, depth, requests };
    return {
      name: `file: 4 KiB ${write ? "writes" : "reads"} at depth ${depth}`,
      unit: "IOPS",
      target,
      ours: () => ours({ ...request, direct: false }),
      theirs: () => qemuImgBench({ ...request, format: "raw", requestBytes: REQUEST_BYTES, stepBytes: STEP_BYTES }),
    };
  });
  const direct = DIRECT.map(([write, depth, target]): Benchmark => {
    const request = { image, write, depth, requests: depth === 1 ? 4000 : 20_000, direct: true };
    return {
      name: `file, cache=none: 4 KiB ${write ? "writes" : "reads"} at depth ${depth}`,
      unit: "IOPS",
      target,
      ours: () => ours(request),
      theirs: () => theirsDirect(request),
    };
  });
  return [...cached, ...direct];
}

interface Requests {
  readonly image: string;
  readonly write: boolean;
  readonly depth: number;
  readonly requests: number;
  readonly direct: boolean;
}

async function ours({ image, write, depth, requests, direct }: Requests): Promise<number> {
  const clock = new HostClock();
  await using driver = await file.open({ driver: "file", filename: image }, {
    nodeName: "bench",
    readOnly: !write,
    cacheDirect: direct,
    cacheNoFlush: false,
    clocks: { virtual: clock, realtime: clock, host: clock },
    random: new HostRandom(),
    secrets: NO_SECRETS,
    openChild: () => Promise.reject(new Error("a protocol has no children")),
    warn: () => {},
  });
  const node = new BlockNode({ name: "bench", kind: "protocol", driver, readOnly: !write });
  let next = 0;
  let left = requests;
  const lane = async () => {
    const data = IoVector.of(allocateAligned(REQUEST_BYTES, REQUEST_BYTES));
    while (left-- > 0) {
      const at = next;
      next = (next + STEP_BYTES) % IMAGE_BYTES;
      if (write) await node.write(at, data);
      else await node.read(at, data);
    }
  };
  const startNs = clock.nowNs();
  await Promise.all(Array.from({ length: depth }, lane));
  return requests / ((clock.nowNs() - startNs) / 1e9);
}

async function theirsDirect({ image, write, depth, requests }: Requests): Promise<number> {
  let best = 0;
  for (const engine of ["native", "io_uring"]) {
    const args = ["-f", "raw", "-t", "none", "-i", engine, "-c", `${requests}`, "-d", `${depth}`];
    const sizes = ["-s", `${REQUEST_BYTES}`, "-S", `${STEP_BYTES}`];
    const output = await run("qemu-img", "bench", ...args, ...sizes, ...(write ? ["-w"] : []), image);
    const seconds = Number(/Run completed in ([\d.]+) seconds/.exec(output)?.[1]);
    best = Math.max(best, requests / seconds);
  }
  return best;
}

if (import.meta.main) {
  const directory = await Deno.makeTempDir({ prefix: "moa-bench-" });
  try {
    await makeImage(directory, "raw");
    for (const benchmark of fileBenchmarks(directory)) {
      console.log(line(await measure(benchmark, Number(Deno.args[0] ?? 3))));
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
