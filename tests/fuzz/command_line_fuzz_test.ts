import { assertEquals, assertMatch } from "@std/assert";
import { fuzzCommandLines } from "./command_line_fuzz.ts";

Deno.test("fuzzing: command lines are understood or refused", () => {
  assertEquals(fuzzCommandLines({ runs: 3000 }), []);
});

Deno.test("fuzzing sees a command line that breaks its reader", () => {
  const read = (args: readonly string[]) => void args.map((word) => decodeURIComponent(word.replaceAll("=", "%")));
  assertMatch(fuzzCommandLines({ runs: 50, read })[0]?.problem ?? "", /URIError/);
});
