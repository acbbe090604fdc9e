/**
 * Lesson: what does each cache mode keep when something dies?
 *
 * A guest writes "A" and flushes, then writes "B" and does not. Then the process is killed, or the host crashes, or power
 * is lost, and somebody looks what the disk holds. A cache mode is three switches: whether the guest sees a write cache
 * that it has to flush, whether the host's page cache is passed by, and whether flushes are left out.
 *
 *     deno run -P=script scripts/lessons/cache-modes.ts
 *
 * @module
 */
import {
  BlockBackend,
  type BlockdevOptions,
  type BlockGraph,
  type CacheMode,
  cacheMode,
  createImage,
  IoVector,
  KiB,
  MiB,
} from "../../mod.ts";
import { Lesson } from "./lesson.ts";
import { PowerFile } from "./power_file.ts";

const A = { at: 0, value: 0xaa };
const B = { at: 512 * KiB, value: 0xbb };

const lesson = new Lesson("A guest writes A, flushes, writes B. Which of the two are there afterwards?");
const directory = await Deno.makeTempDir({ prefix: "moa-lesson-" });
try {
  for (const format of ["raw", "qcow2"] as const) {
    const filename = `${directory}/empty.${format}`;
    await createImage({ filename, format, size: 1 * MiB });
    const empty = await Deno.readFile(filename);
    for (const name of ["writeback", "none", "writethrough", "directsync", "unsafe"]) {
      const file = new PowerFile(empty);
      const after = await guestWrites(format, file, cacheMode(name)!);
      lesson.row({
        format,
        cache: name,
        "process killed": await whatIsThere(format, after.kill),
        "host crashed": await whatIsThere(format, after.hostCrash),
        "power lost": await whatIsThere(format, after.powerLoss),
      });
    }
  }
} finally {
  await Deno.remove(directory, { recursive: true });
}

lesson.end(
  [
    row("raw", "writeback", "A B", "A", "A"),
    row("raw", "none", "A B", "A B", "A"),
    row("raw", "writethrough", "A B", "A B", "A B"),
    row("raw", "directsync", "A B", "A B", "A B"),
    row("raw", "unsafe", "A B", "nothing", "nothing"),
    row("qcow2", "writeback", "A", "A", "A"),
    row("qcow2", "none", "A", "A", "A"),
    row("qcow2", "writethrough", "A B", "A B", "A B"),
    row("qcow2", "directsync", "A B", "A B", "A B"),
    row("qcow2", "unsafe", "A", "nothing", "nothing"),
  ],
  "What was flushed is there in every mode but unsafe; what was not is there by mode and by luck. qcow2 keeps the place\n" +
    "of B in memory until a flush: where raw leaves B to the kernel, qcow2 loses it with the process.",
);

function row(format: string, cache: string, kill: string, hostCrash: string, powerLoss: string) {
  return { format, cache, "process killed": kill, "host crashed": hostCrash, "power lost": powerLoss };
}

/** Opens the disk as `-drive cache=...` does, writes, and tells what each place holds before anything is closed. */
async function guestWrites(format: "raw" | "qcow2", file: PowerFile, mode: CacheMode) {
  await using graph = file.graph();
  await using backend = await backendOf(graph, format, mode);
  await backend.write(A.at, IoVector.of(new Uint8Array(4 * KiB).fill(A.value)));
  await backend.flush();
  await backend.write(B.at, IoVector.of(new Uint8Array(4 * KiB).fill(B.value)));
  return { kill: file.afterKill, hostCrash: file.afterHostCrash, powerLoss: file.afterPowerLoss };
}

async function backendOf(graph: BlockGraph, format: "raw" | "qcow2", mode: CacheMode): Promise<BlockBackend> {
  const cache = { direct: mode.direct, "no-flush": mode.noFlush };
  const options: BlockdevOptions = { driver: format, cache, file: { driver: "file", filename: "disk", cache } };
  const node = await graph.open(options);
  const backend = new BlockBackend({ graph, writeCache: mode.writeback });
  await backend.insertMedium(node);
  await graph.release(node);
  return backend;
}

async function whatIsThere(format: "raw" | "qcow2", bytes: Uint8Array): Promise<string> {
  await using graph = new PowerFile(bytes).graph();
  await using backend = await backendOf(graph, format, cacheMode("writeback")!);
  const first = new Uint8Array(1);
  const found: string[] = [];
  for (const [name, { at, value }] of Object.entries({ A, B })) {
    await backend.read(at, IoVector.of(first));
    if (first[0] === value) found.push(name);
  }
  return found.join(" ") || "nothing";
}
