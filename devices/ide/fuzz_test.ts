/**
 * Guest nonsense: random accesses to every register never throw or hang, write nothing outside of RAM or the images,
 * and after a reset the drives work.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { SeededRandom } from "../../base/random.ts";
import { IdeGuest } from "../../machine/guest/mod.ts";
import { Rig } from "./testing/rig.ts";

const MiB = 1024 * 1024;
const STEPS = 3000;
const SEEDS = [1, 2, 3, 4, 5, 6];

for (const seed of SEEDS) {
  Deno.test(`ide survives nonsense, seed ${seed}`, async () => {
    await using rig = await Rig.start([
      { kind: "ide-hd", index: 0, sizeBytes: MiB, properties: "werror=report,rerror=report" },
      { kind: "ide-cd", index: 1, sizeBytes: MiB },
      { kind: "ide-cd", index: 2 },
    ]);
    const random = new SeededRandom(seed);
    await IdeGuest.detect(rig, { area: { address: 0x20_0000, sizeBytes: 0x12_0000 } });
    const ports = [0x1f0, 0x170].flatMap((base) =>
      [0, 1, 2, 3, 4, 5, 6, 7, 7, 7, 0x206].map((offset) => base + offset)
    );
    for (let register = 0; register < 16; register++) ports.push(0xc000 + register);
    for (let step = 0; step < STEPS; step++) {
      const port = ports[random.below(ports.length)]!;
      const value = random.uint32();
      switch (random.below(8)) {
        case 0:
          rig.out16(port, value & 0xffff);
          break;
        case 1:
          rig.machine.out(port, value, 4);
          break;
        case 2:
          rig.machine.in(port, ([1, 2, 4] as const)[random.below(3)]!);
          break;
        case 3: // Feed what wants data, so that packets run.
          for (let i = 0; i < 6; i++) rig.out16(port & ~0xf | 0, random.below(2) === 0 ? value & 0xffff : 0);
          break;
        case 4:
          await rig.pause();
          break;
        default:
          rig.out8(port, value & 0xff);
      }
      if (step % 500 === 0) {
        await rig.ide.stop();
        rig.ide.load(structuredClone(rig.ide.save()));
      }
    }
    await rig.ide.stop();
    await rig.ide.reset();
    const guest = await IdeGuest.detect(rig, { area: { address: 0x20_0000, sizeBytes: 0x12_0000 } });
    assertEquals(guest.drives.map(({ kind }) => kind), ["disk", "cd", "cd"]);
    const bytes = Uint8Array.from({ length: 1024 }, (_, i) => i & 0xff);
    await guest.disk(0, 0).writeDma(9, bytes);
    assertEquals(await guest.disk(0, 0).read(9, 2), bytes);
    assertEquals((await guest.cd(0, 1).read(0, 1)).length, 2048);
  });
}
