/**
 * Headers that lie and tables that overlap: `moa img` says of each damaged image what qemu-img says, and writes nothing.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { Program } from "../../tools/common/program.ts";
import { main } from "../../tools/img/main.ts";
import { type ImgRequest, runMoaImg } from "../support/moa_img.ts";
import { patchFile, patchNumber } from "../support/patch.ts";
import { haveProgram, must, run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { compareDamaged } from "./damage/compare.ts";

/** What is written over an image made by `qemu-img create -f qcow2 -o OPTIONS`: offset, width, value. */
interface Damage {
  readonly what: string;
  readonly options?: string;
  readonly patches?: readonly (readonly [at: number, size: 1 | 2 | 4 | 8, value: number | bigint])[];
  readonly truncate?: number;
}

// Offsets are those of the qcow2 header: [QCOW2] "Header".
const HEADERS: readonly Damage[] = [
  { what: "another magic", patches: [[0, 4, 0x514649fa]] },
  { what: "version 1", patches: [[4, 4, 1]] },
  { what: "version 4", patches: [[4, 4, 4]] },
  { what: "version 0", patches: [[4, 4, 0]] },
  { what: "a backing file name beyond the header cluster", patches: [[8, 8, 65530], [16, 4, 100]] },
  { what: "a backing file name far away", patches: [[8, 8, 1n << 40n], [16, 4, 10]] },
  { what: "a backing file name of 2000 bytes", patches: [[8, 8, 1024], [16, 4, 2000]] },
  { what: "clusters of 256 bytes", patches: [[20, 4, 8]] },
  { what: "clusters of 4 MiB", patches: [[20, 4, 22]] },
  { what: "clusters of 2^4294967295 bytes", patches: [[20, 4, 0xffffffff]] },
  { what: "a disk of 2^63 bytes", patches: [[24, 8, 1n << 63n]] },
  { what: "a disk of 2^60 bytes", patches: [[24, 8, 1n << 60n]] },
  { what: "a disk larger than its L1 table", patches: [[24, 8, 1n << 40n]] },
  { what: "a disk of no bytes", patches: [[24, 8, 0]] },
  { what: "unknown encryption", patches: [[32, 4, 7]] },
  { what: "an L1 table of 2^31 entries", patches: [[36, 4, 0x80000000]] },
  { what: "an L1 table of 2^25 entries", patches: [[36, 4, 0x2000000]] },
  { what: "an L1 table of no entries", patches: [[36, 4, 0]] },
  { what: "an L1 table at an odd place", patches: [[40, 8, 0x30001]] },
  { what: "an L1 table beyond the file", patches: [[40, 8, 1n << 40n]] },
  { what: "an L1 table beyond 2^63", patches: [[40, 8, 0xfffffffffff00000n]] },
  { what: "an L1 table on the header", patches: [[40, 8, 0]] },
  { what: "a refcount table at an odd place", patches: [[48, 8, 0x10001]] },
  { what: "a refcount table beyond the file", patches: [[48, 8, 1n << 40n]] },
  { what: "a refcount table of no clusters", patches: [[56, 4, 0]] },
  { what: "a refcount table of 2^32-1 clusters", patches: [[56, 4, 0xffffffff]] },
  { what: "2^32-1 snapshots", patches: [[60, 4, 0xffffffff]] },
  { what: "70000 snapshots", patches: [[60, 4, 70000]] },
  { what: "a snapshot where there is none", patches: [[60, 4, 1], [64, 8, 1 << 20]] },
  { what: "a snapshot table at an odd place", patches: [[60, 4, 1], [64, 8, 0x10001]] },
  { what: "an unknown incompatible feature", patches: [[72, 8, 1n << 20n]] },
  { what: "two unknown incompatible features", patches: [[72, 8, (1n << 20n) | (1n << 63n)]] },
  { what: "an unknown compatible feature", patches: [[80, 8, 1n << 20n]] },
  { what: "the corrupt bit", patches: [[72, 8, 2]] },
  { what: "refcounts of 2^7 bits", patches: [[96, 4, 7]] },
  { what: "refcounts of 2^255 bits", patches: [[96, 4, 255]] },
  { what: "a header of 72 bytes", patches: [[100, 4, 72]] },
  { what: "a header of 103 bytes", patches: [[100, 4, 103]] },
  { what: "a header larger than a cluster", patches: [[100, 4, 70000]] },
  { what: "a header extension that is too long", patches: [[112, 4, 0x12345678], [116, 4, 0xfffffff0]] },
  { what: "a backing format of 100 bytes", patches: [[112, 4, 0xe2792aca], [116, 4, 100]] },
  { what: "compression type 9", patches: [[72, 8, 8], [104, 1, 9]] },
  { what: "compression type without its feature bit", patches: [[104, 1, 1]] },
  { what: "the first 100 bytes only", truncate: 100 },
  { what: "the header cluster only", truncate: 65536 },
  { what: "no L1 table any more", truncate: 3 * 65536 },
  { what: "version 2 with a large header", options: "compat=0.10", patches: [[100, 4, 70000], [96, 4, 9]] },
];

