/**
 * One run with a job: a guest writes, users pause, resume and cancel, requests fail, power is lost at moments that the
 * seed chooses, and after the last of them the same job is begun again over what is left, and has to finish.
 *
 * At each moment the guest's disk shows what the model allows, and no image of its chain is damaged. Where a job has
 * ended well, so has what it made: the backup is the disk as it was at the job's start.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { ManualClock } from "../../base/clocks.ts";
import { SeededRandom } from "../../base/random.ts";
import { nextTurn } from "../../base/turn.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import { type BlockBackend, BlockError, type BlockGraph, type Job, type JobErrorPolicy } from "../../block/mod.ts";
import type { DirtyBitmap } from "../../block/mod.ts";
import { SimulatedHost } from "./host.ts";
import { beginJob, bitmapModeOf, hasFilter, type JobKind, markAll, newBitmap, targetOf } from "./job_kinds.ts";
import {
  allowedBy,
  imageOf,
  type JobMoment,
  layersOf,
  makeChain,
  plugIn,
  SECTORS,
  TARGET,
  verifyMoment,
} from "./job_world.ts";
import { GuestModel, sectorBytes, type Values } from "./model.ts";
import { Scheduler } from "./scheduler.ts";
import { readValues, Violation } from "./verify.ts";
import { openGraph } from "./world.ts";

/** Everything that a run depends on. */
export interface JobPlan {
  readonly seed: number;
  readonly kind: JobKind;
  /** Breaks a rule once the job has begun. */
  readonly plant?: (drive: BlockBackend, job: Job) => void;
}

const MOST_TURNS = 20_000;
const MOMENT_ONE_IN = 60;
/** A turn of the guest's, for jobs that have a speed limit. */
const TURN_NS = 20_000_000;
const POLICIES: readonly JobErrorPolicy[] = ["report", "ignore", "stop"];

/** Runs `plan`; how many power losses were looked at. @throws {Violation} */
export async function runJob(plan: JobPlan): Promise<number> {
  return await new JobRun(plan).execute();
}

class JobRun {
  readonly #plan: JobPlan;
  readonly #random: SeededRandom;
  readonly #model = new GuestModel(SECTORS, 0);
  readonly #inFlight = new Map<Promise<void>, { readonly first: number; readonly count: number }>();
  readonly #moments: JobMoment[] = [];
  /** The images as they were at first. */
  #made: JobMoment["files"] = new Map();
  #host!: SimulatedHost;
  #graph!: BlockGraph;
  #drive!: BlockBackend;
  /** The image that the guest's disk was in when somebody looked last. */
  #image = "top";
  /** Grows when power is lost: who began before is heard no more. */
  #life = 0;
  #violation: unknown;
  /** The disk as it was when the backup began. */
  #then: Values[] = [];
  #job: Job | undefined;
  #bitmap: DirtyBitmap | undefined;
  readonly #clock = new ManualClock();

  constructor(plan: JobPlan) {
    this.#plan = plan;
    this.#random = new SeededRandom(plan.seed);
    for (let taken = 0; taken < 8; taken++) this.#model.nextValue();
  }

