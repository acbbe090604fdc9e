import { assertEquals, assertThrows } from "@std/assert";
import { inflateSync } from "node:zlib";
import { ManualClock } from "../../base/clocks.ts";
import { testPc } from "../testing.ts";
import { encodePng, encodePpm } from "./image_files.ts";
import { Keyboard, keyOfNumber, keysOfText, parseKeys } from "./keyboard.ts";
import { findCard, ScreenError } from "./screen.ts";

const SMALL = { width: 2, height: 2, pixels: Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) };

Deno.test("a picture as PPM and as PNG", () => {
  assertEquals(encodePpm(SMALL), Uint8Array.from([...new TextEncoder().encode("P6\n2 2\n255\n"), ...SMALL.pixels]));
  const png = encodePng(SMALL);
  const view = new DataView(png.buffer);
  assertEquals([view.getUint32(0), view.getUint32(16), view.getUint32(20), png[24], png[25]], [0x89504e47, 2, 2, 8, 2]);
  // IDAT begins behind the signature and IHDR's 25 bytes.
  const length = view.getUint32(33);
  const lines = inflateSync(png.subarray(41, 41 + length));
  assertEquals([...lines], [0, 1, 2, 3, 4, 5, 6, 0, 7, 8, 9, 10, 11, 12]);
  // The check sum of an empty IEND is known.
  assertEquals(png.subarray(-12), Uint8Array.from([0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82]));
});

Deno.test("names of keys, numbers, and characters", () => {
  assertEquals(parseKeys("ctrl-alt-f1"), { keys: ["ctrl", "alt", "f1"] });
  assertEquals(parseKeys("<"), { keys: ["less"] });
  assertEquals(parseKeys("0x1e-audiomute"), { keys: ["a", "audiomute"] });
  assertEquals([parseKeys("a-"), parseKeys("foo"), parseKeys("f13")], [
    { wrong: "" },
    { wrong: "foo" },
    { wrong: "f13" },
  ]);
  assertEquals(parseKeys("0x1ff"), { keys: ["unmapped"] });
  assertEquals([keyOfNumber(0x1c), keyOfNumber(0x9c), keyOfNumber(0xd3), keyOfNumber(0x70000)], [
    "ret",
    "kp_enter",
    "delete",
    undefined,
  ]);
  assertEquals(keysOfText("aB-_\n~1!"), [
    ["a"],
    ["shift", "b"],
    ["minus"],
    ["shift", "minus"],
    ["ret"],
    ["shift", "grave_accent"],
    ["1"],
    ["shift", "1"],
  ]);
  assertThrows(() => keysOfText("ä"), RangeError, 'no key of a US keyboard types "ä"');
});

/** What a guest reads that looks at the controller every millisecond. */
async function readKeys(work: (keyboard: Keyboard) => void, times: number[] = []): Promise<number[]> {
  await using pc = await testPc();
  const { qtest, machine } = pc;
  await machine.cont();
  work(machine.keyboard);
  const codes: number[] = [];
  for (let ms = 0; ms < 4000; ms++) {
    while ((qtest.in(0x64) & 1) !== 0) {
      codes.push(qtest.in(0x60));
      times.push(ms);
    }
    qtest.clock.advance(1e6);
  }
  return codes;
}

Deno.test("keys are held together and let go in reverse, in the guest's time", async () => {
  const ctrlA = [0x14, 0x1c, 0xf0, 0x1c, 0xf0, 0x14];
  const times: number[] = [];
  const codes = await readKeys((keyboard) => {
    void keyboard.stroke({ keys: ["ctrl", "a"], holdNs: 1e8 });
    void keyboard.stroke({ keys: ["b"], holdNs: 1e8 });
  }, times);
  assertEquals(codes, [...ctrlA, 0x32, 0xf0, 0x32]);
  // After each key is waited, as in QEMU.
  assertEquals(times, [0, 100, 200, 200, 300, 300, 400, 500, 500]);
});

Deno.test("movements and buttons of the mouse are one report each", async () => {
  await using pc = await testPc();
  const { qtest, machine } = pc;
  await machine.cont();
  const read = () => {
    const bytes: number[] = [];
    while ((qtest.in(0x64) & 1) !== 0) bytes.push(qtest.in(0x60));
    return bytes;
  };
  const send = (...bytes: number[]) => {
    for (const byte of bytes) {
      qtest.out(0x64, 0xd4);
      qtest.out(0x60, byte);
      read();
    }
  };
  qtest.out(0x64, 0xa8);
  send(0xf4);
  // Recorded from qemu-system-x86_64 7.2.
  machine.pointer.change({ dx: 5, dy: 3 });
  assertEquals(read(), [0x28, 5, 0xfd]);
  machine.pointer.change({ dx: 300, dy: 0 });
  assertEquals(read(), [8, 0x7f, 0, 8, 0x7f, 0, 8, 0x2e, 0]);
  machine.pointer.change({ buttons: 4 });
  assertEquals(read(), [0x0c, 0, 0]);
  send(0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf2);
  machine.pointer.change({ wheel: -1, buttons: 0 });
  assertEquals(read(), [8, 0, 0, 0xff]);
  machine.pointer.change({ dx: 1e9, dy: -1e9 });
  assertEquals(read().slice(0, 4), [8, 0x7f, 0x7f, 0]);
});

Deno.test("a long text loses nothing, though the keyboard holds sixteen bytes only", async () => {
  const text = "the quick brown fox jumps over the lazy dog".repeat(2);
  const codes = await readKeys((keyboard) => {
    for (const keys of keysOfText(text)) void keyboard.stroke({ keys, holdNs: 1e6 });
  });
  assertEquals(codes.length, 3 * text.length);
  assertEquals(codes.filter((_, i) => i % 3 === 1), Array(text.length).fill(0xf0));
});

Deno.test("without a card there is no screen; without a controller keys go nowhere", async () => {
  await using pc = await testPc();
  assertThrows(() => findCard(pc.machine), ScreenError, "There is no console to take a screendump from");
  const clock = new ManualClock();
  const keyboard = new Keyboard(clock, () => undefined);
  let done = false;
  const stroke = keyboard.stroke({ keys: ["a"], holdNs: 1e6 }).then(() => done = true);
  clock.advance(1e9);
  await stroke;
  assertEquals(done, true);
});
