/**
 * One run: a new disk, a list of steps over the scheduler, power lost at moments that the seed chooses, and what each of
 * them left verified.
 *
 * @module
 */
import { SeededRandom } from "../../base/random.ts";
import { MiB } from "../../base/units.ts";
import { BlockError, type BlockGraph, type BlockNode } from "../../block/mod.ts";
import { bitmapProblem, BitmapsModel, bitmapsOf } from "./bitmaps.ts";
import type { Features } from "./features.ts";
import { guestStep } from "./guest.ts";
import { SimulatedHost } from "./host.ts";
import type { Machine, Plan, Range } from "./machine.ts";
import { GuestModel } from "./model.ts";
import { operatorStep } from "./operator.ts";
import type { FileContent } from "./pages.ts";
import { Scheduler } from "./scheduler.ts";
import { type Moment, verify, Violation } from "./verify.ts";
import type { Step } from "./workload.ts";
import { compatOf, geometryOf, makeBacking, makeDisk, openDisk, openGraph, openOptions } from "./world.ts";

const THIN_AFTER = 20;

/** What came of it. */
export interface Outcome {
  readonly points: number;
  readonly failure?: { readonly message: string; readonly point: number | undefined };
  /** The files at the failure. */
  readonly files?: ReadonlyMap<string, FileContent>;
}

/** Runs `plan`. */
export async function run(plan: Plan): Promise<Outcome> {
  const world = new Run(plan);
  try {
    await world.execute();
    return { points: world.points };
  } catch (error) {
    const moment = world.verifying;
    const message = error instanceof Violation ? error.message : `${(error as Error)?.stack ?? error}`;
    const failure = { message, point: moment?.point };
    return { points: world.points, failure, ...(moment === undefined ? {} : { files: moment.files }) };
  }
}

class Run implements Machine {
  points = 0;
  /** The moment that is being looked at. */
  verifying: Moment | undefined;
  readonly features: Features;
  readonly model: GuestModel;
  readonly bitmaps = new BitmapsModel();
  readonly firstSectors: number;
  compat: string;
  host!: SimulatedHost;
  graph!: BlockGraph;
  node!: BlockNode;
  marksMayLag = false;
  unharmed = true;
  readonly #plan: Plan;
  #moment = 0;
  #taken = 0;
  #moments: Moment[] = [];
  #violation: unknown;
  readonly #inFlight = new Map<Promise<void>, Range & { readonly changes: boolean }>();

  constructor(plan: Plan) {
    this.#plan = plan;
    this.features = plan.features;
    this.compat = plan.features.compat;
    const { sectors, backingSectors } = geometryOf(plan.features, plan.seed);
    this.firstSectors = sectors;
    this.model = new GuestModel(sectors, backingSectors);
  }

  async execute(): Promise<void> {
    await this.#start(await this.#make());
    for (const step of this.#plan.steps) {
      if (this.#violation !== undefined) throw this.#violation;
      await this.#step(step);
    }
    await this.settle();
    if (await this.#close()) {
      await this.#verifyMoments();
      const { leaks } = await this.#verify(this.#takeMoment(this.#keepsBitmaps));
      // Bitmaps that could not be stored leave what they took.
      const mayLeak = !this.unharmed || (this.features.bitmaps && !this.#keepsBitmaps);
      if (!mayLeak && leaks > 0) throw new Violation(`${leaks} clusters leak though nothing went wrong`);
    } else await this.#verifyMoments();
  }

  /** The disk is made; power may be lost in that, too. */
  async #make(): Promise<Map<string, FileContent>> {
    const { features, seed, point: only, sparse } = this.#plan;
    const geometry = geometryOf(features, seed);
    const host = this.host = new SimulatedHost();
    await makeBacking(host, features, geometry);
    const random = this.#random(4);
    let point = 0;
    host.scheduler = new Scheduler(this.#random(5), () => {
      point--;
      if (only === undefined ? random.below(sparse) > 0 : only !== point) return;
      const files = host.afterPowerLoss(random);
      const expectation = this.model.expectation();
      const bitmaps = this.bitmaps.expectation();
      const moment = {
        point,
        files,
        expectation,
        bitmaps,
        features,
        marksMayLag: false,
        isBeingMade: true,
        closed: false,
      };
      this.#moments.push(moment);
    });
    await makeDisk(host, features, geometry);
    await this.#verifyMoments();
    return host.contents();
  }

  /** Power comes on over `files`. */
  async #start(files: ReadonlyMap<string, FileContent>): Promise<void> {
    const { features, plant } = this.#plan;
    const random = this.#random(1);
    const host = new SimulatedHost(files);
    this.host = host;
    this.graph = openGraph(host);
    this.node = await openDisk(this.graph, openOptions(features));
    await this.amended();
    host.scheduler = new Scheduler(random, () => this.#maybeLosePower());
    if (plant !== undefined) host.plant = plant();
    host.plant?.opened?.(this.node.driver);
    const longest = Math.max(...[...files.values()].map(({ size }) => size));
    if (features.faults !== "none") {
      const capacityBytes = features.faults === "ENOSPC" ? longest + random.below(96) * 1024 : Infinity;
      const shortOneIn = features.faults === "short" ? 4 : 0;
      host.faults = { random, oneIn: features.faults === "EIO" ? 60 : 0, capacityBytes, shortOneIn };
    }
  }