// Made by a write of two clusters: refcount table 0x10000, refcount block 0x20000, L1 0x30000, L2 0x40000, data behind.
const L1 = 0x30000;
const L2 = 0x40000;
const COPIED = 1n << 63n;
const TABLES: readonly Damage[] = [
  { what: "an L1 entry that points at the header", patches: [[L1, 8, COPIED | 0n]] },
  { what: "an L1 entry at an odd place", patches: [[L1, 8, COPIED | 0x40200n]] },
  { what: "an L1 entry beyond the file", patches: [[L1, 8, COPIED | 0x4000000n]] },
  { what: "an L1 entry that points at the L1 table", patches: [[L1, 8, COPIED | 0x30000n]] },
  { what: "an L1 entry without its flag", patches: [[L1, 8, 0x40000]] },
  { what: "an L1 entry with reserved bits", patches: [[L1, 8, COPIED | 0x40000n | 1n]] },
  { what: "an L2 entry at an odd place", patches: [[L2, 8, COPIED | 0x50200n]] },
  { what: "an L2 entry beyond the file", patches: [[L2, 8, COPIED | 0x4000000n]] },
  { what: "an L2 entry that points at the refcount table", patches: [[L2, 8, COPIED | 0x10000n]] },
  { what: "an L2 entry that points at its own table", patches: [[L2, 8, COPIED | 0x40000n]] },
  { what: "an L2 entry that points at the other one's data", patches: [[L2, 8, COPIED | 0x60000n]] },
  { what: "an L2 entry without its flag", patches: [[L2, 8, 0x50000]] },
  { what: "an L2 entry with reserved bits", patches: [[L2, 8, COPIED | 0x50000n | 0x100n]] },
  { what: "an L2 entry of zeroes with data", patches: [[L2, 8, COPIED | 0x50000n | 1n]] },
  { what: "an L2 entry of nothing", patches: [[L2, 8, 0]] },
  { what: "an L2 entry that is compressed now", patches: [[L2, 8, (1n << 62n) | 0x50000n]] },
  { what: "an L2 entry that is compressed and copied", patches: [[L2, 8, COPIED | (1n << 62n) | 0x50000n]] },
  { what: "an L2 entry that is compressed beyond the file", patches: [[L2, 8, (1n << 62n) | 0x40000000n]] },
  { what: "a refcount table entry at an odd place", patches: [[0x10000, 8, 0x20200]] },
  { what: "an L2 entry that is compressed in the middle of a sector", patches: [[L2, 8, (1n << 62n) | 0x4000_0123n]] },
  { what: "a refcount table entry beyond the file", patches: [[0x10000, 8, 0x4000000]] },
  { what: "a refcount table entry that points at the L1 table", patches: [[0x10000, 8, 0x30000]] },
  { what: "a second refcount table entry that points at the first block", patches: [[0x10008, 8, 0x20000]] },
  { what: "no refcount table entry", patches: [[0x10000, 8, 0]] },
  { what: "a refcount of 0 for the L1 table", patches: [[0x20006, 2, 0]] },
  { what: "a refcount of 2 for the L1 table", patches: [[0x20006, 2, 2]] },
  { what: "a refcount of 0 for data", patches: [[0x2000a, 2, 0]] },
  { what: "a refcount of 3 for data", patches: [[0x2000a, 2, 3]] },
  { what: "a refcount of 1 for a free cluster", patches: [[0x2000e, 2, 1]] },
  { what: "all refcounts 0", patches: [[0x20000, 8, 0], [0x20008, 8, 0]] },
  { what: "the dirty bit", patches: [[72, 8, 1]] },
  { what: "the corrupt bit", patches: [[72, 8, 2]] },
];

async function damage(path: string, how: Damage): Promise<void> {
  for (const [at, size, value] of how.patches ?? []) await patchNumber(path, at, size, value);
  if (how.truncate !== undefined) await Deno.truncate(path, how.truncate);
}

