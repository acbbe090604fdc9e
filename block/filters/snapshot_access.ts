/**
 * `snapshot-access`: reads the disk that a `copy-before-write` filter keeps, as it was when that was put in.
 *
 * Writes are refused; a discard says that the range is needed no more.
 *
 * Source: qapi/block-core.json, `snapshot-access`.
 *
 * @module
 */
import type { IoVector } from "../../base/io_vector.ts";
import type { BlockDriver, DriverDefinition, Extent, RequestLimits, SnapshotView } from "../driver.ts";
import { ioError, type Operation } from "../errors.ts";
import type { BlockNode } from "../node.ts";
import type { BlockdevOptionsOneFile } from "../options/blockdev.ts";
import { ALL_PERMISSIONS, type PermissionPair } from "../permissions.ts";

class SnapshotAccessDriver implements BlockDriver {
  readonly name = "snapshot-access";
  readonly #below: BlockNode;

  constructor(below: BlockNode) {
    this.#below = below;
  }

  get size(): number {
    return this.#below.size;
  }

  get limits(): RequestLimits {
    return { alignBytes: 1 };
  }

  async read(at: number, into: IoVector): Promise<void> {
    await this.#view("read").readSnapshot(at, into);
  }

  write(): Promise<void> {
    return Promise.reject(ioError("write", "ENOTSUP"));
  }

  writeZeroes(): Promise<void> {
    return Promise.reject(ioError("write-zeroes", "ENOTSUP"));
  }

  async discard(at: number, length: number): Promise<void> {
    await this.#view("discard").discardSnapshot(at, length);
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  async status(at: number, length: number): Promise<Extent> {
    return await this.#view("status").snapshotStatus(at, length);
  }

  truncate(): Promise<void> {
    return Promise.reject(ioError("truncate", "ENOTSUP"));
  }

  async allocatedBytes(): Promise<number | undefined> {
    return await this.#below.driver.allocatedBytes?.();
  }

  /** It reads past whoever uses the disk, and stands against nobody. */
  childPermissions(): PermissionPair {
    return { used: 0, shared: ALL_PERMISSIONS };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  #view(operation: Operation): SnapshotView {
    const view = this.#below.driver.snapshotView;
    if (view === undefined) throw ioError(operation, "ENOTSUP", { node: this.#below.name });
    return view;
  }
}

/** The `snapshot-access` driver. */
export const snapshotAccess: DriverDefinition<BlockdevOptionsOneFile> = {
  name: "snapshot-access",
  kind: "filter",
  overFile: true,
  sharesName: true,
  async open(options, context) {
    return new SnapshotAccessDriver(await context.openChild("file", options.file));
  },
};