  async execute(): Promise<number> {
    const { files, values } = await makeChain(this.#plan.seed);
    this.#made = files;
    this.#model.found(values, []);
    let points = 0;
    let left: JobMoment = { files, images: [{ name: "top", sectors: [] }] };
    const lives = 1 + this.#random.below(3);
    for (let life = 0; life < lives; life++) {
      await this.#start(left, life === 0 || this.#random.below(2) === 0);
      await this.#work(this.#random.below(80));
      left = await this.#losePower();
      for (const moment of this.#moments.splice(0)) {
        await verifyMoment(moment);
        points++;
      }
      this.#model.found(await verifyMoment(left), []);
      points++;
    }
    // Nothing stands in its way any more.
    await this.#start(left, false);
    await this.#work(20);
    await this.#finish();
    return points;
  }

  /** Power comes on: the guest's disk is plugged in, and the job begins. */
  async #start({ files, images }: JobMoment, withFaults: boolean): Promise<void> {
    const target = targetOf(this.#plan.kind);
    const isUsed = target === undefined || target === TARGET || images.some(({ name }) => name === target);
    // What is to be seen below must not be hidden by what an earlier job has left.
    const empty = isUsed ? [] : [[`${target}.qcow2`, this.#made.get(`${target}.qcow2`)!] as const];
    const host = this.#host = new SimulatedHost(new Map([...files, ...empty]));
    this.#graph = openGraph(host, this.#clock);
    this.#drive = await plugIn(this.#graph, images[0]!.name, hasFilter(this.#plan.kind));
    const random = new SeededRandom(this.#random.uint32());
    host.scheduler = new Scheduler(random, () => {
      if (random.below(MOMENT_ONE_IN) === 0) this.#moments.push(this.#takeMoment(random));
    });
    this.#image = images[0]!.name;
    if (this.#plan.kind === "backup, incremental") {
      this.#bitmap = newBitmap(this.#plan.seed);
      this.#drive.node!.bitmaps.push(this.#bitmap);
    }
    await this.#begin();
    if (this.#job !== undefined) this.#plan.plant?.(this.#drive, this.#job);
    if (withFaults) host.faults = { random, oneIn: 150, capacityBytes: Infinity, shortOneIn: 20 };
  }

  /** Begins the job, if it can be: a moment between this and its start has no target to be looked at. */
  async #begin(): Promise<void> {
    const { kind, seed } = this.#plan;
    const policy = () => POLICIES[this.#random.below(POLICIES.length)]!;
    const policies = [policy(), policy()] as const;
    this.#job = undefined;
    this.#then = this.#model.now.slice();
    this.#job = await beginJob({ graph: this.#graph, drive: this.#drive, kind, seed, policies, bitmap: this.#bitmap });
  }

  /** One incremental backup follows the other: each makes of the target what the disk was when it began. */
  async #beginAgain(): Promise<void> {
    const job = this.#job;
    if (this.#plan.kind !== "backup, incremental" || (job !== undefined && job.status !== "concluded")) return;
    // A backup that failed and that the bitmap forgot is followed by a full one.
    if (job?.error !== undefined && bitmapModeOf(this.#plan.seed) === "always") markAll(this.#bitmap!);
    job?.dismiss();
    await this.#begin().catch((error) => this.#tolerate(error));
  }

  /** The guest's requests and what users say to the job, so many of them. */
  async #work(steps: number): Promise<void> {
    for (let step = 0; step < steps; step++) {
      if (this.#violation !== undefined) throw this.#violation;
      await this.#guest();
      if (this.#random.below(3) === 0) await nextTurn();
      if (this.#random.below(6) === 0) this.#say();
      await this.#beginAgain();
      this.#clock.advance(TURN_NS);
    }
  }

  /** One word of a user's; one that the job does not take just now is no matter, nor is one that waits. */
  #say(): void {
    const job = this.#job;
    if (job === undefined || job.status === "concluded") return;
    const pass = (work: () => Promise<void>) => void work().catch(() => {});
    const word = this.#random.below(24);
    if (word < 8) pass(() => job.pause());
    else if (word < 20) pass(() => job.resume());
    else if (word < 22) pass(() => job.complete());
    else if (word < 23) pass(() => job.cancel(false));
    else if (this.#random.below(4) === 0) pass(() => job.cancel(true));
  }

  async #guest(): Promise<void> {
    const random = this.#random;
    const model = this.#model;
    const drive = this.#drive;
    const life = this.#life;
    const first = random.below(SECTORS - 1);
    const count = Math.min(SECTORS - first, 1 + random.below(random.below(4) === 0 ? 64 : 8));
    const [at, length] = [first * SECTOR_BYTES, count * SECTOR_BYTES];
    const kind = random.below(12);
    if (kind === 0) {
      return await this.#issue(0, 0, async () => {
        const flushed = model.flush();
        let well = false;
        try {
          await drive.flush();
          well = true;
        } finally {
          if (life === this.#life) flushed(well);
        }
      });
    }
    if (kind < 4) {
      return await this.#issue(first, count, async () => {
        const bytes = new Uint8Array(length);
        await drive.read(at, IoVector.of(bytes));
        if (life === this.#life) readValues(bytes, first, model.now.slice(first, first + count), "a read finds: ");
      });
    }
    if (kind === 11 && this.#plan.seed % 4 === 1) {
      return await this.#issue(first, count, async () => {
        // What is discarded reads as zeroes, or as before.
        model.begin(first, count, 0);
        await drive.discard(at, length);
      });
    }
    const value = kind < 6 ? 0 : model.nextValue();
    await this.#issue(first, count, async () => {
      model.begin(first, count, value);
      if (value !== 0) await drive.write(at, IoVector.of(sectorBytes(first, count, value)));
      else await drive.writeZeroes(at, length, { unmap: kind === 4 });
      // What is answered after power was lost nobody hears.
      if (life !== this.#life) return;
      model.end(first, count, value);
    });
  }

  /** Has a request made when no other one is at the same sectors, and not too many are at work. */
  async #issue(first: number, count: number, body: () => Promise<void>): Promise<void> {
    const inFlight = this.#inFlight;
    const overlaps = (other: { first: number; count: number }) =>
      other.first < first + count && first < other.first + other.count;
    while (inFlight.size >= 6 || [...inFlight.values()].some(overlaps)) await this.#soon(Promise.race(inFlight.keys()));
    const life = this.#life;
    const work: Promise<void> = body().catch((error) => life === this.#life && this.#tolerate(error)).then(() =>
      void inFlight.delete(work)
    );
    inFlight.set(work, { first, count });
  }

  /** Waits, but not for ever. @throws {Violation} */
  async #soon(work: Promise<unknown>): Promise<void> {
    let done = false;
    const end = () => void (done = true);
    work.then(end, end);
    for (let turns = 0; !done; turns++) {
      if (turns > MOST_TURNS) throw new Violation("a request of the guest is never answered");
      await nextTurn();
    }
  }

  #tolerate(error: unknown): void {
    if (error instanceof BlockError && error.errno === "EIO" && this.#host.faults !== undefined) return;
    this.#violation ??= error instanceof Violation
      ? error
      : new Violation(`a request fails: ${(error as Error).stack}`);
  }

  #takeMoment(random: SeededRandom): JobMoment {
    // While all is closed at the end, it is the one that it was.
    if (this.#drive.node !== undefined) this.#image = imageOf(this.#drive);
    const images = [{ name: this.#image, sectors: allowedBy(this.#model) }];
    const backup = this.#finishedBackup;
    if (backup !== undefined) images.push({ name: backup, sectors: this.#then });
    return { files: this.#host.afterPowerLoss(random), images };
  }

  /** The image that a backup has made, if it has. */
  get #finishedBackup(): string | undefined {
    const { kind } = this.#plan;
    const job = this.#job;
    // Without what it lies on, that of a backup of nothing but what is written over is no disk.
    if (!kind.startsWith("backup") || kind === "backup, none") return undefined;
    return job?.status === "concluded" && job.error === undefined ? targetOf(kind) : undefined;
  }

  async #losePower(): Promise<JobMoment> {
    const scheduler = this.#host.scheduler!;
    await scheduler.after(this.#random.below(200));
    scheduler.stop();
    if (this.#violation !== undefined) throw this.#violation;
    this.#inFlight.clear();
    this.#life++;
    return this.#takeMoment(this.#random);
  }

  /** The job comes to its end, the guest rests, and all is as it has to be. */
  async #finish(): Promise<void> {
    await this.#beginAgain();
    const job = this.#job;
    for (let turns = 0; job !== undefined && job.status !== "concluded"; turns++) {
      if (turns > MOST_TURNS) throw new Violation(`the job does not end: ${job.status}`);
      if (job.isReady) await job.complete().catch(() => {});
      await job.resume().catch(() => {});
      if (this.#plan.kind === "backup, none" && job.status === "running") await this.#endFleecing(job);
      this.#clock.advance(TURN_NS);
      await nextTurn();
    }
    while (this.#inFlight.size > 0) await this.#soon(Promise.all(this.#inFlight.keys()));
    if (this.#violation !== undefined) throw this.#violation;
    if (job?.error !== undefined && !job.isCancelled) throw new Violation(`the job fails: ${job.error}`);
    if (job?.error === undefined) this.#checkChain();
    await this.#drive.flush();
    const name = imageOf(this.#drive);
    await this.#drive[Symbol.asyncDispose]();
    await this.#graph[Symbol.asyncDispose]();
    const images = [{ name, sectors: this.#model.now }];
    const backup = this.#finishedBackup;
    if (backup !== undefined) images.push({ name: backup, sectors: this.#then });
    await verifyMoment({ files: this.#host.contents(), images });
  }

  /** While the job runs, its target over the guest's disk is the disk of the job's start. */
  async #endFleecing(job: Job): Promise<void> {
    while (this.#inFlight.size > 0) await this.#soon(Promise.all(this.#inFlight.keys()));
    // A user may have cancelled it meanwhile.
    if (job.status !== "running" || job.isCancelled) return;
    const target = this.#graph.nodes.find(({ name }) => name === targetOf(this.#plan.kind))!;
    const bytes = new Uint8Array(target.size);
    await target.read(0, IoVector.of(bytes));
    readValues(bytes, 0, this.#then, "the target shows: ");
    await job.cancel(true).catch(() => {});
  }

  /** A job that ended well has made of the chain what it is for. */
  #checkChain(): void {
    const { kind } = this.#plan;
    const { length } = layersOf(this.#drive);
    const least = kind === "stream" || kind === "active commit" || kind.startsWith("mirror") ? 1 : 2;
    if (!kind.startsWith("backup") && length > least && imageOf(this.#drive) === "top" && this.#wasWhole) {
      throw new Violation(`after ${kind} the chain has ${length} layers`);
    }
  }

  /** The job was not ended early by a user, who then keeps the chain. */
  get #wasWhole(): boolean {
    const job = this.#job!;
    return !job.isCancelled && (job.type === "stream" || (job.type === "commit" && this.#plan.kind === "commit"));
  }
}
