/**
 * Lesson: what does the first write to a place cost, on a raw disk and on qcow2?
 *
 * A guest writes 4 KiB and flushes, at places that differ in what is there already. Below, the writes are counted that
 * reach the file. A raw file has a place for every byte; a qcow2 image finds one at the first write and has to note it
 * down: in the reference counts, in an L2 table, and in the L1 table where the L2 table itself is new.
 *
 *     deno run -P=script scripts/lessons/first-writes.ts
 *
 * @module
 */
import { BlockBackend, createImage, IoVector, KiB, MiB } from "../../mod.ts";
import { Lesson } from "./lesson.ts";
import { PowerFile } from "./power_file.ts";

const STEPS: readonly [what: string, at: number][] = [
  ["the very first write", 0],
  ["the same place again", 0],
  ["beside it, in the same cluster", 4 * KiB],
  ["another cluster", 256 * KiB],
  ["that one again", 256 * KiB],
];

const lesson = new Lesson("How many writes to the file does one flushed 4 KiB write of the guest make?");
const directory = await Deno.makeTempDir({ prefix: "moa-lesson-" });
try {
  for (const format of ["raw", "qcow2"] as const) {
    const filename = `${directory}/empty.${format}`;
    await createImage({ filename, format, size: 1 * MiB });
    const file = new PowerFile(await Deno.readFile(filename));
    await using graph = file.graph();
    await using backend = new BlockBackend({ graph });
    const node = await graph.open({ driver: format, file: { driver: "file", filename: "disk" } });
    await backend.insertMedium(node);
    await graph.release(node);
    for (const [what, at] of STEPS) {
      const before = { writes: file.writes, bytes: file.writtenBytes };
      await backend.write(at, IoVector.of(new Uint8Array(4 * KiB).fill(0xaa)));
      await backend.flush();
      lesson.row(row(format, what, file.writes - before.writes, file.writtenBytes - before.bytes));
    }
  }
} finally {
  await Deno.remove(directory, { recursive: true });
}

lesson.end(
  [
    row("raw", "the very first write", 1, 4096),
    row("raw", "the same place again", 1, 4096),
    row("raw", "beside it, in the same cluster", 1, 4096),
    row("raw", "another cluster", 1, 4096),
    row("raw", "that one again", 1, 4096),
    row("qcow2", "the very first write", 4, 4096 + 4096 + 65536 + 8),
    row("qcow2", "the same place again", 1, 4096),
    row("qcow2", "beside it, in the same cluster", 1, 4096),
    row("qcow2", "another cluster", 3, 4096 + 4096 + 4096),
    row("qcow2", "that one again", 1, 4096),
  ],
  "Where a cluster is there already, qcow2 writes what raw writes. A new cluster costs a page of reference counts and a\n" +
    "page of the L2 table; a new L2 table is written whole, and the L1 table points at it. That is per flush: a guest that\n" +
    "writes many clusters before it flushes pays for the pages once.",
);

function row(format: string, what: string, writes: number, bytes: number) {
  return { format, what, writes, bytes };
}
