/**
 * A backend: what joins a device, a monitor command or a job to a node.
 *
 * It holds what belongs to the drive rather than to the image: the name, the guest-visible write cache, the error
 * policy, the counters, the medium and its tray. Requests are checked against the end of the medium here, and held back
 * while somebody below drains.
 *
 * @module
 */
import { Events } from "../base/events.ts";
import type { IoVector } from "../base/io_vector.ts";
import { DONE } from "./done.ts";
import type { Extent, TruncateOptions, ZeroOptions } from "./driver.ts";
import { BlockError, errnoOf, ioError, type Operation } from "./errors.ts";
import type { BlockGraph } from "./graph.ts";
import type { BlockNode } from "./node.ts";
import { ALL_PERMISSIONS, type BlockEdge, type EdgeOwner, Permission, type PermissionPair } from "./permissions.ts";
import { type ErrorAction, errorAction, type ReadErrorPolicy, type WriteErrorPolicy } from "./policy.ts";
import type { BackendEvents, BackendOptions, BackendRequest, DeviceHooks, RequestHow } from "./backend_types.ts";
import { type AccountedKind, BackendStatistics } from "./statistics.ts";
import { suspendWithin } from "./drain.ts";
import type { Direction, ThrottleMember } from "./throttling/group.ts";
import type { ThrottleLimits } from "./throttling/limits.ts";

/** A drive. */
export class BlockBackend implements EdgeOwner, AsyncDisposable {
  readonly graph: BlockGraph;
  readonly events: Events<BackendEvents> = new Events<BackendEvents>();
  readonly stats: BackendStatistics = new BackendStatistics();
  /** Guest visible: off means that each write is durable before it ends. */
  writeCacheEnabled: boolean;
  werror: WriteErrorPolicy;
  rerror: ReadErrorPolicy;
  /** What became of requests so far: `io-status`. */
  ioStatus: "ok" | "failed" | "nospace" = "ok";

  /** Does without a medium that is inactive: a guest, or what a user has a name for. */
  readonly yields: boolean;
  readonly #readOnly: boolean;
  #used: number;
  #shared: number;
  readonly #queueWhileDrained: boolean;
  #name: string;
  #edge: BlockEdge | undefined;
  #node: BlockNode | undefined;
  #device: DeviceHooks | undefined;
  #throttle: ThrottleMember | undefined;
  #inFlight = 0;
  #quiesced = 0;
  #held: (() => void)[] = [];
  #idle: (() => void)[] = [];

  constructor(options: BackendOptions) {
    this.graph = options.graph;
    this.#name = options.name ?? "";
    this.yields = this.#name !== "" || options.forGuest === true;
    this.writeCacheEnabled = options.writeCache ?? true;
    this.werror = options.werror ?? "enospc";
    this.rerror = options.rerror ?? "report";
    this.#readOnly = options.readOnly ?? false;
    this.#used = options.used ?? Permission.consistentRead | (this.#readOnly ? 0 : Permission.write);
    this.#shared = options.shared ?? ALL_PERMISSIONS;
    this.#queueWhileDrained = options.queueWhileDrained ?? true;
    this.#register();
  }

  /** What the user calls it; empty for one that only its device knows. */
  get name(): string {
    return this.#name;
  }

