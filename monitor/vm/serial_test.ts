import { assert, assertEquals, assertRejects } from "@std/assert";
import { Vm } from "../vm.ts";
import { TextLog } from "./text_log.ts";
import { WaitError } from "./waits.ts";

const COM1 = 0x3f8;

/** Plays a guest that sends `text`. */
async function print(vm: Vm, text: string): Promise<void> {
  for (const char of text) vm.qtest.out(COM1, char.charCodeAt(0));
  await vm.serial.chardev.flushed();
}

Deno.test("a dialogue over the serial port: waits go on where the last match ended", async () => {
  await using vm = await Vm.start();
  const { serial } = vm;
  const login = serial.waitFor(/(\w+) login: /);
  await print(vm, "boot\r\nguest log");
  await print(vm, "in: ");
  assertEquals(await login.then(({ text, groups, before }) => [text, groups, before]), [
    "guest login: ",
    ["guest"],
    "boot\r\n",
  ]);
  const sent = serial.send("root\n");
  let heard = "";
  while (heard.length < 5) {
    if ((vm.qtest.in(COM1 + 5) & 1) !== 0) heard += String.fromCharCode(vm.qtest.in(COM1));
    await Promise.resolve();
  }
  await sent;
  assertEquals(heard, "root\n");
  await print(vm, "root\r\n# ");
  await serial.waitFor("# ");
  assertEquals(serial.lines(2), ["guest login: root", "# "]);
  // The prompt was read: it is no new one.
  const again = serial.waitFor("# ", { timeoutMs: 20 });
  await assertRejects(() => again, WaitError, "serial port serial0: # : not within 20 ms (machine is running)");
});

Deno.test("a prompt is found by its letters, whatever else is in it for a terminal", async () => {
  await using vm = await Vm.start();
  await print(vm, "\x1b[1;32mroot@guest\x1b[0m:~# \x1b[6n");
  await vm.serial.waitFor(/root@guest:~# $/);
  assertEquals(vm.serial.text, "root@guest:~# ");
});

Deno.test("a deadline may count the guest's time, and a missed one shows the last lines", async () => {
  await using vm = await Vm.start();
  await print(vm, "one\r\ntwo\r\npanic: no root");
  const wait = vm.serial.waitFor(/login/, { guestTimeoutMs: 5 });
  const failed = assertRejects(() => wait, WaitError, "/login/: not within 5 ms of the guest's time");
  vm.qtest.clock.advance(6e6);
  await failed;
  const error = await wait.catch((error: Error) => error);
  assert(error instanceof WaitError);
  assert(error.message.includes("the last lines on serial0:\n  one\n  two\n  panic: no root\n"), error.message);
});

Deno.test("nobody is kept waiting for a machine that has switched itself off, or was ended", async () => {
  await using vm = await Vm.start();
  await vm.cont();
  const words = "/login/: nothing more comes (machine is shutdown)";
  const heard = vm.serial.waitFor("last words");
  const gone = assertRejects(() => vm.serial.waitFor(/login/), WaitError, words);
  // PIIX4's PM registers at 600h, then sleeping state S5.
  const config = (register: number, value: number) => {
    vm.qtest.out(0xcf8, 0x8000_0b00 + register, 4);
    vm.qtest.out(0xcfc, value, 4);
  };
  config(0x40, 0x601);
  config(0x80, 1);
  vm.qtest.out(0x604, 0x2000, 2);
  await print(vm, "last words");
  await heard;
  await gone;
  // Who comes late is told, too.
  await assertRejects(() => vm.screen.waitFor("login"), WaitError, "nothing more comes");
  const ended = assertRejects(() => vm.serial.waitFor("x", { guestTimeoutMs: 1e9 }), WaitError, "nothing more comes");
  await vm.quit();
  await ended;
});

Deno.test("ports by their options; one that is not the script's is none", async () => {
  const file = await Deno.makeTempFile();
  try {
    {
      await using vm = await Vm.start({ nodefaults: true, serial: ["none", `file:${file}`, "script"] });
      assertEquals(vm.qtest.in(COM1 + 7), 0xff);
      vm.qtest.out(0x2f8, 0x41);
      vm.qtest.out(0x3e8, 0x42);
      await vm.serial.waitFor("B");
      assertEquals([vm.serials[0], vm.serials[1], vm.serial.chardev.label], [undefined, undefined, "serial2"]);
    }
    assertEquals(await Deno.readTextFile(file), "A");
  } finally {
    await Deno.remove(file);
  }
  await using vm = await Vm.start({ nodefaults: true });
  await assertRejects(async () => await vm.serial.waitFor("x"), TypeError, "no serial port is the script's");
});

Deno.test("patterns are found across pieces, once, and old text goes", () => {
  const log = new TextLog(100);
  const found: string[] = [];
  log.next(/a+b/g, ({ text }) => void found.push(text));
  log.next("a", ({ text, before }) => void found.push(`${text} after ${before}`));
  for (const char of "xaaab-a") log.append(char);
  assertEquals(found, ["aaab", "a after -"]);
  const stop = log.next("never", () => found.push("never"));
  stop();
  log.append(`never${"z".repeat(1000)}`);
  assertEquals([found.length, log.text.length <= 200], [2, true]);
});
