/**
 * A job: work over disks that goes on beside the guest, and that users watch, pause, slow down, end and cancel.
 *
 * The work itself is an async generator ({@link JobWork}). Between two of its steps the job waits for its speed limit,
 * stands still while it is paused or while somebody drains a node that it uses, and leaves when it is cancelled. How it
 * ends is the same for all: `waiting`, `pending`, `concluded`, or by way of `aborting`; when it does, its group says.
 *
 * Source: qapi/job.json; order and texts as the real program has them.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import { nextTurn } from "../../base/turn.ts";
import { errnoText } from "../../base/errno.ts";
import { BlockError, errnoOf } from "../errors.ts";
import type { BlockNode } from "../node.ts";
import type { BlockEdge, EdgeOwner } from "../permissions.ts";
import { type ErrorAction, errorAction } from "../policy.ts";
import { type GroupMember, JobGroup } from "./group.ts";
import type { JobEvents, JobSet } from "./job_set.ts";
import { JobRate } from "./rate.ts";
import { SpeedLimit } from "./speed.ts";
import { type JobStatus, type JobVerb, NEXT_STATES, VERB_STATES } from "./states.ts";
import { BLOCK_JOB_TYPES, type JobErrorPolicy, type JobStep, type JobWork } from "./work.ts";

/** What a job is made with. */
export interface JobOptions {
  readonly id: string;
  /** Bytes a second; 0 for no limit. */
  readonly speed?: number;
  /** Goes from `pending` on by itself; by default it does. */
  readonly autoFinalize?: boolean;
  /** Is forgotten when it has concluded; by default it is. */
  readonly autoDismiss?: boolean;
  /** Jobs that it ends with; by default none. */
  readonly group?: JobGroup | undefined;
}

/** One job. */
export class Job implements EdgeOwner, GroupMember {
  readonly id: string;
  readonly work: JobWork;
  readonly autoFinalize: boolean;
  readonly autoDismiss: boolean;
  /** Bytes done, and in all; what is left may grow while the guest writes. */
  readonly progress: { done: number; total: number } = { done: 0, total: 0 };
  ioStatus: "ok" | "failed" | "nospace" = "ok";
  /** Why it failed. */
  error: string | undefined;
  /** The file (or node) that it has left incomplete: its target, where it failed or was cancelled. */
  incomplete: string | undefined;
  /** Resolves when the job has concluded; never rejects. */
  readonly concluded: Promise<void>;
  readonly workEnded: Promise<void>;

  readonly #set: JobSet;
  readonly #group: JobGroup;
  readonly #abort = new AbortController();
  readonly #speed: SpeedLimit;
  readonly #rate: JobRate;
  readonly #edges: BlockEdge[] = [];
  readonly #blocked = new Set<BlockNode>();
  readonly #conclude = Promise.withResolvers<void>();
  readonly #workEnd = Promise.withResolvers<void>();
  #status: JobStatus = "undefined";
  #userPaused = false;
  #quiesced = 0;
  /** A step runs: requests of the job are in flight. */
  #busy = false;
  #cancelled = false;
  #started = false;
  #isWorkDone = false;
  /** What the work threw. */
  #failure: { readonly error: unknown } | undefined;
  #kicked = false;
  #wakers: (() => void)[] = [];
  #idleWaiters: (() => void)[] = [];

  constructor(set: JobSet, work: JobWork, options: JobOptions) {
    this.#set = set;
    this.work = work;
    this.id = options.id;
    this.autoFinalize = options.autoFinalize ?? true;
    this.autoDismiss = options.autoDismiss ?? true;
    this.#speed = new SpeedLimit(set.clock);
    this.#rate = new JobRate(set.clock);
    this.concluded = this.#conclude.promise;
    this.workEnded = this.#workEnd.promise;
    this.#group = options.group ?? new JobGroup();
    this.#group.join(this);
    this.#go("created");
  }

  get type(): JobWork["type"] {
    return this.work.type;
  }