  /** Takes the name away: `drive_del` leaves a device with a drive that nobody can name. */
  forgetName(): void {
    if (this.graph.backends.get(this.#name) === this) this.graph.backends.delete(this.#name);
    this.#name = "";
  }

  /** The medium; `undefined` for an empty drive. */
  get node(): BlockNode | undefined {
    return this.#node;
  }

  get isInserted(): boolean {
    return this.#node !== undefined;
  }

  /** Bytes of the medium; 0 without one. */
  get sizeBytes(): number {
    return this.#node?.size ?? 0;
  }

  get readOnly(): boolean {
    return this.#readOnly || ((this.#node?.inactive ?? this.#node)?.readOnly ?? false);
  }

  get device(): DeviceHooks | undefined {
    return this.#device;
  }

  /** As messages name it: by its own name, else by its device's. */
  get description(): string {
    const name = this.name || this.#device?.id || this.#device?.path;
    return name === undefined ? "an unnamed block device" : `block device '${name}'`;
  }

  /** What the user of the backend does with the medium, and lets others do. */
  get permissions(): PermissionPair {
    return { used: this.#used, shared: this.#shared };
  }

  /** Changes what the user of the backend does with the medium, and lets others do. @throws {BlockError} on conflict. */
  async setPermissions(used: number, shared: number): Promise<void> {
    if (this.#edge !== undefined) await this.graph.setEdgePermissions(this.#edge, used, shared);
    this.#used = used;
    this.#shared = shared;
  }

  /** Requests in flight. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Joins a device to the drive, or takes it off. */
  setDevice(hooks: DeviceHooks | undefined): void {
    this.#device = hooks;
  }

  /** Reads `into.length` bytes at `at`. @throws {BlockError} EIO beyond the end, ENOMEDIUM without a medium. */
  read(at: number, into: IoVector, how?: RequestHow): Promise<void> {
    if (this.#quiesced > 0) return this.#wait().then(() => this.read(at, into, how));
    if (this.#throttle !== undefined) return this.#throttled("read", into.length, () => this.#read(at, into, how));
    return this.#read(at, into, how);
  }

  #read(at: number, into: IoVector, how: RequestHow | undefined): Promise<void> {
    const node = this.#node;
    const isOpen = node !== undefined && node.inactive === undefined;
    if (!isOpen || at < 0 || at + into.length > node.size) return this.#refuse("read", at, into.length);
    const { blkRead } = this.graph.traces;
    if (blkRead.enabled) blkRead.emit({ backend: this.name, node: node.name, at, length: into.length });
    const startNs = this.graph.clocks.realtime.nowNs();
    this.#inFlight++;
    const work = node.read(at, into);
    if (work !== DONE) return this.#end(work, "read", "read", at, into.length, startNs, how);
    if (how?.account !== false) this.#accountAtOnce("read", at, into.length, startNs);
    this.#leave();
    return DONE;
  }

  /** Writes `from` at `at`; durable when it returns if `fua` is set or the write cache is off. */
  write(at: number, from: IoVector, how?: RequestHow): Promise<void> {
    if (this.#quiesced > 0) return this.#wait().then(() => this.write(at, from, how));
    if (this.#throttle !== undefined) return this.#throttled("write", from.length, () => this.#write(at, from, how));
    return this.#write(at, from, how);
  }

  #write(at: number, from: IoVector, how: RequestHow | undefined): Promise<void> {
    const node = this.#node;
    if (node === undefined || at < 0 || at + from.length > node.size) return this.#refuse("write", at, from.length);
    const { blkWrite } = this.graph.traces;
    if (blkWrite.enabled) blkWrite.emit({ backend: this.name, node: node.name, at, length: from.length });
    const startNs = this.graph.clocks.realtime.nowNs();
    this.#inFlight++;
    const durable = !this.writeCacheEnabled || how?.fua === true;
    const work = durable ? node.write(at, from).then(() => node.flush()) : node.write(at, from);
    if (work !== DONE) return this.#end(work, "write", "write", at, from.length, startNs, how);
    if (how?.account !== false) this.#accountAtOnce("write", at, from.length, startNs);
    this.#leave();
    return DONE;
  }

  /** Writes zeroes. */
  writeZeroes(at: number, length: number, how: ZeroOptions & RequestHow = {}): Promise<void> {
    return this.#run("write-zeroes", "write", at, length, how, async (node) => {
      await node.writeZeroes(at, length, how);
      if (!this.writeCacheEnabled && !how.fua) await node.flush();
    });
  }

  /** The area's content is of no further use. */
  discard(at: number, length: number, how: RequestHow = {}): Promise<void> {
    return this.#run("discard", "unmap", at, length, how, (node) => node.discard(at, length));
  }

  /** Makes all that was written durable. */
  flush(how: RequestHow = {}): Promise<void> {
    return this.#run("flush", "flush", 0, 0, how, (node) => node.flush());
  }

  /** The state of the first run of `length` bytes at `at`. */
  async status(at: number, length: number): Promise<Extent> {
    return await this.#check("status", at, length).status(at, length);
  }

  /** Changes the size of the image and tells the device. */
  async truncate(size: number, how?: TruncateOptions): Promise<void> {
    await this.#medium("truncate").truncate(size, how);
  }

  /** Resolves when nothing is in flight. New requests are held back while it waits: whoever has many must not win. */
  async drain(): Promise<void> {
    if (this.#inFlight === 0) return;
    this.quiesce();
    const suspended = this.#node === undefined ? [] : suspendWithin(this.#node);
    try {
      while (this.#inFlight > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    } finally {
      // Whoever waited for this moment goes on before those that were held back.
      queueMicrotask(() => this.unquiesce());
      for (const driver of suspended) driver.resume?.();
    }
  }

  /** The same, under the name that the graph knows. */
  settle(): Promise<void> {
    return this.drain();
  }

  /** Holds new requests back: somebody below drains. What waits for its turn in a throttle group goes on at once. */
  quiesce(): void {
    if (this.#queueWhileDrained) this.#quiesced++;
    this.#throttle?.suspend();
  }

  unquiesce(): void {
    this.#throttle?.resume();
    if (!this.#queueWhileDrained || --this.#quiesced > 0) return;
    for (const resume of this.#held.splice(0)) resume();
  }

  childResized(): void {
    this.#device?.resized();
  }

  childReplaced(_edge: BlockEdge, node: BlockNode | undefined): void {
    this.#node = node;
  }

  /** Says what the device is to do with a request that failed, as werror and rerror have it, and tells the machine. */
  reportError(operation: "read" | "write", error: unknown): ErrorAction {
    const errno = errnoOf(error);
    const policy = operation === "read" ? this.rerror : this.werror;
    const noSpace = errno === "ENOSPC";
    const action = errorAction(policy, noSpace);
    if (action === "stop" && this.ioStatus === "ok") this.ioStatus = noSpace ? "nospace" : "failed";
    this.events.emit("error", {
      backend: this,
      operation,
      action,
      noSpace,
      reason: error instanceof Error ? error.message : String(error),
    });
    return action;
  }

  /** Forgets earlier errors: `cont` does. */
  resetIoStatus(): void {
    this.ioStatus = "ok";
  }

  /** The group that limits the drive, with its limits; `undefined` for none. */
  get throttling(): { readonly group: string; readonly limits: ThrottleLimits } | undefined {
    const group = this.#throttle?.group;
    return group === undefined ? undefined : { group: group.name, limits: group.limits };
  }

  /** Limits the drive as a member of `group`, or no more. The limits are those of the whole group. */
  setThrottling(how: { readonly group: string; readonly limits: ThrottleLimits } | undefined): void {
    const { throttleGroups } = this.graph;
    const before = this.#throttle;
    if (how === undefined || before?.group.name !== how.group) {
      this.#throttle = how === undefined ? undefined : throttleGroups.join(how.group);
      if (before !== undefined) throttleGroups.leave(before);
      for (let i = 0; i < this.#quiesced; i++) this.#throttle?.suspend();
    }
    if (how !== undefined) this.#throttle!.group.setLimits(how.limits);
  }

  /** Whether media can be exchanged: so it is where no device says otherwise. */
  get isRemovable(): boolean {
    return this.#device?.removable ?? true;
  }

  /** Whether the drive has a tray that opens and closes; without a device it has none. */
  get hasTray(): boolean {
    return this.#device !== undefined && (this.#device.hasTray ?? this.isRemovable);
  }

  get isTrayOpen(): boolean {
    return this.hasTray && this.#device!.isTrayOpen();
  }

  get isMediumLocked(): boolean {
    return this.#device?.isMediumLocked() ?? false;
  }

  /**
   * Puts a medium in; the drive is empty. The backend holds the node from now on. With a tray, the guest sees it when
   * the tray is closed.
   * @throws {BlockError} on conflicts with other users of the node.
   */
  async insertMedium(node: BlockNode): Promise<void> {
    if (this.#node !== undefined) throw stateError(`Device '${this.name}' already has a medium`);
    const used = (node.inactive ?? node).readOnly ? this.#used & ~(Permission.write | Permission.resize) : this.#used;
    this.#edge = await this.graph.attach(this, node, "root", used, this.#shared);
    this.#node = node;
    if (this.#device !== undefined && this.isRemovable && !this.hasTray) this.#device.mediumChanged(true);
  }

  /** Takes the medium out and lets it go; waits for what is in flight. */
  async removeMedium(): Promise<void> {
    const edge = this.#edge;
    if (edge === undefined) return;
    this.#edge = undefined;
    if (this.#device !== undefined && this.isRemovable && !this.hasTray) this.#device.mediumChanged(false);
    await this.drain();
    this.#node = undefined;
    await this.graph.detach(edge);
  }

  /**
   * Opens the tray. Where the guest has locked it, the guest is asked first, and with `force` it opens all the same.
   * Says whether it is open now; without a tray nothing happens and that is true.
   */
  openTray(force: boolean): boolean {
    if (!this.hasTray || this.isTrayOpen) return true;
    const locked = this.isMediumLocked;
    if (locked) this.#device!.ejectRequest(force);
    if (locked && !force) return false;
    this.#device!.mediumChanged(false);
    return true;
  }

  /** Closes the tray; the guest sees the medium that is in it now. */
  closeTray(): void {
    if (this.isTrayOpen) this.#device!.mediumChanged(true);
  }

  /** Devices call it when their tray has moved: DEVICE_TRAY_MOVED. */
  trayMoved(open: boolean): void {
    this.events.emit("tray-moved", { backend: this, open });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#device = undefined;
    this.setThrottling(undefined);
    if (this.graph.backends.get(this.name) === this) this.graph.backends.delete(this.name);
    await this.removeMedium();
  }

  #register(): void {
    const { name, graph } = this;
    if (name === "") return;
    if (graph.backends.has(name)) throw stateError(`Device with id '${name}' already exists`);
    if (graph.find(name) !== undefined) throw stateError(`Device name '${name}' conflicts with an existing node name`);
    graph.backends.set(name, this);
  }

  #medium(operation: Operation): BlockNode {
    const node = this.#node;
    if (node === undefined) throw ioError(operation, "ENOMEDIUM");
    return node;
  }

  #check(operation: Operation, at: number, length: number): BlockNode {
    const node = this.#medium(operation);
    if (node.inactive !== undefined) throw ioError(operation, "EPERM", { node: node.name });
    if (at < 0 || at + length > node.size) {
      throw ioError(operation, "EIO", { node: node.name, offsetBytes: at, lengthBytes: length });
    }
    return node;
  }

  /** The refusal that {@link #check} throws, as a promise. */
  async #refuse(operation: Operation, at: number, length: number): Promise<void> {
    this.#check(operation, at, length);
  }

  async #run(
    operation: "flush" | "discard" | "write-zeroes",
    kind: AccountedKind,
    at: number,
    length: number,
    how: RequestHow,
    work: (node: BlockNode) => Promise<void>,
  ): Promise<void> {
    if (this.#quiesced > 0) await this.#wait();
    if (this.#throttle === undefined || operation === "flush") {
      return await this.#begin(operation, kind, at, length, how, work);
    }
    await this.#throttled("write", length, () => this.#begin(operation, kind, at, length, how, work));
  }

  async #begin(
    operation: "flush" | "discard" | "write-zeroes",
    kind: AccountedKind,
    at: number,
    length: number,
    how: RequestHow,
    work: (node: BlockNode) => Promise<void>,
  ): Promise<void> {
    const node = this.#check(operation, at, length);
    const startNs = this.graph.clocks.realtime.nowNs();
    this.#inFlight++;
    await this.#end(work(node), kind, operation, at, length, startNs, how);
  }

  /** A request's second half, where its end has to be waited for. */
  async #end(
    work: Promise<void>,
    kind: AccountedKind,
    operation: BackendRequest["operation"],
    at: number,
    length: number,
    startNs: number,
    how: RequestHow | undefined,
  ): Promise<void> {
    try {
      await work;
      if (how?.account !== false) this.#account(kind, operation, at, length, startNs);
    } catch (error) {
      this.#failed(kind, operation, at, length, startNs, error, how);
      throw error;
    } finally {
      this.#leave();
    }
  }

  #account(
    kind: AccountedKind,
    operation: BackendRequest["operation"],
    at: number,
    length: number,
    startNs: number,
  ): void {
    const nowNs = this.graph.clocks.realtime.nowNs();
    this.stats.done(kind, length, startNs, nowNs);
    if (this.events.has("request")) this.#tell(operation, at, length, startNs, nowNs, "ok");
  }

  /** {@link #account} of a request that ended within the call that began it. */
  #accountAtOnce(kind: "read" | "write", at: number, length: number, startNs: number): void {
    if (this.events.has("request")) this.#account(kind, kind, at, length, startNs);
    else this.stats.doneAtOnce(kind, length, startNs, this.graph.clocks.realtime);
  }

  #failed(
    kind: AccountedKind,
    operation: BackendRequest["operation"],
    at: number,
    length: number,
    startNs: number,
    error: unknown,
    how: RequestHow | undefined,
  ): void {
    const nowNs = this.graph.clocks.realtime.nowNs();
    if (how?.account !== false) this.stats.failed(kind, startNs, nowNs);
    if (this.events.has("request")) this.#tell(operation, at, length, startNs, nowNs, errnoOf(error));
  }

  #tell(
    operation: BackendRequest["operation"],
    at: number,
    length: number,
    startNs: number,
    nowNs: number,
    result: string,
  ): void {
    const durationNs = nowNs - startNs;
    this.events.emit("request", { backend: this.name, operation, at, length, result, startNs, durationNs });
  }

  #leave(): void {
    if (--this.#inFlight > 0 || this.#idle.length === 0) return;
    const waiting = this.#idle;
    this.#idle = [];
    for (const wake of waiting) wake();
  }

  /** Runs `work` when the group lets it; meanwhile it is in flight. */
  async #throttled(direction: Direction, length: number, work: () => Promise<void>): Promise<void> {
    const turn = this.#throttle!.enter(direction, length);
    if (turn === undefined) return await work();
    this.#inFlight++;
    try {
      await turn;
      await work();
    } finally {
      this.#leave();
    }
  }

  async #wait(): Promise<void> {
    while (this.#quiesced > 0) await new Promise<void>((resolve) => this.#held.push(resolve));
  }
}

function stateError(text: string): BlockError {
  return new BlockError({ kind: "state", text });
}