Deno.test({
  name: "img info: of a header that lies, what qemu-img says",
  ignore: !haveProgram("qemu-img"),
  fn: async () => {
    await using temp = await TempFolder.make();
    const real: unknown[] = [];
    const before: Uint8Array[] = [];
    const args = (index: number) => ["info", "-f", "qcow2", `image${index}`];
    for (const [index, how] of HEADERS.entries()) {
      const name = `image${index}`;
      await must("qemu-img", ["create", "-q", "-f", "qcow2", "-o", how.options ?? "compat=1.1", name, "1M"], {
        cwd: temp.path,
      });
      await damage(temp.file(name), how);
      before.push(await Deno.readFile(temp.file(name)));
      const result = await run("qemu-img", args(index), { cwd: temp.path });
      real.push({ what: how.what, code: result.code, text: result.stdout + result.stderr });
    }
    const moa = await runMoaImg(HEADERS.map((_, index) => ({ folder: temp.path, args: args(index) })));
    assertEquals(moa.map(({ code, all }, index) => ({ what: HEADERS[index]!.what, code, text: all })), real);
    for (const [index, { what }] of HEADERS.entries()) {
      assertEquals(await Deno.readFile(temp.file(`image${index}`)), before[index], `${what}: the image was written`);
    }
  },
});

Deno.test({
  name: "img check: of tables that overlap, what qemu-img says and leaves",
  ignore: !haveProgram("qemu-img"),
  fn: async () => {
    await using temp = await TempFolder.make();
    await must("qemu-img", ["create", "-q", "-f", "qcow2", "master", "1M"], { cwd: temp.path });
    await must("qemu-io", ["-f", "qcow2", "-c", "write 0 128k", "master"], { cwd: temp.path });
    // Whatever was repaired, the real program has to find the same left over.
    const left = async (folder: string) => (await run("qemu-img", ["check", "image"], { cwd: folder })).code;
    const requests: ImgRequest[] = [];
    const real: unknown[] = [];
    const whats: string[] = [];
    for (const how of TABLES) {
      for (const args of [["check"], ["check", "-r", "leaks"], ["check", "-r", "all"], ["info"]]) {
        const what = `${how.what}: ${args.join(" ")}`;
        const folders = [temp.file(`moa${whats.length}`), temp.file(`real${whats.length}`)] as const;
        for (const folder of folders) {
          await Deno.mkdir(folder);
          await Deno.copyFile(temp.file("master"), `${folder}/image`);
          await damage(`${folder}/image`, how);
        }
        requests.push({ folder: folders[0], args: [...args, "image"] });
        const result = await run("qemu-img", [...args, "image"], { cwd: folders[1] });
        const text = [result.stdout, result.stderr];
        real.push({ what, code: result.code, text, left: await left(folders[1]) });
        whats.push(what);
      }
    }
    const moa: unknown[] = [];
    for (const [index, { code, stdout, stderr }] of (await runMoaImg(requests)).entries()) {
      const text = [stdout, stderr];
      moa.push({ what: whats[index], code, text, left: await left(requests[index]!.folder) });
    }
    assertEquals(moa, real);
  },
});

Deno.test({
  name: "img check: of images damaged by seed, what qemu-img says and leaves, to the byte",
  ignore: !haveProgram("qemu-img"),
  fn: async () => {
    // More: deno run -P=test tests/interop/damage/main.ts --seed=1 --runs=10000
    const differences = await compareDamaged({ firstSeed: 1, runs: 40 });
    assertEquals(
      differences.map(({ seed, master, args, damages, fields }) => ({ seed, master, args, damages, fields })),
      [],
    );
  },
});

/** Runs one command line here; file names are absolute. */
async function moaImg(args: readonly string[]): Promise<{ code: number; text: string }> {
  let text = "";
  const collect = (more: string) => void (text += more);
  const code = await main(new Program("qemu-img", { out: collect, error: collect }), args);
  return { code, text };
}

Deno.test("img: random bytes in an image end in a message, never in an exception", async () => {
  await using temp = await TempFolder.make();
  const path = temp.file("image");
  assertEquals((await moaImg(["create", "-q", "-f", "qcow2", path, "1M"])).code, 0);
  const clean = await Deno.readFile(path);
  let seed = 7;
  const random = (below: number) => (seed = (seed * 1103515245 + 12345) % 0x80000000) % below;
  for (let round = 0; round < 60; round++) {
    await Deno.writeFile(path, clean);
    // Most of what decides lies in the header, the refcount table, the first refcount block and the L1 table.
    const at = [0, 65536, 131072, 196608][round % 4]! + random(round % 4 === 0 ? 120 : 32);
    await patchFile(path, at, [random(256), random(256), random(256)]);
    for (const command of ["info", "check"]) {
      const { code, text } = await moaImg([command, "-f", "qcow2", path]);
      assertEquals([0, 1, 2, 3].includes(code) && text !== "", true, `round ${round}: ${command}: ${code} ${text}`);
    }
  }
});
