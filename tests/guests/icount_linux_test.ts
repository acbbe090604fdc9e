/**
 * Linux with time by instructions: on disks in memory the same seed gives the same run, to the instruction.
 */
import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { TempFolder } from "../support/temp.ts";
import { linuxPackages } from "./linux.ts";
import { repeatedInitrd, RepeatedLinux } from "./repeated.ts";

const packages = linuxPackages();
/** After mark b: in the middle of the files that are written. */
const WRITES_BEFORE_SAVE = 20;
const SEED = 2;

interface Seen {
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly said: string;
}

/** Runs to the snapshot, takes it, and runs to the end; all that was seen. */
async function wholeRun(linux: RepeatedLinux): Promise<Seen> {
  linux.seed = 1;
  await linux.run({ mark: "b" });
  await linux.run({ writes: WRITES_BEFORE_SAVE });
  await linux.vm.savevm("middle");
  const before = linux.takeLog();
  linux.seed = SEED;
  await linux.run({ mark: "d" });
  return { before, after: linux.takeLog(), said: linux.vm.serial.text };
}

/** What is seen of a run from the snapshot on. */
async function runFromSnapshot(linux: RepeatedLinux, seed: number): Promise<readonly string[]> {
  await linux.vm.loadvm("middle");
  linux.seed = seed;
  await linux.run({ mark: "d" });
  return linux.takeLog();
}

function marksOf(seen: readonly string[]): string {
  return seen.flatMap((line) => line.match(/(?<=^mark )./) ?? []).join("");
}

Deno.test({
  name:
    "Linux with -icount sleep=off, IDE and virtio-blk in memory: two machines, and what a snapshot brings back, are one run",
  ignore: packages === undefined,
  fn: async () => {
    await using temp = await TempFolder.make();
    const initrd = await temp.write("initrd", repeatedInitrd(packages!));
    let first: Seen;
    {
      await using linux = await RepeatedLinux.make(packages!, initrd);
      first = await wholeRun(linux);
    }
    assertEquals([marksOf(first.before), marksOf(first.after)], ["ab", "cd"]);
    for (const bus of ["ide WRITE DMA", "virtio VIRTIO_BLK_T_OUT"]) {
      assert(first.after.some((line) => line.startsWith(bus)), `no '${bus}'`);
    }
    // A random number and the time of day, then the same files from both disks.
    assertEquals(
      first.said.match(/2026\r\n[0-9a-f-]{36}\r\n([0-9a-f]{32}) {2}-\r\n\1 {2}-\r\n$/)?.length,
      2,
      first.said,
    );
    await using second = await RepeatedLinux.make(packages!, initrd);
    assertEquals(await wholeRun(second), first);
    assertEquals(await runFromSnapshot(second, SEED), first.after);
    // Requests that take other times make another run: so a difference is seen.
    assertNotEquals(await runFromSnapshot(second, SEED + 1), first.after);
  },
});
