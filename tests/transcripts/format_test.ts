import { assertEquals } from "@std/assert";
import { mark, normalise, parseDialogue, printDialogue, unmark } from "./format.ts";
import { replay, type Starter, words } from "./replay.ts";

const HERE = new URL(".", import.meta.url);

Deno.test("every recording is read and printed back as it is", () => {
  for (const folder of ["hmp", "command_line"]) {
    for (const { name } of Deno.readDirSync(new URL(folder, HERE))) {
      const text = Deno.readTextFileSync(new URL(`${folder}/${name}`, HERE));
      assertEquals(printDialogue(parseDialogue(text)), text, name);
    }
  }
});

Deno.test("what differs from run to run is made equal", () => {
  const row = "1         s1              2.25 MiB 2026-11-21 01:21:12 00:00:01.250          0";
  assertEquals(
    normalise(row, "/x"),
    "1         s1                  SIZE YYYY-MM-DD hh:mm:ss hh:mm:ss.mmm          0",
  );
  assertEquals(normalise("a (#block123): /x/a (raw)", "/x"), "a (#blockNNN): $TMP/a (raw)");
  assertEquals(normalise("disk size: 196 KiB\n", "/x"), "disk size: SIZE\n");
  assertEquals(
    normalise("FlatView #1\n AS b\n\nFlatView #0\n AS a\n\n", "/x"),
    normalise("FlatView #0\n AS a\n\nFlatView #1\n AS b\n\n", "/x"),
  );
  assertEquals(mark("1> ", "a\n\x1b[K\n"), "1> a\n1> \\e[K\n");
  assertEquals(unmark("1> a\nb\n2> c\n"), "a\nb\nc\n");
});

Deno.test("words are split as a shell splits them", () => {
  assertEquals(words(`-a 'b c' d"e f"g ''`), ["-a", "b c", "de fg", ""]);
});

Deno.test("canary: a replay finds the one answer that differs", async () => {
  const dialogue = parseDialogue(
    "$ echo x > file\nargv: -m 16\n2> careful\n(qemu) a\nanswer a\n(qemu) b\n1> answer b\n",
  );
  const start = (wrong: boolean): Starter => async (argv, folder) => ({
    text: argv[1] === "16" && (await Deno.readTextFile(`${folder}/file`)) === "x\n" ? "careful\n" : "what?",
    machine: {
      monitor: async (line) => `answer ${wrong && line === "b" ? "c" : line}\n`,
      [Symbol.asyncDispose]: async () => {},
    },
  });
  assertEquals(await replay(dialogue, start(false)), []);
  assertEquals(await replay(dialogue, start(true)), [
    { argv: "-m 16", line: "b", expected: "answer b\n", actual: "answer c\n" },
  ]);
});
