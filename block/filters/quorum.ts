/**
 * `quorum`: one disk in several copies. Writes go to all; reads come from all and are what a majority holds, or
 * (`read-pattern=fifo`) from the first copy that answers.
 *
 * A copy that fails or says something else is reported; with `rewrite-corrupted` it is given what the majority has. With
 * `blkverify` two copies have to agree, and a difference fails this and every later request (QEMU ends its process).
 *
 * Source: docs/qmp-events and qapi/block-core.json, BlockdevOptionsQuorum, QUORUM_FAILURE, QUORUM_REPORT_BAD.
 *
 * @module
 */
import { errnoText } from "../../base/errno.ts";
import { IoVector } from "../../base/io_vector.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import { chainStatus } from "../chain.ts";
import type {
  BlockDriver,
  ChildList,
  DriverDefinition,
  Extent,
  OpenContext,
  RequestLimits,
  TruncateOptions,
  ZeroOptions,
} from "../driver.ts";
import { BlockError, errnoOf, ioError } from "../errors.ts";
import type { BlockNode } from "../node.ts";
import type { BlockdevOptionsQuorum } from "../options/blockdev.ts";
import { Permission, type PermissionPair } from "../permissions.ts";
import { firstDifference } from "./difference.ts";
import { settle, vote } from "./quorum_vote.ts";

interface Settings {
  readonly threshold: number;
  readonly fifo: boolean;
  readonly verify: boolean;
  readonly rewrite: boolean;
}

class QuorumDriver implements BlockDriver, ChildList {
  readonly name = "quorum";
  readonly #copies: BlockNode[];
  /** The number in the name of the next copy. */
  #nextIndex: number;
  readonly #settings: Settings;
  readonly #context: OpenContext;
  #mismatch: BlockError | undefined;

  constructor(copies: BlockNode[], settings: Settings, context: OpenContext) {
    this.#copies = copies;
    this.#nextIndex = copies.length;
    this.#settings = settings;
    this.#context = context;
  }

  get size(): number {
    return this.#copies[0]!.size;
  }

  get limits(): RequestLimits {
    return { alignBytes: 1 };
  }

  get childList(): ChildList {
    return this;
  }

  nextRole(): string {
    if (this.#settings.verify) throw state("Cannot add a child to a quorum in blkverify mode");
    return `children.${this.#nextIndex}`;
  }

  add(_role: string, node: BlockNode): void {
    this.#copies.push(node);
    this.#nextIndex++;
  }

  remove(role: string, node: BlockNode): void {
    const { threshold } = this.#settings;
    if (this.#copies.length <= threshold) {
      throw state(`The number of children cannot be lower than the vote threshold ${threshold}`);
    }
    this.#copies.splice(this.#copies.indexOf(node), 1);
    if (role === `children.${this.#nextIndex - 1}`) this.#nextIndex--;
  }

  async read(at: number, into: IoVector): Promise<void> {
    if (this.#mismatch !== undefined) throw this.#mismatch;
    if (this.#settings.fifo) await this.#readFirst(at, into);
    else await this.#readVoted(at, into);
  }

  write(at: number, from: IoVector): Promise<void> {
    return this.#change("write", at, from.length, (copy) => copy.write(at, from));
  }

  writeZeroes(at: number, length: number, how?: ZeroOptions): Promise<void> {
    return this.#change("write", at, length, (copy) => copy.writeZeroes(at, length, how));
  }

  discard(): Promise<void> {
    // Copies would differ in what a discarded range reads as.
    return Promise.reject(ioError("discard", "ENOTSUP"));
  }

  async flush(): Promise<void> {
    await this.#change("flush", 0, this.size, (copy) => copy.flush());
  }

  /** Zero where all copies are; else there is data, which has no one place. */
  async status(at: number, length: number): Promise<Extent> {
    let run = length;
    let isZero = true;
    for (const copy of this.#copies) {
      const { kind, lengthBytes } = await chainStatus(copy, at, length);
      if (kind === "zero") run = isZero ? Math.min(run, lengthBytes) : run;
      else {
        run = isZero ? lengthBytes : Math.max(run, lengthBytes);
        isZero = false;
      }
    }
    return { lengthBytes: run, kind: isZero ? "zero" : "data", allocated: true };
  }

  async truncate(size: number, how?: TruncateOptions): Promise<void> {
    for (const copy of this.#copies) await copy.truncate(size, how);
  }

  async allocatedBytes(): Promise<number> {
    let sum = 0;
    for (const { driver } of this.#copies) sum += await driver.allocatedBytes?.() ?? 0;
    return sum;
  }

  childPermissions(_role: string, { used, shared }: PermissionPair): PermissionPair {
    const { consistentRead, writeUnchanged } = Permission;
    const rewriting = this.#settings.rewrite ? writeUnchanged : 0;
    // The copies have to stay alike: nobody writes or resizes one of them.
    return { used: used | rewriting, shared: (shared & consistentRead) | writeUnchanged };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async #readFirst(at: number, into: IoVector): Promise<void> {
    let failure: unknown;
    for (const copy of this.#copies) {
      try {
        return await copy.read(at, into);
      } catch (error) {
        failure = error;
        this.#reportBad("read", copy, at, into.length, error);
      }
    }
    throw failure;
  }

  async #readVoted(at: number, into: IoVector): Promise<void> {
    const { threshold, verify, rewrite } = this.#settings;
    const answers = this.#copies.map(() => IoVector.allocate(into.length));
    const outcomes = await Promise.allSettled(this.#copies.map((copy, index) => copy.read(at, answers[index]!)));
    const good = this.#tellFailures("read", at, into.length, outcomes);
    if (good.length < threshold) this.#tooFew(at, into.length, outcomes);
    const bytes = new Map(good.map((index) => [index, answers[index]!.single!]));
    if (verify) this.#compareTwo(at, bytes);
    const { winners, losers } = vote(bytes);
    if (winners.length < threshold) {
      this.#reportFailure(at, into.length);
      throw ioError("read", "EIO", { offsetBytes: at, lengthBytes: into.length });
    }
    into.copyFrom(bytes.get(winners[0]!)!);
    for (const index of losers) this.#reportBad("read", this.#copies[index]!, at, into.length);
    if (!rewrite) return;
    const right = IoVector.of(bytes.get(winners[0]!)!);
    await Promise.allSettled(losers.map((index) => this.#copies[index]!.write(at, right)));
  }

  /** With `blkverify`: a difference is the end. */
  #compareTwo(at: number, bytes: ReadonlyMap<number, Uint8Array>): void {
    const [one, other] = [...bytes.values()] as [Uint8Array, Uint8Array];
    const place = firstDifference(one, other);
    if (place === undefined) return;
    const text = `quorum: offset=${at} bytes=${one.length} contents mismatch at offset ${at + place}`;
    this.#mismatch = new BlockError({ kind: "state", text, errno: "EIO" });
    (this.#context.notice ?? this.#context.warn)(text);
    throw this.#mismatch;
  }

  async #change(
    operation: "write" | "flush",
    at: number,
    length: number,
    work: (copy: BlockNode) => Promise<void>,
  ): Promise<void> {
    if (this.#mismatch !== undefined) throw this.#mismatch;
    const outcomes = await Promise.allSettled(this.#copies.map(work));
    const good = this.#tellFailures(operation, at, length, outcomes);
    if (good.length < this.#settings.threshold) this.#tooFew(at, length, outcomes);
  }

  /** Reports copies that failed; tells the others. */
  #tellFailures(
    operation: "read" | "write" | "flush",
    at: number,
    length: number,
    outcomes: readonly PromiseSettledResult<void>[],
  ): number[] {
    const good: number[] = [];
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === "fulfilled") good.push(index);
      else this.#reportBad(operation, this.#copies[index]!, at, length, outcome.reason);
    }
    return good;
  }

  /** Too few copies answered: the error that most of them gave. */
  #tooFew(at: number, length: number, outcomes: readonly PromiseSettledResult<void>[]): never {
    this.#reportFailure(at, length);
    throw settle(outcomes.flatMap((outcome) => outcome.status === "rejected" ? [outcome.reason] : []));
  }

  #reportFailure(at: number, length: number): void {
    this.#context.tell?.({
      name: "QUORUM_FAILURE",
      data: { reference: this.#context.nodeName, ...sectors(at, length) },
    });
  }

  #reportBad(type: "read" | "write" | "flush", copy: BlockNode, at: number, length: number, error?: unknown): void {
    const told = error === undefined ? {} : { error: errnoText(errnoOf(error)) };
    this.#context.tell?.({
      name: "QUORUM_REPORT_BAD",
      data: { type, ...told, "node-name": copy.name, ...sectors(at, length) },
    });
  }
}

