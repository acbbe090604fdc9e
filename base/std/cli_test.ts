import { assertEquals } from "@std/assert";
import { parseArgs } from "@std/cli";

Deno.test("parseArgs reads long, short, joined and negated options", () => {
  assertEquals(
    parseArgs(["--size", "5", "-v", "file", "--name=a=b", "--no-color", "-xy", "7", "--", "-z"], {
      boolean: ["v", "color"],
      string: ["name"],
      default: { color: true, extra: "x" },
    }),
    { _: ["file", "-z"], v: true, color: false, extra: "x", size: 5, name: "a=b", x: true, y: 7 },
  );
});

Deno.test("parseArgs keeps what stopEarly and -- keep", () => {
  assertEquals(parseArgs(["-q", "run", "-q"], { boolean: ["quiet"], alias: { q: "quiet" }, stopEarly: true }), {
    _: ["run", "-q"],
    quiet: true,
    q: true,
  });
  assertEquals(parseArgs(["a", "--", "b"], { "--": true }), { _: ["a"], "--": ["b"] });
  assertEquals(parseArgs(["--n", "5"], { string: ["n"] }), { _: [], n: "5" });
});
