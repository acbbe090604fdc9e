/**
 * Commands in the middle of many overlapping requests: nothing hangs, no snapshot is damaged, images are sound.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { createImage, IdeGuest, IoVector, MiB, openImage, SeededRandom, Vm } from "../../mod.ts";
import { withoutLeaks } from "../support/fds.ts";
import { TempFolder } from "../support/temp.ts";

const COMMANDS = [
  "savevm a",
  "savevm b",
  "loadvm a",
  "commit d0",
  "stop",
  "cont",
  "info blockstats",
  "delvm b",
  "loadvm a",
];

async function busy(temp: TempFolder, seed: number, clusterSize: number): Promise<void> {
  const [base, top] = [temp.file(`base${seed}`), temp.file(`top${seed}`)];
  await createImage({ filename: base, format: "qcow2", size: 2 * MiB });
  const values = { cluster_size: clusterSize };
  await createImage({ filename: top, format: "qcow2", backingFile: base, backingFormat: "qcow2", values });
  {
    await using vm = await Vm.start({
      nodefaults: true,
      memory: 16,
      drives: [`file=${top},if=none,id=d0,werror=report,rerror=report`],
      devices: ["ide-hd,drive=d0,bus=ide.0"],
    });
    const backend = vm.machine.backends.find("d0")!;
    const disk = (await IdeGuest.detect(vm.guest)).disk(0, 0);
    let stop = false;
    const writers = Array.from({ length: 6 }, async (_, lane) => {
      const random = new SeededRandom(seed * 100 + lane);
      while (!stop) {
        const at = random.below(2 * MiB - 100_000);
        const length = 1 + random.below(90_000);
        const kind = random.below(4);
        if (kind === 0) await backend.writeZeroes(at, length);
        else if (kind === 1) await backend.discard(at, length);
        else await backend.write(at, IoVector.of(new Uint8Array(length).fill(lane)));
      }
    });
    // loadvm takes its request away from under it, so that it may wait for ever: nobody waits for it.
    void (async () => {
      const random = new SeededRandom(seed);
      while (!stop) {
        await disk.writeDma(random.below(4000), new Uint8Array(512 * (1 + random.below(60)))).catch(() => {});
      }
    })();
    const answers: string[] = [];
    for (const command of COMMANDS) {
      const answer = await vm.monitor(command);
      if (answer.includes("rror")) answers.push(`${command}: ${answer}`);
    }
    await vm.monitor("cont");
    stop = true;
    await Promise.all(writers);
    assertEquals(answers, []);
  }
  for (const filename of [top, base]) {
    await using image = await openImage(filename, { readOnly: true, format: "qcow2" });
    assertEquals((await image.check()).messages, []);
  }
}

Deno.test("commands among many overlapping requests find and leave everything sound", async () => {
  await using temp = await TempFolder.make();
  await withoutLeaks(async () => {
    await busy(temp, 1, 4096);
    await busy(temp, 2, 65536);
  });
});

Deno.test("a thousand openings, half of them refused, leave no descriptor open", async () => {
  await using temp = await TempFolder.make();
  const filename = temp.file("image");
  await createImage({ filename, format: "qcow2", size: MiB });
  const damaged = await Deno.readFile(filename);
  damaged[7] = 9;
  const bad = await temp.write("bad", damaged);
  await withoutLeaks(async () => {
    for (let i = 0; i < 500; i++) {
      await using _image = await openImage(filename, { readOnly: i % 2 === 0 });
      await openImage(bad, { format: "qcow2" }).then(() => Promise.reject(new Error("opened")), () => {});
    }
  });
});