function sectors(at: number, length: number): { "sector-num": number; "sectors-count": number } {
  const first = Math.floor(at / SECTOR_BYTES);
  return { "sector-num": first, "sectors-count": Math.ceil((at + length) / SECTOR_BYTES) - first };
}

function state(text: string): BlockError {
  return new BlockError({ kind: "state", text });
}

function refusal(option: string, text: string): BlockError {
  return new BlockError({ kind: "option", option, text });
}

function settingsOf(options: BlockdevOptionsQuorum, count: number): Settings {
  const { "vote-threshold": threshold = 0, "read-pattern": pattern = "quorum" } = options;
  const { blkverify: verify = false, "rewrite-corrupted": rewrite = false } = options;
  if (threshold < 1) throw refusal("vote-threshold", "Parameter 'vote-threshold' expects a value >= 1");
  if (threshold > count) throw refusal("vote-threshold", "threshold may not exceed children count");
  if (pattern === "fifo") return { threshold, fifo: true, verify: false, rewrite: false };
  if (verify && (count !== 2 || threshold !== 2)) {
    const text = "blkverify=on can only be set if there are exactly two files and vote-threshold is 2";
    throw refusal("blkverify", text);
  }
  if (verify && rewrite) throw refusal("blkverify", "rewrite-corrupted=on cannot be used with blkverify=on");
  return { threshold, fifo: false, verify, rewrite };
}

/** The `quorum` filter. */
export const quorum: DriverDefinition<BlockdevOptionsQuorum> = {
  name: "quorum",
  kind: "filter",
  async open(options, context) {
    const { children } = options;
    if (children !== undefined && !Array.isArray(children)) {
      throw refusal("children", "Option children is not a valid array");
    }
    if (children === undefined || children.length === 0) {
      throw refusal("children", "Number of provided children must be 1 or more");
    }
    const settings = settingsOf(options, children.length);
    const copies: BlockNode[] = [];
    for (const [index, child] of children.entries()) {
      copies.push(await context.openChild(`children.${index}`, child, { anyDriver: true }));
    }
    if (copies.some(({ size }) => size !== copies[0]!.size)) {
      const text = "Could not refresh total sector count: Input/output error";
      throw new BlockError({ kind: "state", text, errno: "EIO" });
    }
    return new QuorumDriver(copies, settings, context);
  },
};
