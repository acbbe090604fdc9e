import { assertEquals } from "@std/assert";
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
