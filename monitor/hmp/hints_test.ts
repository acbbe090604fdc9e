import { assertEquals } from "@std/assert";
import { Vm } from "../vm.ts";
import { allCommands } from "../commands/mod.ts";
import { ABSENT_COMMANDS } from "./absent.ts";
import { nearest, unknownWordHint } from "./hints.ts";

Deno.test("QMP's names lead to HMP's", () => {
  const registry = allCommands({ strict: false });
  assertEquals(unknownWordHint("query-block", registry), "query-block is a command of QMP; here it is: info block");
  assertEquals(
    unknownWordHint("query-chardev", registry),
    "query-chardev is a command of QMP; here it is: info chardev",
  );
  assertEquals(
    unknownWordHint("query-memdev", registry),
    "query-memdev is a command of QMP, which -qmp opens; the prompt has none for it",
  );
  assertEquals(unknownWordHint("snapshot-save", registry), "snapshot-save is a command of QMP; here it is: savevm");
  assertEquals(unknownWordHint("block-stream", registry), "block-stream is a command of QMP; here it is: block_stream");
});

Deno.test("a slip of the finger finds its word", () => {
  const registry = allCommands({ strict: false });
  assertEquals(unknownWordHint("comit", registry), "did you mean 'commit'?");
  assertEquals(unknownWordHint("info sta", registry), "did you mean 'info status'?");
  assertEquals(unknownWordHint("blockstats", registry), "did you mean 'info blockstats'?");
  assertEquals(unknownWordHint("xyzzy", registry), undefined);
  assertEquals(unknownWordHint("migrate", registry), "QEMU has 'migrate', moa does not have it yet");
  assertEquals(unknownWordHint("info  usb", registry), "QEMU has 'info usb', moa does not have it yet");
  assertEquals(nearest("a".repeat(1000), ["a"]), undefined);
});

Deno.test("what is said to be absent is absent", () => {
  const registry = allCommands({ strict: false });
  for (const name of ABSENT_COMMANDS) {
    const found = name.startsWith("info ") ? registry.find(name.slice("info ".length), "info") : registry.find(name);
    assertEquals(found, undefined, name);
  }
});

Deno.test("who is left with a machine that stands still is told what lets it go on; QEMU does not say", async () => {
  for (const strict of [false, true]) {
    await using vm = await Vm.start({ strict, nodefaults: true });
    const session = vm.hmp.session();
    const type = async (line: string) => {
      let said = "";
      const print = (text: string) => void (said += text);
      await session.execute(line, { print, host: print, hostError: print });
      return said;
    };
    await vm.cont();
    const [error, more] = (await type("loadvm missing")).split("\n");
    assertEquals(error?.startsWith("Error: "), true, error);
    assertEquals(more, strict ? "" : "The machine stands still now; 'cont' lets it go on.");
    // It was so before: nothing new to tell.
    assertEquals((await type("loadvm missing")).split("\n")[1], "");
  }
});
