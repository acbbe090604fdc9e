/**
 * A filter of a job: what it does not override goes to the node below as it is.
 *
 * Towards `status` it holds nothing, so that a chain is looked through as without it.
 *
 * @module
 */
import type { IoVector } from "../../base/io_vector.ts";
import type { BlockDriver, Extent, RequestLimits, TruncateOptions, ZeroOptions } from "../driver.ts";
import type { BlockNode } from "../node.ts";
import { ALL_PERMISSIONS, type PermissionPair } from "../permissions.ts";

/** Passes everything on. */
export class PassThrough implements BlockDriver {
  readonly name: string;
  readonly isImplicit: boolean;
  readonly below: BlockNode;

  constructor(name: string, below: BlockNode, isImplicit: boolean) {
    this.name = name;
    this.below = below;
    this.isImplicit = isImplicit;
  }

  get size(): number {
    return this.below.size;
  }

  get limits(): RequestLimits {
    return { ...this.below.driver.limits, alignBytes: 1 };
  }

  read(at: number, into: IoVector): Promise<void> {
    return this.below.read(at, into);
  }

  write(at: number, from: IoVector): Promise<void> {
    return this.below.write(at, from);
  }

  writeZeroes(at: number, length: number, how?: ZeroOptions): Promise<void> {
    return this.below.writeZeroes(at, length, how);
  }

  discard(at: number, length: number): Promise<void> {
    return this.below.discard(at, length);
  }

  flush(): Promise<void> {
    return this.below.flush();
  }

  async status(_at: number, length: number): Promise<Extent> {
    return { lengthBytes: length, kind: "unallocated" };
  }

  truncate(size: number, how?: TruncateOptions): Promise<void> {
    return this.below.truncate(size, how);
  }

  /** The job's own requests go past the filter: it must not stand against them. */
  childPermissions(_role: string, asked: PermissionPair): PermissionPair {
    return { used: asked.used, shared: ALL_PERMISSIONS };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
