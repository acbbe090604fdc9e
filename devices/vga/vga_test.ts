import { assert, assertEquals } from "@std/assert";
import { SeededRandom } from "../../base/random.ts";
import { picture, textScreen } from "./picture.ts";
import { BYTES_MODE, play, TEXT_MODE, vgaMachine } from "./testing.ts";

Deno.test("the characters of a text screen, and its cursor", async () => {
  const machine = await vgaMachine();
  assertEquals(textScreen(machine.vga), undefined);
  assertEquals([picture(machine.vga).width, picture(machine.vga).height], [640, 480]);
  play(machine, TEXT_MODE);
  const text = "Hello, \x80\xc4\xdb!";
  [...text].forEach((char, i) => machine.memory.writeValue(0xb8000 + 160 + 2 * i, 1, char.charCodeAt(0)));
  for (const [index, value] of [[0x0e, 0], [0x0f, 83]] as const) {
    machine.out(0x3d4, index);
    machine.out(0x3d5, value);
  }
  const screen = textScreen(machine.vga);
  assertEquals([screen?.columns, screen?.rows, screen?.lines[1]], [80, 25, "Hello, Ç─█!"]);
  assertEquals(screen?.cursor, { column: 3, row: 1 });
  play(machine, BYTES_MODE);
  assertEquals(textScreen(machine.vga), undefined);
});

Deno.test("BAR 0 is the memory that the window shows, BAR 2 holds EDID and the registers again", async () => {
  const machine = await vgaMachine();
  const { vga } = machine;
  vga.writeConfig(0x10, 4, 0xfd000000);
  vga.writeConfig(0x18, 4, 0xfebf0000);
  vga.writeConfig(4, 2, 2);
  play(machine, BYTES_MODE);
  machine.memory.writeValue(0xfd000123, 1, 0x5a);
  assertEquals(machine.memory.readValue(0xa0123, 1), 0x5a);
  machine.memory.writeValue(0xa0005, 2, 0x1234);
  assertEquals(machine.memory.readValue(0xfd000005, 2), 0x1234);
  const edid = Array.from({ length: 128 }, (_, i) => machine.memory.readValue(0xfebf0000 + i, 1));
  assertEquals([edid.slice(0, 8), edid.reduce((sum, byte) => sum + byte) & 0xff], [
    [0, 255, 255, 255, 255, 255, 255, 0],
    0,
  ]);
  assertEquals([edid[56]! | (edid[58]! >> 4) << 8, edid[59]! | (edid[61]! >> 4) << 8], [1280, 800]);
  assertEquals(machine.memory.readValue(0xfebf040c, 1), machine.in(0x3cc));
  assertEquals(machine.memory.readValue(0xfebf0500, 2), 0xb0c5);
  // A CPU may fetch a word byte by byte: drivers look for the interface by this one.
  assertEquals([0, 1].map((half) => machine.memory.readValue(0xfebf0500 + half, 1)), [0xc5, 0xb0]);
});

Deno.test("a snapshot keeps the screen", async () => {
  const machine = await vgaMachine();
  play(machine, TEXT_MODE);
  for (let i = 0; i < 4000; i++) machine.memory.writeValue(0xb8000 + i, 1, i * 3);
  const saved = structuredClone(machine.vga.save());
  const other = await vgaMachine();
  other.vga.load(saved);
  assertEquals(other.vga.save(), saved);
  assertEquals(picture(other.vga), picture(machine.vga));
  const held = machine.vga.memory.slice();
  await machine.vga.reset();
  assertEquals(machine.vga.memory, held); // a reset of QEMU's card leaves its memory alone, too
  assertEquals([machine.in(0x3cc), textScreen(machine.vga)], [0, undefined]);
});

for (const seed of [1, 2, 3]) {
  Deno.test(`random accesses, seed ${seed}`, async () => {
    const machine = await vgaMachine();
    const random = new SeededRandom(seed);
    const sizes = [1, 2, 4] as const;
    for (let i = 0; i < 20_000; i++) {
      const size = sizes[random.below(3)]!;
      const value = random.below(3) === 0 ? random.below(256) : random.uint32();
      switch (random.below(8)) {
        case 0:
          machine.memory.writeValue(0xa0000 + random.below(0x20000), size, value);
          break;
        case 1:
          machine.memory.readValue(0xa0000 + random.below(0x20000), size);
          break;
        case 2:
          machine.out(0x1ce, random.below(12), 2);
          machine.out(0x1cf, value & 0xffff, 2);
          break;
        case 3:
          machine.in(0x3b0 + random.below(48), size);
          break;
        default:
          machine.out(0x3b0 + random.below(48), value, size);
      }
      if (i % 1000 === 0) {
        const { width, height, pixels } = picture(machine.vga);
        assertEquals(pixels.length, 3 * width * height);
        assert(pixels.length <= 3 * 2 ** 26);
        textScreen(machine.vga);
      }
    }
    const other = await vgaMachine();
    other.vga.load(structuredClone(machine.vga.save()));
    assertEquals(other.vga.save(), machine.vga.save());
  });
}