  #random(salt: number): SeededRandom {
    return new SeededRandom((this.#plan.seed * 64 + salt) * 100_003 + this.#moment);
  }

  #takeMoment(closed = false): Moment {
    const files = this.host.afterPowerLoss(this.#random(2));
    const expectation = this.model.expectation();
    const { features, marksMayLag } = this;
    const bitmaps = this.bitmaps.expectation();
    return { point: this.#moment, files, expectation, bitmaps, features, marksMayLag, isBeingMade: false, closed };
  }

  #maybeLosePower(): void {
    const point = ++this.#moment;
    const { point: only, sparse } = this.#plan;
    if (only === undefined ? this.#random(3).below(sparse * this.#thinning) === 0 : only === point) {
      this.#taken++;
      this.#moments.push(this.#takeMoment());
    }
  }

  /** A long run with huge clusters, whose power losses take long, is looked at less and less often. */
  get #thinning(): number {
    const { features, sparse } = this.#plan;
    return features.clusterBytes > MiB && sparse > 2 ? 2 ** Math.floor(this.#taken / THIN_AFTER) : 1;
  }

  /** Whether closing stores the bitmaps: where that fails, the image goes without them. */
  get #keepsBitmaps(): boolean {
    return this.features.faults === "none" || this.features.faults === "short";
  }

  async #verify(moment: Moment) {
    this.verifying = moment;
    const found = await verify(moment);
    this.points++;
    this.verifying = undefined;
    return found;
  }

  async #verifyMoments(): Promise<void> {
    const moments = this.#moments;
    this.#moments = [];
    for (const moment of moments) await this.#verify(moment);
    if (this.#violation !== undefined) throw this.#violation;
  }

  async settle(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight.keys());
    if (this.#violation !== undefined) throw this.#violation;
  }

  /** Closes the disk; false where an error had to be expected, and power was lost instead. */
  async #close(): Promise<boolean> {
    const flushed = this.model.flush();
    try {
      await this.graph[Symbol.asyncDispose]();
    } catch (error) {
      flushed(false);
      this.tolerate(error);
      await this.losePower(0);
      return false;
    }
    flushed(true);
    return true;
  }

  async losePower(completions: number): Promise<void> {
    const scheduler = this.host.scheduler!;
    await scheduler.after(completions);
    scheduler.stop();
    this.#inFlight.clear();
    this.#moment++;
    const last = this.#takeMoment();
    await this.#verifyMoments();
    const found = await this.#verify(last);
    this.unharmed = false;
    this.model.found(found.values, found.snapshots);
    this.bitmaps.found(found.bitmaps);
    await this.#start(last.files);
  }

  async reopen(): Promise<void> {
    await this.graph[Symbol.asyncDispose]();
    this.graph = openGraph(this.host);
    this.node = await openDisk(this.graph, openOptions(this.features));
    this.host.plant?.opened?.(this.node.driver);
    const found = bitmapsOf(this.node);
    const problem = bitmapProblem(found, this.bitmaps.expectation(), this.#keepsBitmaps);
    if (problem !== undefined) throw new Violation(`opened again: ${problem}`);
    this.bitmaps.found(found);
  }

  async amended(): Promise<void> {
    this.compat = await compatOf(this.node);
  }

  /** Errors that the host's faults bring about, or that the format's limits do, pass; others end the run. */
  tolerate(error: unknown): void {
    const { faults } = this.features;
    const errno = error instanceof BlockError ? error.errno : undefined;
    // Where a header field could neither be written nor put back, the image lets nothing through any more.
    const isStopped = faults === "EIO" && errno === "ENOMEDIUM";
    if ((errno === faults || isStopped) && error instanceof BlockError && error.failure.kind !== "corrupt") {
      this.unharmed = false;
      return;
    }
    const text = error instanceof BlockError ? `refused: ${error.message}` : `${(error as Error)?.stack ?? error}`;
    throw new Violation(`a request is ${text}`);
  }

  async #step(step: Step): Promise<void> {
    if (step.kind === "lose power") return await this.losePower(step.a % 20);
    if (await guestStep(this, step)) return;
    await this.settle();
    await operatorStep(this, step);
  }

  readonly issue = async (range: Range & { changes: boolean }, body: () => Promise<void>): Promise<void> => {
    const overlaps = (other: Range & { changes: boolean }) =>
      other.first < range.first + range.count && range.first < other.first + other.count && other.changes;
    // The outcome of two changes to one sector at a time is anybody's: they are kept apart.
    while (range.changes && [...this.#inFlight.values()].some(overlaps)) await Promise.race(this.#inFlight.keys());
    while (this.#inFlight.size >= this.features.depth) await Promise.race(this.#inFlight.keys());
    const work: Promise<void> = this.#attempt(body).then(() => void this.#inFlight.delete(work));
    this.#inFlight.set(work, range);
  };

  async #attempt(body: () => Promise<void>): Promise<void> {
    try {
      await body();
    } catch (error) {
      try {
        if (error instanceof Violation) throw error;
        this.tolerate(error);
      } catch (violation) {
        this.#violation ??= violation;
      }
    }
  }
}
