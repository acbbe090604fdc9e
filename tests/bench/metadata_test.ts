/** The README of qcow2 says how many metadata writes an allocating write costs; counted, so that it is exact. */
import { assertEquals } from "@std/assert";
import { KiB } from "../../base/units.ts";
import { metadataPerWrite, metadataRows } from "./metadata.ts";

Deno.test("the table of metadata writes is what is counted", async () => {
  const readme = await Deno.readTextFile(new URL("../../block/formats/qcow2/README.md", import.meta.url));
  const table = readme.split("\n").filter((line) => /^\| *\d+ KiB +\| (kept|lazy)/.test(line));
  const cells = (line: string) => line.split("|").map((cell) => cell.trim()).filter((cell) => cell !== "").join(" | ");
  assertEquals(table.map(cells), await metadataRows());
});

Deno.test("without flushes, metadata is written once for many writes", async () => {
  const never = await metadataPerWrite({ clusterBytes: 64 * KiB, lazyRefcounts: false, depth: 0 });
  // At the end: 8 L2 tables, one refcount block, one sector of the L1 table, over 1024 writes.
  assertEquals(never.writes, 10 / 1024);
});
