/**
 * Block jobs over a disk of 4 GiB of which every third MiB is data, every third zeroes and every third a hole: a graph
 * in this process against `qemu-storage-daemon`, each from the command to the job's end, on images just made.
 *
 * @module
 */
import { BlockBackend, type BlockdevOptions, type BlockGraph, type Job, type JobOptions } from "../../block/mod.ts";
import { startBackup, startCommit, startMirror, startStream } from "../../block/mod.ts";
import { IoVector } from "../../base/io_vector.ts";
import { GiB, MiB } from "../../base/units.ts";
import { makeThirds } from "./copying.ts";
import { StorageDaemon } from "./daemon.ts";
import type { Benchmark } from "./harness.ts";
import { hostGraph } from "./in_process.ts";
import { run } from "./qemu.ts";

const DISK_BYTES = 4 * GiB;
const GUEST_WRITES = 1000;
const PLACES = 1024;
const MOST_SLOWER = 2;
const ID: JobOptions = { id: "j", autoDismiss: false };

/** One kind of job on both sides, over images that `prepare` makes anew each time. */
interface JobRow {
  readonly name: string;
  /** Images for one run, and how they are opened. */
  readonly images: (directory: string) => Promise<BlockdevOptions[]>;
  readonly ours: (graph: BlockGraph) => Promise<Job>;
  readonly command: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const node = (name: string, directory: string, file: string, more: object = {}, format = "qcow2"): BlockdevOptions => ({
  driver: format,
  "node-name": name,
  discard: "unmap",
  file: { driver: "file", filename: `${directory}/${file}`, discard: "unmap" },
  ...more,
} as BlockdevOptions);

const sourceAndTarget = (form: "qcow2" | "raw") => async (directory: string) => {
  await create(directory, form, "target");
  return [node("top", directory, `jobs.${form}`, {}, form), node("target", directory, "target", {}, form)];
};

const ROWS: readonly JobRow[] = [
  {
    name: "stream",
    async images(directory) {
      await create(directory, "qcow2", "overlay", "jobs.qcow2");
      return [node("base", directory, "jobs.qcow2"), node("top", directory, "overlay", { backing: "base" })];
    },
    ours: (graph) => startStream(graph, graph.find("top")!, ID),
    command: "block-stream",
    data: { device: "top" },
  },
  {
    name: "commit",
    async images(directory) {
      await create(directory, "qcow2", "base");
      await create(directory, "qcow2", "overlay", "base");
      return [
        node("base", directory, "base"),
        node("mid", directory, "jobs.qcow2", { backing: "base" }),
        node("top", directory, "overlay", { backing: "mid" }),
      ];
    },
    ours(graph) {
      const [overlay, top, base] = ["top", "mid", "base"].map((name) => graph.find(name)!);
      return startCommit(graph, { ...ID, overlay: overlay!, top: top!, base: base! });
    },
    command: "block-commit",
    data: { device: "top", "top-node": "mid" },
  },
  ...(["qcow2", "raw"] as const).flatMap((form): JobRow[] => [
    {
      name: `mirror, ${form}`,
      images: sourceAndTarget(form),
      ours: (graph) =>
        startMirror(graph, { ...ID, source: graph.find("top")!, target: graph.find("target")!, sync: "full" }),
      command: "blockdev-mirror",
      data: { device: "top", target: "target", sync: "full" },
    },
    {
      name: `backup, ${form}`,
      images: sourceAndTarget(form),
      ours: (graph) =>
        startBackup(graph, { ...ID, source: graph.find("top")!, target: graph.find("target")!, sync: "full" }),
      command: "blockdev-backup",
      data: { device: "top", target: "target", sync: "full" },
    },
  ]),
];

/** All benchmarks; what they need is made in `directory` when its turn has come. */
export function jobBenchmarks(directory: string): Benchmark[] {
  return ROWS.map((row): Benchmark => ({
    name: `job ${row.name}`,
    unit: "s",
    target: 1,
    lessIsBetter: true,
    against: "storage-daemon",
    prepare: () => prepare(directory),
    ours: async () => await ours(row, await row.images(directory)),
    theirs: async () => await theirs(row, await row.images(directory)),
  })).concat(latencyRow(directory));
}

async function ours(row: JobRow, images: readonly BlockdevOptions[]): Promise<number> {
  await using graph = hostGraph();
  const nodes = [];
  for (const options of images) nodes.push(await graph.open(options));
  // A guest's drive, at rest: what the job puts a filter under.
  await using drive = new BlockBackend({ graph, name: "d0" });
  await drive.insertMedium(graph.find("top")!);
  const start = performance.now();
  const job = await row.ours(graph);
  if (row.command === "blockdev-mirror") {
    await new Promise<void>((resolve) => graph.jobs.events.on("BLOCK_JOB_READY", () => resolve()));
    await job.complete();
  }
  await job.concluded;
  const seconds = (performance.now() - start) / 1000;
  if (job.error !== undefined) throw new Error(`${row.name}: ${job.error}`);
  job.dismiss();
  for (const opened of nodes) await graph.release(opened);
  return seconds;
}

async function theirs(row: JobRow, images: readonly BlockdevOptions[]): Promise<number> {
  await using daemon = await StorageDaemon.start(images);
  const start = performance.now();
  await daemon.execute(row.command, { ...row.data, "job-id": "j", "auto-dismiss": false });
  if (row.command === "blockdev-mirror") {
    await daemon.event("BLOCK_JOB_READY");
    await daemon.execute("job-complete", { id: "j" });
  }
  await daemon.event("JOB_STATUS_CHANGE", { status: "concluded" });
  const seconds = (performance.now() - start) / 1000;
  await daemon.execute("job-dismiss", { id: "j" });
  return seconds;
}

/** How much longer the slowest hundredth of a guest's writes takes while a mirror runs. */
function latencyRow(directory: string): Benchmark {
  return {
    name: "guest write, 99th percentile with a mirror over without",
    unit: "x",
    target: MOST_SLOWER,
    lessIsBetter: true,
    prepare: () => prepare(directory),
    async ours() {
      await create(directory, "qcow2", "target");
      await create(directory, "qcow2", "overlay", "jobs.qcow2");
      await using graph = hostGraph();
      const base = await graph.open(node("base", directory, "jobs.qcow2"));
      const top = await graph.open(node("top", directory, "overlay", { backing: "base" }));
      const target = await graph.open(node("target", directory, "target"));
      await using drive = new BlockBackend({ graph, name: "d0" });
      await drive.insertMedium(top);
      // What is written first takes clusters, which is another matter.
      for (let i = 0; i < PLACES; i++) await drive.write(i * 4096, IoVector.of(new Uint8Array(4096).fill(i)));
      const alone = await percentile(drive, () => false);
      const job = await startMirror(graph, { ...ID, source: top, target, sync: "full" });
      const beside = await percentile(drive, () => job.isReady);
      await job.cancel(true);
      await job.concluded;
      job.dismiss();
      for (const opened of [base, top, target]) await graph.release(opened);
      return beside / alone;
    },
  };
}

/** Writes of 4 KiB, one each millisecond, until so many were made or `isOver`; what the slowest hundredth takes. */
async function percentile(drive: BlockBackend, isOver: () => boolean): Promise<number> {
  const data = IoVector.of(new Uint8Array(4096).fill(7));
  const times: number[] = [];
  for (let i = 0; i < GUEST_WRITES && !isOver(); i++) {
    const start = performance.now();
    await drive.write(i % PLACES * 4096, data);
    times.push(performance.now() - start);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length * 0.99)]!;
}

/** Makes an empty image; what had the name before goes. */
async function create(directory: string, format: string, name: string, backing?: string): Promise<void> {
  await Deno.remove(`${directory}/${name}`).catch(() => {});
  const below = backing === undefined ? [] : ["-u", "-b", backing, "-F", "qcow2"];
  await run("qemu-img", "create", "-q", "-f", format, ...below, `${directory}/${name}`, `${DISK_BYTES}`);
}

/** The disk, raw and as qcow2 with its zeroes stored as such. */
async function prepare(directory: string): Promise<void> {
  const raw = `${directory}/jobs.raw`;
  if (await Deno.stat(raw).then(() => true, () => false)) return;
  await makeThirds(raw);
  const image = `${directory}/jobs.qcow2`;
  await run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, image);
  const zeroes = Array.from(
    { length: Math.floor(DISK_BYTES / (3 * MiB)) },
    (_, i) => ["-c", `write -z ${3 * i + 1}M 1M`],
  );
  await run("qemu-io", ...zeroes.flat(), image);
}
