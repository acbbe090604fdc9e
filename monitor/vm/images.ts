/**
 * Images without a machine: made, opened, read and written by a script.
 *
 * @module
 */
import { type Clocks, HostClock } from "../../base/clocks.ts";
import { IoVector } from "../../base/io_vector.ts";
import { requirePermissions } from "../../base/permissions.ts";
import { HostRandom } from "../../base/random.ts";
import { NS_PER_S } from "../../base/units.ts";
import {
  BlockBackend,
  type BlockdevOptions,
  BlockError,
  BlockGraph,
  type BlockNode,
  type CheckResult,
  commitAll,
  createImage as createInGraph,
  type CreateRequest,
  type CreateValues,
  type DriverInfo,
  type Extent,
  type L1Entry,
  type L2Entry,
  Permission,
  registryOf,
  type SnapshotInfo,
  type SnapshotStore,
  type TableInspection,
} from "../../block/mod.ts";

/** How an image is opened. */
export interface OpenImageOptions {
  /** The format; guessed from the first bytes where absent. */
  readonly format?: string;
  readonly readOnly?: boolean;
  /** Each as behind `--object`: `"secret,id=s0,file=passphrase"`, for images that are encrypted. */
  readonly objects?: readonly string[];
  /** Do not lock the image: another process may be writing it. */
  readonly forceShare?: boolean;
  /** Takes warnings, one line each; standard error where absent. */
  readonly warn?: (line: string) => void;
}

/** A run of bytes of the disk: which state, and from which layer of the chain. */
export interface MappedExtent extends Extent {
  readonly at: number;
}

function hostGraph(warn: (line: string) => void, objects: readonly string[] = []): BlockGraph {
  const realtime = new HostClock();
  const clocks: Clocks = { virtual: realtime, realtime, host: new HostClock({ sinceEpoch: true }) };
  return new BlockGraph({ clocks, random: new HostRandom(), warn, notice: warn, objects: registryOf(objects) });
}

/**
 * Makes an image, as `qemu-img create`: what was at `filename` before is gone.
 *
 * `values` are creation options under QEMU's names; sizes in bytes. `options.objects` holds the secret that an encrypted
 * image is made with. Returns the options as they have settled.
 *
 * @throws BlockError in the words of qemu-img
 *
 * @example
 * ```ts
 * import { createImage, openImage } from "./images.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const filename = await Deno.makeTempFile({ suffix: ".qcow2" });
 * await createImage({ filename, format: "qcow2", size: 1024 * 1024, values: { cluster_size: 4096 } });
 * {
 *   await using image = await openImage(filename);
 *   await image.write(512, new Uint8Array(512).fill(7));
 *   assertEquals((await image.read(512, 2)), new Uint8Array([7, 7]));
 * }
 * await Deno.remove(filename);
 * ```
 */
export async function createImage(
  request: CreateRequest,
  options: Pick<OpenImageOptions, "objects"> = {},
): Promise<CreateValues> {
  requirePermissions("script");
  await using graph = hostGraph(warnOnStandardError, options.objects);
  return await createInGraph(graph, request).catch(tell);
}

/**
 * Opens an image by file name (a path, `json:{...}`, `driver:rest`) or by its description.
 *
 * @throws BlockError in QEMU's words; nothing is left open then
 */
export async function openImage(
  image: string | BlockdevOptions,
  options: OpenImageOptions = {},
): Promise<OpenedImage> {
  requirePermissions("script");
  return await openHeld(image, options).catch(tell);
}

async function openHeld(image: string | BlockdevOptions, options: OpenImageOptions): Promise<OpenedImage> {
  const graph = hostGraph(options.warn ?? warnOnStandardError, options.objects);
  await using undo = new AsyncDisposableStack();
  undo.use(graph);
  const flags = {
    ...(options.format === undefined ? {} : { driver: options.format }),
    ...(options.readOnly ? { "read-only": true } : {}),
    ...(options.forceShare ? { "force-share": true } : {}),
  };
  const node = typeof image === "string"
    ? await graph.openImage({ filename: image, options: flags as Partial<BlockdevOptions> })
    : await graph.open({ ...image, ...flags } as BlockdevOptions);
  const backend = new BlockBackend({
    graph,
    readOnly: node.readOnly,
    shared: Permission.consistentRead |
      (options.forceShare ? Permission.write | Permission.writeUnchanged | Permission.resize : 0),
  });
  await backend.insertMedium(node);
  await graph.release(node);
  undo.move();
  return new OpenedImage(graph, backend, node);
}

/** An open image with its chain. Offsets and lengths are bytes of the disk and need no alignment. */
export class OpenedImage implements AsyncDisposable {
  readonly graph: BlockGraph;
  readonly backend: BlockBackend;
  /** The top of the chain. */
  readonly node: BlockNode;

  constructor(graph: BlockGraph, backend: BlockBackend, node: BlockNode) {
    this.graph = graph;
    this.backend = backend;
    this.node = node;
  }

  get sizeBytes(): number {
    return this.backend.sizeBytes;
  }

  get format(): string {
    return this.node.driver.name;
  }

  /** @throws BlockError */
  async read(at: number, lengthBytes: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(lengthBytes);
    await this.backend.read(at, IoVector.of(bytes));
    return bytes;
  }

