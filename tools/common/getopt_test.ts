import { assertEquals } from "@std/assert";
import { getopt } from "./getopt.ts";

const SPEC = {
  short: "hf:qU",
  long: {
    help: { is: "h", takesValue: false },
    output: { is: "output", takesValue: true },
    object: { is: "object", takesValue: true },
    "force-share": { is: "U", takesValue: false },
  },
};

/** `is=value` for short; what is wrong as `!kind word`. */
function parse(...args: string[]): string[] {
  const { options, operands } = getopt(args, SPEC);
  return [
    ...options.map((one) => one.kind === "option" ? `${one.is}=${one.value}` : `!${one.kind} ${one.word}`),
    ...operands,
  ];
}

Deno.test("options are read as getopt_long reads them", () => {
  assertEquals(parse("-f", "raw", "a", "-q", "b"), ["f=raw", "q=", "a", "b"]);
  assertEquals(parse("-qfraw", "-"), ["q=", "f=raw", "-"]);
  assertEquals(parse("--output=json", "--output", "x"), ["output=json", "output=x"]);
  assertEquals(parse("--out=json", "--force"), ["output=json", "U="]);
  assertEquals(parse("-q", "--", "-f", "a"), ["q=", "-f", "a"]);
  assertEquals(parse("a", "-x", "b"), ["!unknown -x", "a"]);
  assertEquals(parse("--o"), ["!unknown --o"]);
  assertEquals(parse("--help=1"), ["!unknown --help=1"]);
  assertEquals(parse("-f"), ["!missing -f"]);
  assertEquals(parse("--output"), ["!missing --output"]);
});
