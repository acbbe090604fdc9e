/**
 * What qcow2 writes and keeps in memory besides data: the tables of its README.
 *
 *     deno run -P=bench --v8-flags=--expose-gc tests/bench/metadata.ts
 *
 * Metadata writes are counted, not timed: they are the same on every machine, and `metadata_test.ts` checks them. Memory
 * is that of the process before and after an image is opened whose every cluster is mapped, and read all over.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { nextTurn } from "../../base/turn.ts";
import { GiB, KiB, MiB, TiB } from "../../base/units.ts";
import type { BlockDriver, Extent } from "../../block/mod.ts";
import { DONE } from "../../block/done.ts";
import { createTestImage, openTestImage } from "../../block/formats/qcow2/testing.ts";
import { withBackend } from "./in_process.ts";
import { run } from "./qemu.ts";

const PAGE_BYTES = 4 * KiB;
const WRITES = 1024;
/** Comes by every cluster before it comes by one again. */
const STEP_BYTES = 400_557 * PAGE_BYTES;

/** A long file of which only the pages are kept that were written; it counts. */
class CountingFile implements BlockDriver {
  readonly name = "file";
  readonly limits = { alignBytes: 1 };
  readonly #pages = new Map<number, Uint8Array>();
  size = 0;
  writes = 0;
  writtenBytes = 0;

  #each(at: number, length: number, visit: (page: number, from: number, to: number, done: number) => void): void {
    for (let done = 0; done < length;) {
      const page = Math.floor((at + done) / PAGE_BYTES);
      const from = at + done - page * PAGE_BYTES;
      const to = Math.min(PAGE_BYTES, from + length - done);
      visit(page, from, to, done);
      done += to - from;
    }
  }

  read(at: number, into: IoVector): Promise<void> {
    into.fill(0);
    this.#each(at, into.length, (page, from, to, done) => {
      const bytes = this.#pages.get(page);
      if (bytes !== undefined) into.copyFrom(bytes.subarray(from, to), done);
    });
    return DONE;
  }

  write(at: number, from: IoVector): Promise<void> {
    this.writes++;
    this.writtenBytes += from.length;
    this.size = Math.max(this.size, at + from.length);
    const bytes = from.toBytes();
    this.#each(at, bytes.length, (page, start, end, done) => {
      const kept = this.#pages.get(page) ?? new Uint8Array(PAGE_BYTES);
      kept.set(bytes.subarray(done, done + end - start), start);
      this.#pages.set(page, kept);
    });
    return DONE;
  }

  async writeZeroes(at: number, length: number): Promise<void> {
    await this.write(at, IoVector.allocate(length));
  }

  async discard(): Promise<void> {}

  async flush(): Promise<void> {}

  async status(_at: number, length: number): Promise<Extent> {
    return { lengthBytes: length, kind: "data", allocated: true };
  }

  async truncate(size: number): Promise<void> {
    this.size = size;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** How the guest writes, and to which image. */
export interface Workload {
  readonly clusterBytes: number;
  readonly lazyRefcounts: boolean;
  /** Writes in flight at once; the guest flushes when they have ended. 0: never, only closing does. */
  readonly depth: number;
}

/** Metadata that an allocating 4 KiB write costs on average, of 1024 at scattered places of an empty 4 GiB disk. */
export async function metadataPerWrite(workload: Workload): Promise<{ writes: number; bytes: number }> {
  const { clusterBytes, lazyRefcounts, depth } = workload;
  const file = new CountingFile();
  await createTestImage({ size: 4 * GiB, cluster_size: clusterBytes, lazy_refcounts: lazyRefcounts }, file);
  const before = { writes: file.writes, bytes: file.writtenBytes };
  {
    await using image = await openTestImage(file);
    const data = IoVector.allocate(PAGE_BYTES);
    const write = (index: number) => image.node.write(index * STEP_BYTES % (4 * GiB), data);
    const together = depth === 0 ? WRITES : depth;
    for (let index = 0; index < WRITES; index += together) {
      await Promise.all(Array.from({ length: together }, (_, i) => write(index + i)));
      if (depth !== 0) await image.node.flush();
    }
  }
  return {
    writes: (file.writes - before.writes - WRITES) / WRITES,
    bytes: (file.writtenBytes - before.bytes) / WRITES - PAGE_BYTES,
  };
}

/** The rows of the README's table of metadata writes, as they are written there. */
export async function metadataRows(): Promise<string[]> {
  const rows: string[] = [];
  for (const clusterBytes of [4 * KiB, 64 * KiB, 2 * MiB]) {
    for (const lazyRefcounts of [false, true]) {
      const cells: string[] = [];
      for (const depth of [1, 16, 0]) {
        const { writes, bytes } = await metadataPerWrite({ clusterBytes, lazyRefcounts, depth });
        cells.push(`${writes.toFixed(2)}, ${(bytes / KiB).toFixed(1)} KiB`);
      }
      rows.push([`${clusterBytes / KiB} KiB`, lazyRefcounts ? "lazy" : "kept", ...cells].join(" | "));
    }
  }
  return rows;
}

/** Bytes of memory that an image of 1 TiB takes once it was read all over, everything mapped. */
async function memoryOf(image: string, cacheBytes: number): Promise<number> {
  const before = await heldBytes();
  const options = { driver: "qcow2", "l2-cache-size": cacheBytes, file: { driver: "file", filename: image } } as const;
  return await withBackend(options, async (backend) => {
    const data = IoVector.allocate(512);
    for (let at = 0; at < TiB; at += 256 * MiB) await backend.read(at, data);
    return await heldBytes() - before;
  });
}

/** What the process holds when garbage is gone. */
async function heldBytes(): Promise<number> {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error("start it with --v8-flags=--expose-gc");
  for (let i = 0; i < 3; i++) {
    gc();
    await nextTurn();
  }
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

async function printMemory(): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "moa-bench-" });
  try {
    for (const clusterBytes of [64 * KiB, 2 * MiB]) {
      const image = `${directory}/mapped.qcow2`;
      const how = `preallocation=metadata,cluster_size=${clusterBytes}`;
      await run("qemu-img", "create", "-q", "-f", "qcow2", "-o", how, image, `${TiB}`);
      // The first opening loads modules, too.
      await memoryOf(image, 1 * MiB);
      for (const cacheBytes of [1 * MiB, 32 * MiB, 128 * MiB]) {
        const held = (await memoryOf(image, cacheBytes) / MiB).toFixed(1);
        console.log(
          `${clusterBytes / KiB} KiB clusters, l2-cache-size ${cacheBytes / MiB} MiB: ${held} MiB a TiB mapped`,
        );
      }
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

if (import.meta.main) {
  await printMemory();
  for (const row of await metadataRows()) console.log(row);
}
