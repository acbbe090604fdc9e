/**
 * What all filters are made of: a driver over one node, to which everything goes that is not overridden.
 *
 * A filter holds no bytes of its own: `filtered` tells where they are, so that `map`, `convert` and jobs see the chain
 * below as if the filter were not there.
 *
 * @module
 */
import type { IoVector } from "../../base/io_vector.ts";
import type {
  BlockDriver,
  DriverInfo,
  Extent,
  RequestLimits,
  SnapshotStore,
  TruncateOptions,
  VmStateStore,
  ZeroOptions,
} from "../driver.ts";
import type { BlockNode } from "../node.ts";

/** Passes everything on to the node below. */
export class Filter implements BlockDriver {
  readonly name: string;
  readonly #role: string;
  #below: BlockNode;

  /** `role` is what the node below is to this one. */
  constructor(name: string, below: BlockNode, role = "file") {
    this.name = name;
    this.#below = below;
    this.#role = role;
  }

  get filtered(): BlockNode {
    return this.#below;
  }

  get size(): number {
    return this.#below.size;
  }

  get limits(): RequestLimits {
    // The node below aligns for its own driver.
    return { ...this.#below.driver.limits, alignBytes: 1 };
  }

  read(at: number, into: IoVector): Promise<void> {
    return this.#below.read(at, into);
  }

  write(at: number, from: IoVector): Promise<void> {
    return this.#below.write(at, from);
  }

  writeZeroes(at: number, length: number, how?: ZeroOptions): Promise<void> {
    return this.#below.writeZeroes(at, length, how);
  }

  discard(at: number, length: number): Promise<void> {
    return this.#below.discard(at, length);
  }

  flush(): Promise<void> {
    return this.#below.flush();
  }

  /** What the layer below holds; where it lies is not told, since nobody may read it past the filter. */
  async status(at: number, length: number): Promise<Extent> {
    const { lengthBytes, kind } = await this.#below.status(at, length);
    return { lengthBytes, kind, allocated: kind !== "unallocated" };
  }

  truncate(size: number, how?: TruncateOptions): Promise<void> {
    return this.#below.truncate(size, how);
  }

  async allocatedBytes(): Promise<number | undefined> {
    return await this.#below.driver.allocatedBytes?.();
  }

  /** Of what the image below tells, QEMU shows this much through a filter. */
  async info(): Promise<DriverInfo> {
    const { clusterSizeBytes, dirty } = await this.#below.driver.info?.() ?? {};
    return {
      ...(clusterSizeBytes === undefined ? {} : { clusterSizeBytes }),
      ...(dirty === undefined ? {} : { dirty }),
    };
  }

  /** Snapshots and VM state are the image's below. */
  get snapshots(): SnapshotStore | undefined {
    return this.#below.driver.snapshots;
  }

  get vmState(): VmStateStore | undefined {
    return this.#below.driver.vmState;
  }

  get replaceable(): readonly string[] {
    return [this.#role];
  }

  replaceChild(role: string, node: BlockNode | undefined): boolean {
    if (role !== this.#role || node === undefined) return false;
    this.#below = node;
    return true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