  /** @throws BlockError */
  write(at: number, bytes: Uint8Array): Promise<void> {
    return this.backend.write(at, IoVector.of(bytes));
  }

  writeZeroes(at: number, lengthBytes: number): Promise<void> {
    return this.backend.writeZeroes(at, lengthBytes);
  }

  discard(at: number, lengthBytes: number): Promise<void> {
    return this.backend.discard(at, lengthBytes);
  }

  /** Makes all that was written durable. */
  flush(): Promise<void> {
    return this.backend.flush();
  }

  /** What this layer knows of each run, from the first byte to the last. */
  async *map(): AsyncGenerator<MappedExtent> {
    for (let at = 0; at < this.sizeBytes;) {
      const extent = await this.backend.status(at, this.sizeBytes - at);
      yield { at, ...extent };
      at += extent.lengthBytes;
    }
  }

  /** What the format knows of the image. */
  async info(): Promise<DriverInfo> {
    return await this.node.driver.info?.() ?? {};
  }

  /** Checks the image's metadata. @throws BlockError ENOTSUP for a format that has none */
  async check(fix: "none" | "leaks" | "all" = "none"): Promise<CheckResult> {
    const { driver } = this.node;
    if (driver.check === undefined) {
      throw new BlockError({
        kind: "unsupported",
        feature: "check",
        text: `This image format does not support checks`,
      });
    }
    return await driver.check({ fix });
  }

  /** Internal snapshots, in the image's order. */
  get snapshots(): readonly SnapshotInfo[] {
    return this.node.driver.snapshots?.list() ?? [];
  }

  /** Takes an internal snapshot of the disk. @throws BlockError ENOTSUP for a format that has none */
  async takeSnapshot(name: string): Promise<SnapshotInfo> {
    const nowNs = this.graph.clocks.host.nowNs();
    return await this.#snapshotStore().create({
      name,
      vmStateBytes: 0,
      dateSeconds: Math.floor(nowNs / NS_PER_S),
      dateNanoseconds: nowNs % NS_PER_S,
      vmClockNs: 0,
      icount: 0,
    });
  }

  /** Makes the disk that of the snapshot with that name or id. @throws BlockError where there is none */
  async applySnapshot(name: string): Promise<void> {
    await this.#snapshotStore().apply(this.#snapshot(name).id);
  }

  /** Deletes the snapshot with that name or id. @throws BlockError where there is none */
  async deleteSnapshot(name: string): Promise<void> {
    await this.#snapshotStore().delete(this.#snapshot(name).id);
  }

  #snapshot(name: string): SnapshotInfo {
    const found = this.snapshots.find((one) => one.name === name) ?? this.snapshots.find(({ id }) => id === name);
    if (found !== undefined) return found;
    const text = `Snapshot '${name}' does not exist in '${this.node.filename}'`;
    throw new BlockError({ kind: "state", text, errno: "ENOENT" });
  }

  #snapshotStore(): SnapshotStore {
    const { snapshots } = this.node.driver;
    if (snapshots !== undefined) return snapshots;
    const text = `Images of format '${this.format}' have no internal snapshots`;
    throw new BlockError({ kind: "unsupported", feature: "snapshots", text });
  }

  /**
   * The L1 table of a qcow2 image: where each L2 table lies, and whether it is this state's alone. With a snapshot's id,
   * the table that the snapshot keeps.
   *
   * @throws BlockError ENOTSUP for a format without such tables
   *
   * @example
   * ```ts
   * import { createImage, openImage } from "./images.ts";
   * import { assertEquals } from "@std/assert";
   *
   * const filename = await Deno.makeTempFile({ suffix: ".qcow2" });
   * await createImage({ filename, format: "qcow2", size: 1024 * 1024 });
   * {
   *   await using image = await openImage(filename);
   *   await image.write(0, new Uint8Array(65536).fill(7));
   *   const [table] = await image.l1();
   *   const [entry] = await image.l2(0);
   *   assertEquals([table!.copied, entry!.kind, await image.refcount(entry!.offset)], [true, "data", 1]);
   * }
   * await Deno.remove(filename);
   * ```
   */
  l1(snapshotId?: string): Promise<readonly L1Entry[]> {
    return this.#tables().l1(snapshotId);
  }

  /** The L2 table that entry `index` of the L1 table leads to; empty where there is none. @throws BlockError */
  l2(index: number, snapshotId?: string): Promise<readonly L2Entry[]> {
    return this.#tables().l2(index, snapshotId);
  }

  /** How often the cluster at byte `offset` of the file is referred to; 0: it is free. @throws BlockError */
  refcount(offset: number): Promise<number> {
    return this.#tables().refcount(offset);
  }

  #tables(): TableInspection {
    const { inspection } = this.node.driver;
    if (inspection !== undefined) return inspection;
    const text = `Images of format '${this.format}' have no tables to look at`;
    throw new BlockError({ kind: "unsupported", feature: "inspection", text });
  }

  /** Writes what the overlay holds into its backing file and empties it. @throws BlockError */
  commit(): Promise<void> {
    return commitAll(this.graph, this.node);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using _graph = this.graph;
    await this.backend[Symbol.asyncDispose]();
  }
}

/** Throws on, with what would help: a script has no second line to put it on. */
function tell(error: unknown): never {
  throw error instanceof BlockError ? error.withHelp() : error;
}

function warnOnStandardError(line: string): void {
  console.error(line);
}
