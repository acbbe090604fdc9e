/**
 * Lesson: what do block jobs do to a backing chain, and which files are of no more use afterwards?
 *
 * Five images lie on one another: base <- sn1 <- sn2 <- sn3 <- active. Each job runs over such a chain while a guest
 * writes to its disk all the time, and the chain is shown before, during and after. A name in brackets is the filter that
 * the job puts in, a word in round ones stands for the guest. At the end everything that the guest should see is compared
 * with what the disk shows.
 *
 *     deno run -P=script scripts/lessons/block-jobs.ts
 *
 * @module
 */
import {
  BlockBackend,
  BlockGraph,
  type BlockNode,
  createImage,
  HostClock,
  IoVector,
  type Job,
  KiB,
  MiB,
  SeededRandom,
  startCommit,
  startMirror,
  startStream,
} from "../../mod.ts";
import { Lesson } from "./lesson.ts";

const FILES = ["base", "sn1", "sn2", "sn3", "active"] as const;
const DISK_BYTES = 8 * MiB;
const WRITE_BYTES = 64 * KiB;

type Layers = Readonly<Record<string, BlockNode>>;

/** A job over the chain; layers by the name of their file, and a new image beside them. */
type Start = (graph: BlockGraph, layers: Layers, target: BlockNode) => Promise<Job>;

const JOBS: readonly (readonly [string, Start])[] = [
  ["stream", (graph, { active }) => startStream(graph, active!, { id: "j" })],
  ["stream, base sn1", (graph, { active, sn1 }) => startStream(graph, active!, { id: "j", base: sn1 })],
  [
    "commit sn2 into base",
    (graph, { sn3, sn2, base }) => startCommit(graph, { id: "j", overlay: sn3!, top: sn2!, base: base! }),
  ],
  [
    "commit active into sn2",
    (graph, { active, sn2 }) =>
      startMirror(graph, { id: "j", source: active!, target: sn2!, sync: "full", type: "commit" }),
  ],
  [
    "mirror, full",
    (graph, { active }, target) => startMirror(graph, { id: "j", source: active!, target, sync: "full" }),
  ],
  [
    "mirror, top",
    (graph, { active, sn3 }, target) =>
      startMirror(graph, { id: "j", source: active!, target, sync: "top", targetBacking: sn3 }),
  ],
];

/** Writes to the disk until it may rest, and knows what the disk has to show. */
class Guest {
  readonly #drive: BlockBackend;
  readonly #expected: Uint8Array;
  readonly #working: Promise<void>;
  #stop = false;

  constructor(drive: BlockBackend, expected: Uint8Array) {
    this.#drive = drive;
    this.#expected = expected;
    this.#working = this.#work();
  }

  async #work(): Promise<void> {
    const random = new SeededRandom(2);
    while (!this.#stop) {
      const at = random.below(DISK_BYTES / WRITE_BYTES) * WRITE_BYTES;
      const data = new Uint8Array(WRITE_BYTES).fill(random.below(256));
      await this.#drive.write(at, IoVector.of(data));
      this.#expected.set(data, at);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  async rest(): Promise<void> {
    this.#stop = true;
    await this.#working;
  }

