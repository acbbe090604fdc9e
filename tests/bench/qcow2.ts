/**
 * What qcow2 itself costs: allocating writes, tables that do not fit into their cache, long chains, a check, and a disk
 * of 16 TiB with nothing in it.
 *
 * Requests are made in this process and by `qemu-img bench` at the same offsets; README.md says what stands on the other
 * side of each row.
 *
 * @module
 */
import { GiB, KiB, MiB, TiB } from "../../base/units.ts";
import { type BlockdevOptionsQcow2, createImage, openImage } from "../../mod.ts";
import type { Benchmark } from "./harness.ts";
import { type Requests, secondsOf, withBackend } from "./in_process.ts";
import { installMoa, timed, timedMoa } from "./process.ts";
import { qemuImgBench, run } from "./qemu.ts";

/** A fixed step that comes near every place before it comes back to one: 4 GiB times 0.382, an odd number of pages. */
const SCATTER_BYTES = 400_557 * 4 * KiB;
const CHAIN_LAYERS = 100;

/** All benchmarks; what they need is made in `directory` when its turn has come. */
export function qcow2Benchmarks(directory: string): Benchmark[] {
  return [
    ...allocatingWrites(directory),
    sequentialWrites(directory),
    coldTables(directory),
    ...check(directory),
    chain(directory),
    ...hugeSparse(directory),
  ];
}

function allocatingWrites(directory: string): Benchmark[] {
  const shape = { write: true, requests: 20_000, requestBytes: 4 * KiB, stepBytes: SCATTER_BYTES };
  return ([[1, 5], [16, 3]] as const).map(([depth, target]) => ({
    name: `qcow2: allocating 4 KiB random writes at depth ${depth}`,
    unit: "IOPS",
    target,
    ours: () => oursOnFresh(directory, { ...shape, depth, diskBytes: 4 * GiB }),
    theirs: () => theirsOnFresh(directory, { ...shape, depth, diskBytes: 4 * GiB }),
  }));
}

function sequentialWrites(directory: string): Benchmark {
  const shape = { write: true, depth: 1, requests: 1024, requestBytes: 1 * MiB, stepBytes: 1 * MiB };
  return {
    name: "qcow2: sequential allocating 1 MiB writes",
    unit: "MiB/s",
    target: 1,
    ours: () => oursOnFresh(directory, { ...shape, diskBytes: 4 * GiB }),
    theirs: () => theirsOnFresh(directory, { ...shape, diskBytes: 4 * GiB }),
  };
}

/** Requests a second to an image that was empty; another one was written before, for V8 to compile the path. */
async function oursOnFresh(directory: string, how: Requests): Promise<number> {
  const filename = `${directory}/fresh.qcow2`;
  const fresh = async () => {
    await createImage({ filename, format: "qcow2", size: how.diskBytes });
    const seconds = await withBackend(inFile(filename), (backend) => secondsOf(backend, how));
    await Deno.remove(filename);
    return seconds;
  };
  await fresh();
  return how.requests / await fresh();
}

/** The same of qemu-img, with the better of its engines, each on an empty image. */
async function theirsOnFresh(directory: string, how: Requests): Promise<number> {
  const image = `${directory}/fresh.qcow2`;
  let best = 0;
  for (const engine of ["io_uring", "threads"] as const) {
    await run("qemu-img", "create", "-q", "-f", "qcow2", image, `${how.diskBytes}`);
    best = Math.max(best, await qemuImgBench({ image, format: "qcow2", ...how }, [engine]));
    await Deno.remove(image);
  }
  return best;
}

/** Every L2 table of 64 GiB is in use, and the cache has room for half of them. */
function coldTables(directory: string): Benchmark {
  const image = `${directory}/mapped64g.qcow2`;
  const cacheBytes = 4 * MiB;
  const how: Requests = {
    write: false,
    depth: 1,
    requests: 40_000,
    requestBytes: 4 * KiB,
    stepBytes: SCATTER_BYTES,
    diskBytes: 64 * GiB,
  };
  const imageOptions = `driver=qcow2,l2-cache-size=${cacheBytes},file.filename=${image}`;
  return {
    name: "qcow2: random reads, L2 cache too small by half",
    unit: "IOPS",
    target: 1,
    prepare: () => mapped(image, 64 * GiB),
    ours: () =>
      withBackend({ ...inFile(image), "l2-cache-size": cacheBytes }, async (backend) => {
        await secondsOf(backend, how);
        return how.requests / await secondsOf(backend, how);
      }),
    theirs: () => qemuImgBench({ image: imageOptions, ...how }),
  };
}

