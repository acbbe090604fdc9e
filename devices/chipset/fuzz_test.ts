/**
 * Nonsense from the guest: random accesses to all chips. Nothing throws, nothing takes long, and a snapshot of whatever
 * state came of it reads as the original does.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { SeededRandom } from "../../base/random.ts";
import { type Chips, chips } from "./testing.ts";

const PORTS: readonly (readonly [first: number, count: number])[] = [
  [0x00, 16],
  [0x20, 2],
  [0x40, 4],
  [0x60, 2],
  [0x64, 1],
  [0x70, 2],
  [0x80, 16],
  [0x92, 1],
  [0xa0, 2],
  [0xb2, 2],
  [0xc0, 32],
  [0xf0, 1],
  [0x3f0, 8],
  [0x4d0, 2],
  [0x510, 12],
  [0x600, 64],
  [0xae00, 0x18],
  [0xaf00, 0x20],
  [0xafe0, 4],
  [0xb100, 64],
];
const MEMORY: readonly (readonly [first: number, count: number])[] = [[0xfed0_0000, 0x400], [0xfec0_0000, 0x44]];
const SIZES = [1, 2, 4] as const;

function stir(machine: Chips, random: SeededRandom, accesses: number): void {
  for (let i = 0; i < accesses; i++) {
    const memory = random.below(5) === 0;
    const table = memory ? MEMORY : PORTS;
    const [first, count] = table[random.below(table.length)]!;
    const size = memory ? 4 : SIZES[random.below(3)]!;
    const address = first + random.below(count);
    const value = random.below(3) === 0 ? random.below(8) : random.uint32();
    const space = memory ? machine.memory : machine.ports;
    if (random.below(2) === 0) space.writeValue(address, size, value);
    else space.readValue(address, size);
    if (random.below(10) === 0) machine.clock.advance(random.below(20_000_000));
  }
}

for (const seed of [1, 2, 3, 4]) {
  Deno.test(`random accesses, seed ${seed}`, async () => {
    const machine = await chips({ startNs: 1.7e18 });
    machine.pm.writeConfig(0x40, 4, 0x601);
    machine.pm.writeConfig(0x80, 1, 1);
    stir(machine, new SeededRandom(seed), 8000);
    const other = await chips({ startNs: 1.7e18 });
    other.clock.restore(machine.clock.nowNs());
    const names = ["pic", "pic2", "pit", "rtc", "dma", "dma2", "keyboardController", "hpet", "ioapic"] as const;
    for (const name of [...names, "fwCfg", "pm", "eeprom"] as const) {
      other[name].load(machine[name].save());
      assertEquals(other[name].save(), machine[name].save(), name);
    }
  });
}
