/**
 * One run: a new disk, a list of steps over the scheduler, power lost at moments that the seed chooses, and what each of
 * them left verified.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { SeededRandom } from "../../base/random.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import { BlockError, type BlockGraph, type BlockNode, commitAll } from "../../block/mod.ts";
import type { Features } from "./features.ts";
import { type Plant, SimulatedHost } from "./host.ts";
import { GuestModel, sectorBytes, type SnapshotModel } from "./model.ts";
import { Scheduler } from "./scheduler.ts";
import { type Moment, readValues, verify, Violation } from "./verify.ts";
import type { Step } from "./workload.ts";
import { geometryOf, makeFiles, openDisk, openGraph, openOptions } from "./world.ts";

/** Everything that a run depends on. */
export interface Plan {
  readonly seed: number;
  readonly features: Features;
  readonly steps: readonly Step[];
  /** Verify one moment only; else power is lost at about one in `sparse` of them. */
  readonly point?: number;
  readonly sparse: number;
  readonly plant?: () => Plant;
}

/** What came of it. */
export interface Outcome {
  readonly points: number;
  readonly failure?: { readonly message: string; readonly point: number | undefined };
  /** The files at the failure. */
  readonly files?: ReadonlyMap<string, Uint8Array>;
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

interface Range {
  readonly first: number;
  readonly count: number;
}

const SNAPSHOT = { vmStateBytes: 0, dateSeconds: 1, dateNanoseconds: 0, vmClockNs: 0, icount: -1 };

class Run {
  points = 0;
  /** The moment that is being looked at. */
  verifying: Moment | undefined;
  readonly #plan: Plan;
  readonly #model: GuestModel;
  readonly #sectors: number;
  #host!: SimulatedHost;
  #graph!: BlockGraph;
  #node!: BlockNode;
  #moment = 0;
  #moments: Moment[] = [];
  #marksMayLag = false;
  /** No power was lost and nothing failed so far: there are no leaks. */
  #unharmed = true;
  #violation: unknown;
  readonly #inFlight = new Map<Promise<void>, Range & { readonly changes: boolean }>();

  constructor(plan: Plan) {
    this.#plan = plan;
    const { sectors, backingSectors } = geometryOf(plan.features, plan.seed);
    this.#sectors = sectors;
    this.#model = new GuestModel(sectors, backingSectors);
  }

  async execute(): Promise<void> {
    const { features, seed, steps } = this.#plan;
    await this.#start(await makeFiles(features, geometryOf(features, seed)));
    for (const step of steps) {
      if (this.#violation !== undefined) throw this.#violation;
      await this.#step(step);
    }
    await this.#settle();
    if (await this.#close()) {
      await this.#verifyMoments();
      const { leaks } = await this.#verify(this.#takeMoment());
      if (this.#unharmed && leaks > 0) throw new Violation(`${leaks} clusters leak though nothing went wrong`);
    } else await this.#verifyMoments();
  }

  /** Power comes on over `files`. */
  async #start(files: ReadonlyMap<string, Uint8Array>): Promise<void> {
    const { features, plant } = this.#plan;
    const random = this.#random(1);
    const host = new SimulatedHost(files);
    this.#host = host;
    this.#graph = openGraph(host);
    this.#node = await openDisk(this.#graph, openOptions(features));
    host.scheduler = new Scheduler(random, () => this.#maybeLosePower());
    if (plant !== undefined) host.plant = plant();
    const longest = Math.max(...[...files.values()].map((bytes) => bytes.length));
    if (features.faults !== "none") {
      const capacityBytes = features.faults === "ENOSPC" ? longest + random.below(96) * 1024 : Infinity;
      host.faults = { random, oneIn: features.faults === "EIO" ? 60 : 0, capacityBytes };
    }
  }

  #random(salt: number): SeededRandom {
    return new SeededRandom((this.#plan.seed * 64 + salt) * 100_003 + this.#moment);
  }

  #takeMoment(): Moment {
    const files = this.#host.afterPowerLoss(this.#random(2));
    const expectation = this.#model.expectation();
    const { features } = this.#plan;
    return { point: this.#moment, files, expectation, features, marksMayLag: this.#marksMayLag };
  }

  #maybeLosePower(): void {
    const point = ++this.#moment;
    const { point: only, sparse } = this.#plan;
    if (only === undefined ? this.#random(3).below(sparse) === 0 : only === point) {
      this.#moments.push(this.#takeMoment());
    }
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

  /** Waits until nothing is in flight. */
  async #settle(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.all(this.#inFlight.keys());
    if (this.#violation !== undefined) throw this.#violation;
  }

  /** Closes the disk; false where an error had to be expected, and power was lost instead. */
  async #close(): Promise<boolean> {
    const flushed = this.#model.flush();
    try {
      await this.#graph[Symbol.asyncDispose]();
    } catch (error) {
      flushed(false);
      this.#tolerate(error);
      await this.#losePower(0);
      return false;
    }
    flushed(true);
    return true;
  }

  /** After so many completions nothing is answered any more; what is left is verified, and work goes on with it. */
  async #losePower(completions: number): Promise<void> {
    const scheduler = this.#host.scheduler!;
    await scheduler.after(completions);
    scheduler.stop();
    this.#inFlight.clear();
    this.#moment++;
    const last = this.#takeMoment();
    await this.#verifyMoments();
    const found = await this.#verify(last);
    this.#unharmed = false;
    this.#model.found(found.values, found.snapshots);
    await this.#start(last.files);
  }

  /** Errors that the host's faults bring about, or that the format's limits do, pass; others end the run. */
  #tolerate(error: unknown): void {
    const { faults } = this.#plan.features;
    const errno = error instanceof BlockError ? error.errno : undefined;
    if (errno === faults && error instanceof BlockError && error.failure.kind !== "corrupt") {
      this.#unharmed = false;
      return;
    }
    const text = error instanceof BlockError ? `refused: ${error.message}` : `${(error as Error)?.stack ?? error}`;
    throw new Violation(`a request is ${text}`);
  }

