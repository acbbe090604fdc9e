/**
 * The file that an image lies in: reads beyond its end give zeroes, writes may make it grow.
 *
 * It counts the data writes that are under way, so that a freed cluster is given to somebody else only when nobody
 * writes to it any more.
 *
 * @module
 */
import { IoVector } from "../../../base/io_vector.ts";
import { DONE } from "../../done.ts";
import type { PreallocationMode } from "../../driver.ts";
import type { BlockNode } from "../../node.ts";

/** An image's file. */
export class HostFile {
  /** Another one after it was reopened over that. */
  node: BlockNode;
  /** An external data file: what is written there is durable before anything that is written here afterwards. */
  data: HostFile | undefined;
  /** Whether anything was written since the last flush. */
  unflushed = false;
  readonly #underWay = [0, 0];
  #generation = 0;
  #settled: (() => void) | undefined;

  constructor(node: BlockNode) {
    this.node = node;
  }

  get size(): number {
    return this.node.size;
  }

  /** Reads at `at`, zeroes where the file has ended. */
  read(at: number, into: IoVector): Promise<void> {
    return this.node.read(at, into);
  }

  async readBytes(at: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(length);
    await this.read(at, IoVector.of(bytes));
    return bytes;
  }

  /** Writes metadata. */
  async write(at: number, bytes: Uint8Array): Promise<void> {
    this.unflushed = true;
    await this.node.write(at, IoVector.of(bytes));
    this.unflushed = true;
  }

  /** Writes guest data, and is counted while it does. */
  writeData(at: number, from: IoVector): Promise<void> {
    this.unflushed = true;
    const work = this.node.write(at, from);
    return work === DONE ? DONE : this.#count(work);
  }

  async #count(work: Promise<void>): Promise<void> {
    const generation = this.#generation;
    this.#underWay[generation]!++;
    try {
      await work;
    } finally {
      this.unflushed = true;
      if (--this.#underWay[generation]! === 0 && generation !== this.#generation) this.#settled?.();
    }
  }

  /** Resolves when every data write that is under way now has ended; one caller at a time. */
  async settleData(): Promise<void> {
    await this.data?.settleData();
    const old = this.#generation;
    if (this.#underWay[old] === 0) return;
    this.#generation = 1 - old;
    await new Promise<void>((resolve) => this.#settled = resolve);
    this.#settled = undefined;
  }

  writeZeroes(at: number, length: number, how: { unmap?: boolean } = {}): Promise<void> {
    this.unflushed = true;
    return this.node.writeZeroes(at, length, how);
  }

  discard(at: number, length: number): Promise<void> {
    const inside = Math.min(length, this.node.size - at);
    return inside > 0 ? this.node.discard(at, inside) : Promise.resolve();
  }

  /** Makes all that was written durable, the data file first. */
  async flush(): Promise<void> {
    await this.data?.flush();
    this.unflushed = false;
    try {
      await this.node.flush();
    } catch (error) {
      this.unflushed = true;
      throw error;
    }
  }

  /** Waits until what was written is durable, where anything was. */
  async barrier(): Promise<void> {
    if (this.unflushed || this.data?.unflushed === true) await this.flush();
  }

  truncate(size: number, preallocation: PreallocationMode = "off"): Promise<void> {
    this.unflushed = true;
    return this.node.truncate(size, { preallocation });
  }
}
