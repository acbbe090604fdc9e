import { assertEquals } from "@std/assert";
import { haveProgram, must } from "../tests/support/programs.ts";
import { TempFolder } from "../tests/support/temp.ts";
import { chainStatus, isAllocatedAbove, layersAbove } from "./chain.ts";
import { testGraph } from "./testing.ts";

interface MapRow {
  start: number;
  length: number;
  depth: number;
  present: boolean;
  zero: boolean;
  data: boolean;
}

Deno.test({
  name: "chainStatus: a chain of layers of unlike sizes equals qemu-img map",
  ignore: !haveProgram("qemu-img") || !haveProgram("qemu-io"),
  async fn() {
    await using temp = await TempFolder.make();
    const cwd = temp.path;
    const create = (args: string) => must("qemu-img", ["create", "-q", "-f", "qcow2", ...args.split(" ")], { cwd });
    const write = (image: string, ...commands: string[]) =>
      must("qemu-io", ["-f", "qcow2", ...commands.flatMap((command) => ["-c", command]), image], { cwd });
    await create("base 1M");
    await create("-b base -F qcow2 mid 3M");
    await create("-b mid -F qcow2 top 4M");
    await write("base", "write 0 128k", "write 512k 256k");
    await write("mid", "write 64k 64k", "write -z 576k 64k", "write 2M 64k");
    await write("top", "write 2624k 64k", "write -z 0 64k", "write 3M 128k");
    const real = JSON.parse(await must("qemu-img", ["map", "--output=json", "top"], { cwd })) as MapRow[];
    await using graph = testGraph();
    const top = await graph.openImage({ filename: temp.file("top"), options: { driver: "qcow2", "read-only": true } });
    const rows: MapRow[] = [];
    for (let at = 0; at < top.size;) {
      const { lengthBytes: length, kind, depth, present } = await chainStatus(top, at, top.size - at);
      const row = { start: at, length, depth, present, zero: kind === "zero", data: kind === "data" };
      const last = rows.at(-1);
      const same = last !== undefined && last.depth === depth && last.present === present && last.zero === row.zero;
      if (same) last.length += length;
      else rows.push(row);
      at += length;
    }
    const plain = ({ start, length, depth, present, zero, data }: MapRow) => ({
      start,
      length,
      depth,
      present,
      zero,
      data,
    });
    assertEquals(merge(rows), merge(real.map(plain)));
    assertEquals(layersAbove(top, top.backing!.backing).length, 2);
    const base = top.backing!.backing;
    assertEquals(await isAllocatedAbove(top, base, 65536, 65536), { allocated: true, lengthBytes: 65536 });
    assertEquals((await isAllocatedAbove(top, base, 524288, 65536)).allocated, false);
  },
});

/** qemu-img splits runs where the host offset jumps; what is compared here does not. */
function merge(rows: readonly MapRow[]): MapRow[] {
  const merged: MapRow[] = [];
  for (const row of rows) {
    const last = merged.at(-1);
    const same = last !== undefined && last.depth === row.depth && last.present === row.present &&
      last.zero === row.zero;
    if (same) last.length += row.length;
    else merged.push({ ...row });
  }
  return merged;
}
