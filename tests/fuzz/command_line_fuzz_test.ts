import { assertEquals, assertMatch } from "@std/assert";
import { fuzzCommandLines } from "./command_line_fuzz.ts";

Deno.test("fuzzing: command lines are understood or refused", async () => {
  assertEquals(await fuzzCommandLines({ runs: 3000 }), []);
});

Deno.test("fuzzing sees a command line that breaks its reader", async () => {
  const read = (args: readonly string[]) => void args.map((word) => decodeURIComponent(word.replaceAll("=", "%")));
  assertMatch((await fuzzCommandLines({ runs: 50, read }))[0]?.problem ?? "", /URIError/);
});
