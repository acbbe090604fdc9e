import { assertEquals } from "@std/assert";
import { type Chips, chips } from "./testing.ts";
import { isKeyName, scanCodes, translated } from "./scancodes.ts";

function bytes(machine: Chips): string {
  const found: string[] = [];
  while ((machine.in(0x64) & 1) !== 0) found.push(machine.in(0x60).toString(16));
  return found.join(" ");
}

Deno.test("keys come as set 2, and as set 1 when translated", async () => {
  const machine = await chips();
  const { keyboard } = machine.keyboardController;
  keyboard.key("a", true);
  keyboard.key("a", false);
  keyboard.key("up", true);
  keyboard.key("up", false);
  assertEquals(machine.irqLevels[1], 1);
  assertEquals(bytes(machine), "1c f0 1c e0 75 e0 f0 75");
  assertEquals(machine.irqLevels[1], 0);
  machine.out(0x64, 0x60);
  machine.out(0x60, 0x43);
  keyboard.key("a", true);
  keyboard.key("a", false);
  keyboard.key("up", true);
  keyboard.key("up", false);
  assertEquals(bytes(machine), "1e 9e e0 48 e0 c8");
});

Deno.test("the translation has the set 1 codes of a PC's keys", () => {
  const set1 = { esc: 0x01, ret: 0x1c, spc: 0x39, f1: 0x3b, f7: 0x41, f12: 0x58, z: 0x2c, kp_5: 0x4c, shift: 0x2a };
  for (const [key, code] of Object.entries(set1)) {
    if (!isKeyName(key)) throw new Error(key);
    assertEquals(translated(scanCodes(key, true).at(-1)!), code, key);
  }
});

// As QEMU 7.2's keyboard sends them, translated.
for (
  const [keys, codes] of [
    [["print"], "e0 2a e0 37 e0 b7 e0 aa"],
    [["ctrl", "print"], "1d e0 37 e0 b7 9d"],
    [["shift", "print"], "2a e0 37 e0 b7 aa"],
    [["alt", "print"], "38 b8 38 54 d4 b8 38 b8"],
    [["pause"], "e1 1d 45 e1 9d c5"],
    [["ctrl", "pause"], "1d e0 46 e0 c6 9d"],
  ] as const
) {
  Deno.test(`${keys.join("-")} sends what the first keyboards sent for it`, async () => {
    const machine = await chips();
    machine.out(0x64, 0x60);
    machine.out(0x60, 0x43);
    const { keyboard } = machine.keyboardController;
    const seen: string[] = [];
    // The buffer holds sixteen bytes: each key is taken at once.
    for (const key of keys) {
      keyboard.key(key, true);
      seen.push(bytes(machine));
    }
    for (const key of keys.toReversed()) {
      keyboard.key(key, false);
      seen.push(bytes(machine));
    }
    assertEquals(seen.filter((part) => part !== "").join(" "), codes);
  });
}

Deno.test("a disabled keyboard's bytes wait", async () => {
  const machine = await chips();
  machine.out(0x64, 0xad);
  machine.keyboardController.keyboard.key("b", true);
  assertEquals(machine.in(0x64) & 1, 0);
  machine.out(0x64, 0xae);
  assertEquals(bytes(machine), "32");
});

Deno.test("the mouse reports movements on interrupt 12 once it is enabled", async () => {
  const machine = await chips();
  const { mouse } = machine.keyboardController;
  mouse.move({ dx: 5 });
  assertEquals(bytes(machine), "");
  machine.out(0x64, 0xd4);
  machine.out(0x60, 0xf4);
  assertEquals(machine.irqLevels[12], 1);
  assertEquals(bytes(machine), "fa");
  mouse.move({ dx: 5, dy: -3, buttons: 1 });
  assertEquals(machine.in(0x64) & 0x21, 0x21);
  assertEquals(bytes(machine), "29 5 fd");
  mouse.move({ dx: 300, buttons: 0 });
  assertEquals(bytes(machine), "8 7f 0 8 7f 0 8 2e 0");
});

Deno.test("the reset commands ask for a reset, port 92 as well", async () => {
  const machine = await chips();
  machine.out(0x64, 0xfe);
  machine.out(0x64, 0xff);
  assertEquals(machine.resets.count, 1);
  machine.out(0x92, 1);
  machine.out(0x92, 1);
  assertEquals(machine.resets.count, 2);
});

Deno.test("bytes in the buffers are part of a snapshot", async () => {
  const machine = await chips();
  const { keyboardController: controller } = machine;
  controller.keyboard.key("x", true);
  controller.keyboard.key("y", true);
  const other = await chips();
  other.keyboardController.load(controller.save());
  other.keyboardController.keyboard.load(controller.keyboard.save());
  assertEquals(bytes(other), "22 35");
});