  /** Block jobs have more commands and events than others. */
  get isBlockJob(): boolean {
    return BLOCK_JOB_TYPES.includes(this.type);
  }

  get status(): JobStatus {
    return this.#status;
  }

  /** Bytes a second; 0 for no limit. */
  get speed(): number {
    return this.#speed.bytesPerSecond;
  }

  /** How fast it gets on, in bytes a second, and the seconds that are left where that can be told. */
  get pace(): { readonly bytesPerSecond: number; readonly secondsLeft: number | undefined } {
    const { done, total } = this.progress;
    return { bytesPerSecond: this.#rate.bytesPerSecond, secondsLeft: this.#rate.secondsFor(total - done) };
  }

  get isPaused(): boolean {
    return this.#userPaused || this.#quiesced > 0;
  }

  get isBusy(): boolean {
    return this.#busy;
  }

  get isReady(): boolean {
    return this.#status === "ready" || this.#status === "standby";
  }

  /** Aborted when the job is cancelled. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get isCancelled(): boolean {
    return this.#cancelled;
  }

  // As a user of nodes.

  get name(): string {
    return this.id;
  }

  get description(): string {
    return `${this.type} job '${this.id}'`;
  }

  /** Uses `node`: it stays open, and pauses the job while it drains. @throws {BlockError} on conflict */
  async use(node: BlockNode, role: string, used: number, shared: number): Promise<void> {
    this.#edges.push(await this.#set.graph.attach(this, node, role, used, shared));
  }

  /** The nodes that it uses, in its order. */
  get edges(): readonly BlockEdge[] {
    return this.#edges;
  }

  /** Keeps other jobs, and most of what users do, off `node`. */
  block(node: BlockNode): void {
    this.#blocked.add(node);
  }

  blocks(node: BlockNode): boolean {
    return this.#blocked.has(node);
  }

  /** Lets go of all nodes; those that nobody else uses are closed. */
  async release(): Promise<void> {
    let failed: { readonly error: unknown } | undefined;
    for (const edge of this.#edges.splice(0).reverse()) {
      await this.#set.graph.detach(edge).catch((error) => failed ??= { error });
    }
    if (failed !== undefined) throw failed.error;
  }

  quiesce(): void {
    this.#quiesced++;
  }

  unquiesce(): void {
    if (--this.#quiesced === 0) this.wake();
  }

  /** Returns when no step runs. */
  async settle(): Promise<void> {
    while (this.#busy) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  // What users say.

  /** @throws {BlockError} `Parameter 'speed' expects a non-negative value` */
  setSpeed(bytesPerSecond: number): void {
    this.accept("set-speed");
    if (bytesPerSecond < 0) throw stateError("Parameter 'speed' expects a non-negative value");
    this.#speed.bytesPerSecond = bytesPerSecond;
    this.wake();
  }

  async pause(): Promise<void> {
    this.accept("pause");
    if (this.#userPaused) throw stateError("Job is already paused");
    this.#userPaused = true;
    this.wake();
    // The step that runs is its last for now.
    await this.settle();
    await nextTurn();
  }

  async resume(): Promise<void> {
    if (!this.#userPaused) throw stateError("Can't resume a job that was not paused");
    this.accept("resume");
    this.#userPaused = false;
    this.ioStatus = "ok";
    this.wake();
    await nextTurn();
  }

  /** Ends the job; without `force`, one that is ready ends well where its kind can. Returns when that has begun. */
  async cancel(force: boolean): Promise<void> {
    this.accept("cancel");
    // It is over in a moment, and cannot be stopped any more.
    if (this.#group.isEnding) return;
    if (!force && this.#userPaused && this.#isAtWork) {
      throw stateError(`The block job for device '${this.id}' is currently paused`);
    }
    if (!force && this.#status === "ready" && this.work.endEarly?.(this) === true) return this.wake();
    this.stopWork();
    if (this.#status === "pending" || this.#status === "waiting") return await this.#group.abort();
    await nextTurn();
  }

  /** Ends a job that is ready, and switches over to what it made. */
  async complete(): Promise<void> {
    this.accept("complete");
    await this.work.complete?.(this);
    this.wake();
  }

  async finalize(): Promise<void> {
    this.accept("finalize");
    if (!this.#group.isEnding) await this.#group.finalize();
  }

  dismiss(): void {
    this.accept("dismiss");
    this.#set.remove(this);
    this.#go("null");
  }

  /** Refuses what cannot be said now. @throws {BlockError} in QEMU's words */
  accept(verb: JobVerb): void {
    if (VERB_STATES[verb].includes(this.#status)) return;
    throw stateError(`Job '${this.id}' in state '${this.#status}' cannot accept command verb '${verb}'`);
  }

  // What the work says.

  /** Begins. The first step is made after whoever started the job has been answered. */
  start(): void {
    this.#started = true;
    this.#go("running");
    void this.#live();
  }

  /** The job is not wanted after all: nothing of it was begun. */
  discard(): void {
    this.#group.leave(this);
    this.#set.remove(this);
    this.#go("null");
    this.#conclude.resolve();
  }

  /** What the job was to be part of has failed before it was started: it is undone and gone. */
  async abandon(): Promise<void> {
    this.#group.leave(this);
    this.#cancelled = true;
    await this.endBadly();
    if (!this.autoDismiss) this.dismiss();
  }

  // What its group says.

  stopWork(): void {
    if (this.#failure !== undefined) return;
    this.#cancelled = true;
    this.#abort.abort();
    this.#userPaused = false;
    this.wake();
  }

  becamePending(): void {
    this.#go("pending");
    if (!this.autoFinalize) this.#tell("BLOCK_JOB_PENDING", { type: this.type, id: this.id });
  }

  async prepareEnd(): Promise<void> {
    try {
      await this.work.prepare?.(this);
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }

  async endWell(): Promise<void> {
    await this.#end(undefined);
    const told = this.error === undefined ? {} : { error: this.error };
    this.#tell("BLOCK_JOB_COMPLETED", { ...this.#facts(), ...told });
    this.#over();
  }

  /** Cancelled where it has not failed itself. */
  async endBadly(): Promise<void> {
    this.#go("aborting");
    const { fills } = this.work;
    if (this.#started && !this.#isWorkDone) this.incomplete = fills?.exactFilename || fills?.name;
    const failure = this.#failure;
    this.error = failure === undefined ? errnoText("ECANCELED") : textOf(failure.error);
    await this.#end(() => this.work.abort?.(this));
    if (failure !== undefined) this.#tell("BLOCK_JOB_COMPLETED", { ...this.#facts(), error: this.error });
    else if (this.#started) this.#tell("BLOCK_JOB_CANCELLED", this.#facts());
    if (this.incomplete !== undefined) {
      this.#set.events.emit("TARGET_INCOMPLETE", { id: this.id, type: this.type, target: this.incomplete });
    }
    this.#over();
  }

  /** All has been copied once; from now on the user may end the job. */
  becameReady(): void {
    if (this.isReady) return;
    this.#go("ready");
    this.#tell("BLOCK_JOB_READY", this.#facts());
  }

  /** Runs `work` while the job counts as standing still, so that it can drain what the job itself uses. */
  async aside<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#busy;
    this.#setBusy(false);
    try {
      return await work();
    } finally {
      this.#setBusy(before);
    }
  }

  /** Says what becomes of a request that failed, and tells clients. With `stop` the job pauses after this step. */
  failed(operation: "read" | "write", policy: JobErrorPolicy, error: unknown): ErrorAction {
    const noSpace = errnoOf(error) === "ENOSPC";
    const action = errorAction(policy === "auto" ? "report" : policy, noSpace);
    this.#set.events.emit("BLOCK_JOB_ERROR", { device: this.id, operation, action });
    if (action === "stop") {
      this.#userPaused = true;
      this.ioStatus = noSpace ? "nospace" : "failed";
    }
    return action;
  }

  /** Has the job look again: something was said to it, or there is work. */
  wake(): void {
    this.#kicked = true;
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const waker of wakers) waker();
  }

  get #isAtWork(): boolean {
    return VERB_STATES.pause.includes(this.#status);
  }

  #go(status: JobStatus): void {
    assert(NEXT_STATES[this.#status].includes(status), `a job goes from ${this.#status} to ${status}`);
    this.#status = status;
    this.#set.events.emit("JOB_STATUS_CHANGE", { id: this.id, status });
  }

  #setBusy(busy: boolean): void {
    this.#busy = busy;
    if (busy) return;
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const waiter of waiters) waiter();
  }

  async #live(): Promise<void> {
    try {
      await this.#steps();
    } catch (error) {
      if (!this.#cancelled) this.#failure = { error };
    }
    const isDone = !this.#cancelled && this.#failure === undefined;
    this.#isWorkDone = isDone;
    if (isDone) this.#go("waiting");
    this.#workEnd.resolve();
    await (isDone ? this.#group.workDone() : this.#group.abort());
  }

  async #steps(): Promise<void> {
    await this.#pausePoint();
    await nextTurn();
    const steps = this.work.run(this);
    try {
      while (!this.#cancelled) {
        await this.#mayGoOn();
        if (this.#cancelled) break;
        this.#setBusy(true);
        let next: IteratorResult<JobStep, void>;
        try {
          next = await steps.next();
        } finally {
          this.#setBusy(false);
        }
        if (next.done === true) return;
        await this.#between(next.value);
      }
    } finally {
      await steps.return();
    }
  }

  async #between(step: JobStep): Promise<void> {
    if ("until" in step) return await this.#woken(step.until);
    this.#speed.spend(step.bytes);
    if (this.#rate.note(this.progress.done)) {
      this.#set.events.emit("JOB_PROGRESS", { id: this.id, ...this.progress, ...this.pace });
    }
    await nextTurn();
  }

  /** Returns when the job is neither paused nor ahead of its limit, or was cancelled. */
  async #mayGoOn(): Promise<void> {
    do {
      await this.#pausePoint();
      if (this.#cancelled || this.isPaused || this.#speed.delayNs === 0) continue;
      const woken = Promise.withResolvers<void>();
      const timer = this.#speed.alarm(() => woken.resolve());
      await this.#woken(woken.promise);
      timer.cancel();
    } while (!this.#cancelled && (this.isPaused || this.#speed.delayNs > 0));
  }

  async #pausePoint(): Promise<void> {
    if (!this.isPaused || this.#cancelled) return;
    const before = this.#status;
    this.#go(before === "ready" ? "standby" : "paused");
    this.#rate.forget();
    while (this.isPaused && !this.#cancelled) await this.#woken(new Promise<never>(() => {}));
    this.#go(before);
  }

  async #woken(promise: Promise<void>): Promise<void> {
    // Whoever spoke before anybody listened is heard all the same.
    if (!this.#kicked) await Promise.race([promise, new Promise<void>((resolve) => this.#wakers.push(resolve))]);
    this.#kicked = false;
  }

  /** Gives everything back; of what goes wrong then, the first is kept. */
  async #end(first: (() => Promise<void> | undefined) | undefined): Promise<void> {
    for (const part of [first, () => this.work.clean?.(this), () => this.release()]) {
      try {
        await part?.();
      } catch (error) {
        this.error ??= textOf(error);
      }
    }
  }

  #over(): void {
    this.#blocked.clear();
    this.#go("concluded");
    if (this.autoDismiss) this.dismiss();
    this.#conclude.resolve();
  }

  /** Of jobs that are no block jobs only their states are told. */
  #tell<Name extends keyof JobEvents>(name: Name, facts: JobEvents[Name]): void {
    if (this.isBlockJob) this.#set.events.emit(name, facts);
  }

  #facts() {
    const { id: device, type, speed, progress } = this;
    return { device, len: progress.total, offset: progress.done, speed, type };
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function stateError(text: string): BlockError {
  return new BlockError({ kind: "state", text });
}