function inFile(filename: string): BlockdevOptionsQcow2 {
  return { driver: "qcow2", file: { driver: "file", filename } };
}

async function mapped(image: string, bytes: number): Promise<void> {
  await run("qemu-img", "create", "-q", "-f", "qcow2", "-o", "preallocation=metadata", image, `${bytes}`);
}

function check(directory: string): Benchmark[] {
  const image = `${directory}/million.qcow2`;
  const common = {
    unit: "s",
    target: 1,
    lessIsBetter: true,
    prepare: () => mapped(image, 1_000_000 * 64 * KiB),
    theirs: () => timed("qemu-img", ["check", image]),
  };
  const checked = async () => {
    const start = performance.now();
    await using opened = await openImage(image, { readOnly: true });
    await opened.check();
    return (performance.now() - start) / 1000;
  };
  return [
    {
      ...common,
      name: "qcow2: check of 1,000,000 clusters, in this process",
      ours: async () => {
        for (let i = 0; i < 3; i++) await checked();
        return await checked();
      },
    },
    {
      ...common,
      name: "qcow2: check of 1,000,000 clusters, whole process",
      prepare: async () => {
        await mapped(image, 1_000_000 * 64 * KiB);
        await installMoa(directory);
      },
      ours: () => timed(`${directory}/bin/moa`, ["img", "check", image]),
    },
  ];
}

/** Each overlay has an L2 table that says nothing of what is read, so that every layer is asked. */
function chain(directory: string): Benchmark {
  const layer = (index: number) => `${directory}/chain${index}.qcow2`;
  const diskBytes = 16 * MiB;
  const read = (index: number) =>
    withBackend(inFile(layer(index)), async (backend) => {
      const how = { write: false, depth: 1, requestBytes: 4 * KiB, stepBytes: 17 * 4 * KiB, diskBytes };
      await secondsOf(backend, { ...how, requests: 5_000 });
      return await secondsOf(backend, { ...how, requests: 10_000 }) / 10_000;
    });
  return {
    name: `qcow2: reads through ${CHAIN_LAYERS} overlays, cost of a layer`,
    unit: "us",
    target: 2,
    lessIsBetter: true,
    prepare: async () => {
      await run("qemu-img", "create", "-q", "-f", "qcow2", layer(0), `${diskBytes * 2}`);
      await run("qemu-io", "-f", "qcow2", "-c", `write -P 7 0 ${diskBytes}`, layer(0));
      for (let index = 1; index <= CHAIN_LAYERS; index++) {
        await createImage({
          filename: layer(index),
          format: "qcow2",
          backingFile: layer(index - 1),
          backingFormat: "qcow2",
        });
        await using image = await openImage(layer(index));
        await image.write(diskBytes, new Uint8Array(512));
      }
    },
    ours: async () => (await read(CHAIN_LAYERS) - await read(0)) / CHAIN_LAYERS * 1e6,
  };
}

function hugeSparse(directory: string): Benchmark[] {
  const life = async (bytes: number) => {
    const filename = `${directory}/sparse.qcow2`;
    const start = performance.now();
    await createImage({ filename, format: "qcow2", size: bytes });
    {
      await using image = await openImage(filename);
      const now = { vmStateBytes: 0, dateSeconds: 0, dateNanoseconds: 0, vmClockNs: 0, icount: -1, name: "a" };
      await image.node.driver.snapshots!.create(now);
    }
    const seconds = (performance.now() - start) / 1000;
    await Deno.remove(filename);
    return seconds;
  };
  const peakOf = async (program: "moa" | "qemu-img", bytes: number) => {
    const filename = `${directory}/sparse.qcow2`;
    await run("qemu-img", "create", "-q", "-f", "qcow2", filename, `${bytes}`);
    const args = ["snapshot", "-c", "a", filename];
    const { peakBytes } = program === "moa" ? await timedMoa(["img", ...args]) : await timed(program, args);
    await Deno.remove(filename);
    return peakBytes / MiB;
  };
  return [
    {
      name: "qcow2: 16 TiB created, opened, snapshotted",
      unit: "s",
      target: 0.5,
      lessIsBetter: true,
      against: "ours of 16 GiB",
      prepare: async () => void (await life(16 * GiB) + await life(16 * TiB)),
      ours: () => life(16 * TiB),
      theirs: () => life(16 * GiB),
    },
    {
      name: "qcow2: memory of a process that snapshots 16 TiB",
      unit: "MiB",
      target: 0.9,
      lessIsBetter: true,
      against: "ours of 16 GiB",
      ours: () => peakOf("moa", 16 * TiB),
      theirs: () => peakOf("moa", 16 * GiB),
    },
  ];
}
