import { assertEquals } from "@std/assert";
import { SeededRandom } from "../../base/random.ts";
import type { SavedDevice } from "../../devices/bus/mod.ts";
import type { AccessWidth } from "../cpu/mod.ts";
import { decodeState, encodeState } from "../snapshot/state_text.ts";
import { type TestDrive, type TestPc, testPc } from "../testing.ts";

const WIDTHS: readonly AccessWidth[] = [1, 2, 4];
const CD: TestDrive = { name: "cd", at: { interface: "ide", bus: 1, unit: 0, media: "cdrom" } };

/** Twenty thousand accesses to whatever is claimed, and some to what is not. */
function nonsense({ machine, qtest }: TestPc, random: SeededRandom): void {
  const claimed = machine.ports.ranges.filter(({ region }) => region.name !== "io");
  for (let step = 0; step < 20_000; step++) {
    const width = WIDTHS[random.below(3)]!;
    const range = claimed[random.below(claimed.length)]!;
    const inside = range.start + random.below(range.end - range.start);
    const port = random.below(20) === 0 ? random.below(0x10000) : inside;
    try {
      if (random.below(2) === 0) qtest.out(port, random.uint32() % 2 ** (8 * width), width);
      else qtest.in(port, width);
      if (random.below(50) === 0) qtest.writeValue(0xfec00000 + random.below(0x40), random.uint32(), width);
      if (random.below(50) === 0) qtest.writeValue(0xfed00000 + random.below(0x400), random.uint32(), width);
      if (random.below(200) === 0) qtest.clockStep(random.below(1_000_000));
    } catch (error) {
      throw new Error(`step ${step}: port ${port.toString(16)} width ${width}`, { cause: error });
    }
  }
}

Deno.test("nothing that a guest does to ports and registers throws, and a reset mends it", async () => {
  for (let seed = 1; seed <= 4; seed++) {
    await using pc = await testPc({ seed, drives: [CD] });
    const { machine, qtest } = pc;
    await machine.cont();
    const devices = machine.devices.length;
    nonsense(pc, new SeededRandom(seed));
    await machine.reset();
    assertEquals(machine.devices.length, devices);
    qtest.out(0xcf8, 0x80000000, 4);
    assertEquals(qtest.in(0xcfc, 4), 0x12378086);
  }
});

Deno.test("whatever state a guest has made, a device takes it back as it gave it", async () => {
  for (let seed = 11; seed <= 14; seed++) {
    await using pc = await testPc({ seed, drives: [CD] });
    const { machine, qtest } = pc;
    await machine.cont();
    const random = new SeededRandom(seed);
    nonsense(pc, random);
    await machine.stop();
    const timeNs = qtest.clock.nowNs();
    const saved = machine.devices.map((device) => ({ device, state: decodeState(encodeState(device.save())) }));
    nonsense(pc, random);
    await machine.stop();
    await machine.resetForLoad();
    qtest.clock.restore(timeNs);
    for (const { device, state } of saved) device.load(state as SavedDevice);
    for (const { device, state } of saved) {
      assertEquals(decodeState(encodeState(device.save())), state, `seed ${seed}: ${device.type.name} ${device.path}`);
    }
  }
});