  async compare(): Promise<void> {
    const all = new Uint8Array(DISK_BYTES);
    await this.#drive.read(0, IoVector.of(all));
    const wrong = all.findIndex((byte, at) => byte !== this.#expected[at]);
    if (wrong >= 0) throw new Error(`the guest reads another byte than it wrote at ${wrong}`);
  }
}

const lesson = new Lesson("What do stream, commit and mirror make of base <- sn1 <- sn2 <- sn3 <- active?");
for (const [job, start] of JOBS) await show(job, start);

lesson.end(
  [
    ...rows("stream", {
      during: "base <- sn1 <- sn2 <- sn3 <- active <- [copy-on-read] <- (guest)",
      after: "active <- (guest)",
      mayGo: "base sn1 sn2 sn3",
    }),
    ...rows("stream, base sn1", {
      during: "base <- sn1 <- sn2 <- sn3 <- active <- [copy-on-read] <- (guest)",
      after: "base <- sn1 <- active <- (guest)",
      mayGo: "sn2 sn3",
    }),
    ...rows("commit sn2 into base", {
      during: "base <- sn1 <- sn2 <- [commit_top] <- sn3 <- active <- (guest)",
      after: "base <- sn3 <- active <- (guest)",
      mayGo: "sn1 sn2",
    }),
    ...rows("commit active into sn2", {
      during: "base <- sn1 <- sn2 <- sn3 <- active <- [mirror_top] <- (guest)",
      after: "base <- sn1 <- sn2 <- (guest)",
      mayGo: "sn3 active",
    }),
    ...rows("mirror, full", {
      during: "base <- sn1 <- sn2 <- sn3 <- active <- [mirror_top] <- (guest)",
      after: "copy <- (guest)",
      mayGo: "base sn1 sn2 sn3 active",
    }),
    ...rows("mirror, top", {
      during: "base <- sn1 <- sn2 <- sn3 <- active <- [mirror_top] <- (guest)",
      after: "base <- sn1 <- sn2 <- sn3 <- copy <- (guest)",
      mayGo: "active",
    }),
  ],
  "Stream pulls data up, and what lay between goes. Commit pushes data down; whatever lies on a file that was committed\n" +
    "into shows other bytes from then on, so that the files in between are not only superfluous but useless. Mirror copies\n" +
    "beside and has the guest go over. Delete nothing before the job has concluded: until then the chain needs all of it.",
);

function rows(job: string, { during, after, mayGo }: { during: string; after: string; mayGo: string }) {
  const row = (when: string, chain: string, files: string) => ({ job, when, chain, "may be deleted": files });
  return [
    row("before", "base <- sn1 <- sn2 <- sn3 <- active <- (guest)", ""),
    row("during", during, ""),
    row("after", after, mayGo),
  ];
}

async function show(what: string, start: Start): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "moa-lesson-" });
  try {
    const realtime = new HostClock();
    const clocks = { virtual: realtime, realtime, host: new HostClock({ sinceEpoch: true }) };
    await using graph = new BlockGraph({ clocks, random: new SeededRandom(1) });
    const expected = await makeChain(graph, directory);
    await using drive = new BlockBackend({ graph, name: "disk" });
    const top = await graph.openImage({ filename: `${directory}/active`, options: { driver: "qcow2" } });
    await drive.insertMedium(top);
    await graph.release(top);
    const target = await graph.openImage({ filename: `${directory}/copy`, options: { driver: "qcow2" } });
    const row = (when: string, files: string) =>
      lesson.row({ job: what, when, chain: chainOf(drive.node!), "may be deleted": files });

    row("before", "");
    const guest = new Guest(drive, expected);
    const layers = Object.fromEntries(layersOf(drive.node!).map((node) => [fileOf(node), node]));
    const job = await start(graph, layers, target);
    row("during", "");
    await ended(graph, job);
    await guest.rest();
    const kept = new Set(layersOf(drive.node!).map(fileOf));
    row("after", FILES.filter((file) => !kept.has(file)).join(" "));
    await guest.compare();
    await graph.release(target);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Makes the images, a MiB of data in each, and an empty one beside them; returns what the disk shows. */
async function makeChain(graph: BlockGraph, directory: string): Promise<Uint8Array> {
  const expected = new Uint8Array(DISK_BYTES);
  for (const [index, name] of FILES.entries()) {
    const filename = `${directory}/${name}`;
    const below = index === 0 ? {} : { backingFile: FILES[index - 1]!, backingFormat: "qcow2" };
    await createImage({ filename, format: "qcow2", size: DISK_BYTES, ...below });
    const layer = await graph.openImage({ filename, options: { driver: "qcow2" } });
    const data = new Uint8Array(1 * MiB).fill(index + 1);
    await layer.write(index * MiB, IoVector.of(data));
    expected.set(data, index * MiB);
    await graph.release(layer);
  }
  await createImage({ filename: `${directory}/copy`, format: "qcow2", size: DISK_BYTES });
  return expected;
}

/** Waits for the end of a job; one that only follows the guest is told to end. */
async function ended(graph: BlockGraph, job: Job): Promise<void> {
  const stop = graph.jobs.events.on("BLOCK_JOB_READY", () => void job.complete());
  await job.concluded;
  stop();
  if (job.error !== undefined) throw new Error(`the job failed: ${job.error}`);
}

/** Nodes of the chain from `top` down, the filters of jobs too. */
function nodesOf(top: BlockNode): BlockNode[] {
  const nodes: BlockNode[] = [];
  for (let node: BlockNode | undefined = top; node !== undefined; node = node.backing) nodes.push(node);
  return nodes;
}

function layersOf(top: BlockNode): BlockNode[] {
  return nodesOf(top).filter(({ kind }) => kind === "format");
}

function fileOf(node: BlockNode): string {
  const { filename } = node.child("file") ?? node;
  return filename.slice(filename.lastIndexOf("/") + 1);
}

function chainOf(top: BlockNode): string {
  const names = nodesOf(top).map((node) => node.kind === "filter" ? `[${node.driver.name}]` : fileOf(node));
  return ["(guest)", ...names].reverse().join(" <- ");
}
