import { assert, assertEquals, assertRejects } from "@std/assert";
import { MonitorError } from "../errors.ts";
import { Vm } from "../vm.ts";
import { WaitError } from "./waits.ts";

/** Sets the 80 by 25 text mode as far as its characters need it. */
function textMode(vm: Vm): void {
  const out = (port: number, ...values: number[]) => values.forEach((value) => vm.qtest.out(port, value));
  out(0x3c2, 0x67);
  const set = (port: number, registers: Record<number, number>) => {
    for (const [index, value] of Object.entries(registers)) {
      out(port, Number(index));
      out(port + 1, value);
    }
  };
  set(0x3c4, { 2: 3, 4: 2 });
  set(0x3ce, { 5: 0x10, 6: 0x0e });
  set(0x3d4, { 1: 79, 7: 0x1f, 9: 0x4f, 0x12: 0x8f, 0x13: 40, 0x18: 0xff });
  out(0x3c0, 0x20);
}

function show(vm: Vm, row: number, text: string): void {
  [...text].forEach((char, i) => vm.qtest.writeValue(0xb8000 + 160 * row + 2 * i, char.charCodeAt(0), 1));
}

Deno.test("the screen as text, and waiting for it", async () => {
  await using vm = await Vm.start();
  assertEquals(vm.screen.text(), "");
  textMode(vm);
  show(vm, 0, "SeaBIOS");
  show(vm, 2, "Booting");
  assertEquals(vm.screen.text(), "SeaBIOS\n\nBooting");
  const seen = vm.screen.waitFor(/Booting from (.*)\.\.\./);
  show(vm, 2, "Booting from Hard Disk...");
  assertEquals((await seen).groups, ["Hard Disk"]);
  // The cursor behind a prompt, on row 4: the blank before it belongs to the prompt.
  show(vm, 4, "# ");
  for (
    const [register, value] of [[0x0a, 0x0d], [0x0b, 0x0e], [0x0e, (4 * 80 + 2) >> 8], [0x0f, (4 * 80 + 2) & 0xff]]
  ) {
    vm.qtest.out(0x3d4, register! | (value! << 8), 2);
  }
  await vm.screen.waitFor(/^# $/m);
  assertEquals(vm.screen.text(), "SeaBIOS\n\nBooting from Hard Disk...\n\n# ");
  show(vm, 4, "  ");
  const missed = vm.screen.waitFor("login", { timeoutMs: 30 });
  await assertRejects(() => missed, WaitError, "screen: login: not within 30 ms");
  const error = await missed.catch((error: Error) => error);
  assert(error instanceof WaitError);
  assert(error.message.includes("the screen:\n  SeaBIOS\n  \n  Booting from Hard Disk...\n"), error.message);
});

Deno.test("screendump and sendkey, at the prompt, by the protocol, from a script", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using vm = await Vm.start();
    textMode(vm);
    assertEquals(await vm.monitor(`screendump ${folder}/a.ppm`), "");
    const ppm = await Deno.readFile(`${folder}/a.ppm`);
    assertEquals(new TextDecoder().decode(ppm.subarray(0, 15)), "P6\n720 400\n255\n");
    await vm.qmp("screendump", { filename: `${folder}/b.png`, format: "png" });
    await vm.screen.dump(`${folder}/c.png`);
    assertEquals(await Deno.readFile(`${folder}/b.png`), await Deno.readFile(`${folder}/c.png`));
    // Texts of qemu-system-x86_64 7.2.
    const answers = [
      ["screendump", 'screendump: filename expected\nTry "help screendump" for more information\n'],
      ["screendump /nonexistent/x", "Error: failed to open file '/nonexistent/x': No such file or directory\n"],
      [`screendump ${folder}/x -f gif`, "Error: invalid parameter value: gif\n"],
      [`screendump ${folder}/x nodev`, "Error: Device 'nodev' not found\n"],
      ["sendkey", 'sendkey: string expected\nTry "help sendkey" for more information\n'],
      ["sendkey foo", "invalid parameter: foo\n"],
      ["sendkey a-", "invalid parameter: \n"],
      ["sendkey ctrl-alt-f1", ""],
    ] as const;
    for (const [line, answer] of answers) assertEquals(await vm.monitor(line), answer);
    vm.qtest.clock.advance(1e9);
    await assertRejects(() => vm.sendKeys("nokey"), MonitorError, "invalid parameter: nokey");
    const read = () => {
      const codes: number[] = [];
      for (let ms = 0; ms < 300; ms++) {
        while ((vm.qtest.in(0x64) & 1) !== 0) codes.push(vm.qtest.in(0x60));
        vm.qtest.clock.advance(1e6);
      }
      return codes;
    };
    read();
    const typed = vm.type("a\n");
    assertEquals(read(), [0x1c, 0xf0, 0x1c, 0x5a, 0xf0, 0x5a]);
    await typed;
    await vm.qmp("send-key", { keys: [{ type: "qcode", data: "ret" }], "hold-time": 1 });
    assertEquals(read(), [0x5a, 0xf0, 0x5a]);
    const a = { type: "qcode", data: "a" } as const;
    await vm.qmp("input-send-event", { events: [{ type: "key", data: { key: a, down: true } }] });
    assertEquals(read(), [0x1c]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a machine without a card has no screen", async () => {
  await using vm = await Vm.start({ vga: "none" });
  assertEquals(await vm.monitor("screendump x"), "Error: There is no console to take a screendump from\n");
  await assertRejects(() => vm.screen.waitFor("x"), Error, "There is no console");
});