  async #step(step: Step): Promise<void> {
    const model = this.#model;
    const { clusterBytes } = this.#plan.features;
    switch (step.kind) {
      case "write":
      case "write through":
      case "zero":
      case "zero and unmap":
      case "discard":
      case "read":
        return await this.#guestRequest(step, this.#range(step));
      case "flush":
        return await this.#issue({ first: 0, count: 0, changes: false }, async () => {
          const flushed = model.flush();
          let well = false;
          try {
            await this.#node.flush();
            well = true;
          } finally {
            flushed(well);
          }
        });
      case "compress": {
        const cluster = clusterBytes / SECTOR_BYTES;
        const first = Math.floor(step.a % model.sectors / cluster) * cluster;
        const count = Math.min(cluster, model.sectors - first);
        // Deflating is done by threads, whose order no seed knows: so nothing else goes on.
        await this.#settle();
        await this.#guestRequest(step, { first, count });
        return await this.#settle();
      }
      case "lose power":
        return await this.#losePower(step.a % 20);
      default:
        await this.#settle();
        return await this.#administrate(step);
    }
  }

  /** Where a guest's request goes: mostly few sectors, sometimes several clusters. */
  #range({ a, b }: Step): Range {
    const { sectors } = this.#model;
    const cluster = this.#plan.features.clusterBytes / SECTOR_BYTES;
    const longest = b % 4 === 0 ? Math.min(64, cluster * 4) : Math.min(16, cluster + 2);
    let first = a % sectors;
    // Half of the requests meet in a few places, so that clusters are written again and shared.
    if ((b >> 4) % 2 === 0) first %= Math.min(sectors, cluster * 6);
    if ((b >> 5) % 4 === 0) first -= first % cluster;
    return { first, count: Math.min(sectors - first, 1 + (b >>> 8) % Math.max(longest, 1)) };
  }

  async #issue(range: Range & { changes: boolean }, body: () => Promise<void>): Promise<void> {
    const overlaps = (other: Range & { changes: boolean }) =>
      other.first < range.first + range.count && range.first < other.first + other.count && other.changes;
    // The outcome of two changes to one sector at a time is anybody's: they are kept apart.
    while (range.changes && [...this.#inFlight.values()].some(overlaps)) await Promise.race(this.#inFlight.keys());
    while (this.#inFlight.size >= this.#plan.features.depth) await Promise.race(this.#inFlight.keys());
    const work: Promise<void> = this.#attempt(body).then(() => void this.#inFlight.delete(work));
    this.#inFlight.set(work, range);
  }

  async #attempt(body: () => Promise<void>): Promise<void> {
    try {
      await body();
    } catch (error) {
      try {
        if (error instanceof Violation) throw error;
        this.#tolerate(error);
      } catch (violation) {
        this.#violation ??= violation;
      }
    }
  }

  async #guestRequest({ kind }: Step, range: Range): Promise<void> {
    const node = this.#node;
    const model = this.#model;
    const { first, count } = range;
    const at = first * SECTOR_BYTES;
    const length = count * SECTOR_BYTES;
    if (kind === "read") {
      return await this.#issue({ ...range, changes: false }, async () => {
        const read = model.read(first, count);
        const bytes = new Uint8Array(length);
        try {
          await node.read(at, IoVector.of(bytes));
        } catch (error) {
          read();
          throw error;
        }
        readValues(bytes, first, read(), "a read finds: ");
      });
    }
    const value = kind === "zero" || kind === "zero and unmap" || kind === "discard" ? 0 : model.nextValue();
    const changed = kind === "discard" ? this.#discarded(range) : range;
    await this.#issue({ ...range, changes: true }, async () => {
      model.begin(changed.first, changed.count, value);
      const data = () => IoVector.of(sectorBytes(first, count, value));
      if (kind === "write") await node.write(at, data());
      else if (kind === "write through") await node.write(at, data(), { fua: true });
      else if (kind === "compress") await node.writeCompressed(at, data());
      else if (kind === "discard") await node.discard(at, length);
      else await node.writeZeroes(at, length, { unmap: kind === "zero and unmap" });
      model.end(changed.first, changed.count, value);
      if (kind === "write through") model.durable(first, count, value);
    });
  }

  /** The sectors that a discard makes zeroes: whole clusters, the last one of the disk among them. */
  #discarded({ first, count }: Range): Range {
    const { features } = this.#plan;
    const none = { first, count: 0 };
    if (features.discard === "ignore" || (features.compat === "0.10" && features.backing !== "none")) return none;
    const cluster = features.clusterBytes / SECTOR_BYTES;
    const start = Math.ceil(first / cluster) * cluster;
    const end = first + count;
    const stop = end === this.#model.sectors ? end : Math.floor(end / cluster) * cluster;
    return stop > start ? { first: start, count: stop - start } : none;
  }

  /** What is done to the disk as a whole; when it fails half-way, power is lost. */
  async #administrate(step: Step): Promise<void> {
    const flushed = step.kind === "resize" || step.kind === "commit" ? () => {} : this.#model.flush();
    const snapshots = this.#model.snapshots;
    try {
      const done = await this.#administer(step);
      // Applying says itself what is there afterwards.
      flushed(done && step.kind !== "apply");
      // What a failed one left behind stays until a repair.
      if (done && this.#unharmed) this.#marksMayLag = false;
    } catch (error) {
      flushed(false);
      const errno = error instanceof BlockError ? error.errno : undefined;
      const { compat, snapshots: has, refcountBits } = this.#plan.features;
      const full = errno === "EINVAL" && refcountBits < 8 && (step.kind === "snapshot" || step.kind === "apply");
      const old = errno === "ENOTSUP" && compat === "0.10" && has && step.kind === "resize";
      if (full || old) {
        this.#model.snapshots = snapshots;
        return this.#model.refused();
      }
      if (error instanceof Violation) throw error;
      this.#tolerate(error);
      // Taking or deleting may fail and work goes on; after the rest nobody knows what the disk holds.
      if ((step.kind === "snapshot" || step.kind === "delete") && step.b % 2 === 0) return;
      await this.#losePower(0);
    }
  }

  /** False where there was nothing to be done. */
  async #administer({ kind, a }: Step): Promise<boolean> {
    const model = this.#model;
    const store = this.#node.driver.snapshots!;
    switch (kind) {
      case "snapshot": {
        if (model.snapshots.length >= 4) return false;
        const name = `s${model.nextValue()}`;
        const taken: SnapshotModel = { name, sectors: model.now.slice(), uncertain: true };
        const others = model.snapshots;
        model.snapshots = [...others, taken];
        this.#marksMayLag = this.#plan.features.compat === "0.10";
        await store.create({ ...SNAPSHOT, name });
        model.snapshots = [...others, { ...taken, uncertain: false }];
        return true;
      }
      case "apply":
      case "delete": {
        const chosen = model.snapshots[a % Math.max(1, model.snapshots.length)];
        if (chosen === undefined) return false;
        const id = store.list().find(({ name }) => name === chosen.name)?.id;
        if (id === undefined) return false;
        this.#marksMayLag = this.#plan.features.compat === "0.10";
        if (kind === "delete") {
          const others = model.snapshots.filter((one) => one !== chosen);
          model.snapshots = [...others, { ...chosen, uncertain: true }];
          await store.delete(id);
          model.snapshots = others;
        } else {
          model.beginApply(chosen);
          await store.apply(id);
          model.endApply(chosen);
        }
        return true;
      }
      case "resize": {
        const sectors = Math.max(1, Math.floor(this.#sectors * (1 + a % 6) / 4) - a % 5);
        const { preallocation } = this.#plan.features;
        const grows = sectors > model.sectors;
        model.beginResize(sectors);
        await this.#node.truncate(sectors * SECTOR_BYTES, grows ? { preallocation } : {});
        model.endResize(sectors);
        return true;
      }
      case "commit":
        model.committed();
        await commitAll(this.#graph, this.#node);
        return true;
      case "reopen":
        await this.#graph[Symbol.asyncDispose]();
        this.#graph = openGraph(this.#host);
        this.#node = await openDisk(this.#graph, openOptions(this.#plan.features));
        return true;
      default:
        return false;
    }
  }
}
