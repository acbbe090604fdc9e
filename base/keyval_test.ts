import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { escapeValue, parseBool, parseInteger, parseOptionPairs, parseUnsigned, QemuOpts } from "./keyval.ts";
import { OptionError } from "./option_error.ts";

/** `a=b|c=d` for short. */
function cut(text: string, impliedKey?: string): string {
  return parseOptionPairs(text, impliedKey).pairs.map(({ name, value }) => `${name}=${value}`).join("|");
}

Deno.test("pairs are cut as QEMU's older options are", () => {
  assertEquals(cut("if=none,file=a,,b,format=raw"), "if=none|file=a,b|format=raw");
  assertEquals(cut("file=a,,"), "file=a,");
  assertEquals(cut("file=a,"), "file=a");
  assertEquals(cut(",file=a"), "=on|file=a");
  assertEquals(cut("a=1,=x"), "a=1|=x");
  assertEquals(cut("a,b"), "a=on|b=on");
  assertEquals(cut("foo,,bar"), "foo=on|=on|bar=on");
  assertEquals(cut("x=1,no"), "x=1|=off");
  assertEquals(cut("x=1,no=1"), "x=1|no=1");
  assertEquals(cut("x=1,nonofoo"), "x=1|nofoo=off");
  assertEquals(cut("a=1,a=2"), "a=1|a=2");
  assertEquals(cut(""), "");
  assertEquals(cut("", "driver"), "");
  assertEquals(cut("foo,,bar=1", "driver"), "driver=foo,bar=1");
  assertEquals(cut(",x=1", "driver"), "driver=|x=1");
  assertEquals(cut("a==b"), "a==b");
});

Deno.test("a bare switch brings the warning that QEMU prints, help does not", () => {
  assertEquals(parseOptionPairs("snapshot,noreadonly").warnings, [
    "short-form boolean option 'snapshot' deprecated\nPlease use snapshot=on instead",
    "short-form boolean option 'noreadonly' deprecated\nPlease use readonly=off instead",
  ]);
  const help = parseOptionPairs("ide-hd,help", "driver");
  assertEquals([help.helpWanted, help.warnings], [true, []]);
  assertEquals(parseOptionPairs("?", "driver").helpWanted, true);
  assertEquals(parseOptionPairs("help=on", "driver").helpWanted, false);
});

Deno.test("QemuOpts checks names and values by its table, in QEMU's words", () => {
  const table = { file: "string", readonly: "bool", index: "number", size: "size" } as const;
  const fails = (text: string) => assertThrows(() => QemuOpts.parse(text, { table }), OptionError).message;
  assertEquals(fails("x=1"), "Invalid parameter 'x'");
  assertEquals(fails("readonly=maybe"), "Parameter 'readonly' expects 'on' or 'off'");
  assertEquals(fails("readonly=ON"), "Parameter 'readonly' expects 'on' or 'off'");
  assertEquals(fails("index=x"), "Parameter 'index' expects a number");
  assertEquals(fails("index=1 "), "Parameter 'index' expects a number");
  assertEquals(fails("index=1,index=x"), "Parameter 'index' expects a number");
  assertEquals(
    fails("index=99999999999999999999"),
    "Value '99999999999999999999' is too large for parameter 'index'",
  );
  assertEquals(fails("size=foo"), "Parameter 'size' expects a non-negative number below 2^64");
  for (const id of ["", "1a", "a#b", "a,,b"]) assertEquals(fails(`id=${id}`), "Parameter 'id' expects an identifier");
  assertEquals(fails("constructor=1"), "Invalid parameter 'constructor'");

  const opts = QemuOpts.parse("file=a,readonly=yes,index= 010,size=1.5k,file=b,id=a.b_c-1,id=y", { table });
  assertEquals(opts.id, "a.b_c-1");
  assertEquals(opts.get("file"), "b");
  assertEquals(opts.getBool("readonly"), true);
  assertEquals(opts.getNumber("index"), 8);
  assertEquals(opts.getSize("size"), 1536);
  assertEquals(opts.take("file"), "b");
  assertEquals(opts.has("file"), false);
  opts.rename("readonly", "read-only");
  assertEquals(opts.toRecord(), { "read-only": "yes", index: " 010", size: "1.5k" });
  assertThrows(
    () => QemuOpts.parse("a=1,b=2").rename("a", "b"),
    OptionError,
    "'b' and its alias 'a' can't be used at the same time",
  );
});

Deno.test("numbers are read with base 0 and wrap as strtoull's do", () => {
  assertEquals(parseUnsigned("0x10", "n"), 16n);
  assertEquals(parseUnsigned("010", "n"), 8n);
  assertEquals(parseUnsigned("-1", "n"), (1n << 64n) - 1n);
  assertThrows(() => parseUnsigned("08", "n"), OptionError, "expects a number");
  assertEquals(parseInteger("-0x10", "n"), -16n);
  assertThrows(() => parseInteger("9223372036854775808", "n"), OptionError, "Parameter 'n' expects integer");
  assertThrows(() => parseInteger("1.5", "n"), OptionError);
  assertEquals(["on", "yes", "true", "y"].map((word) => parseBool(word, "b")), [true, true, true, true]);
});

Deno.test("any values come back from a string that was put together of them", () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9.-]{0,8}$/);
  fc.assert(fc.property(fc.array(fc.record({ name, value: fc.string() }, { noNullPrototype: true })), (pairs) => {
    const text = pairs.map((pair) => `${pair.name}=${escapeValue(pair.value)}`).join(",");
    assertEquals(parseOptionPairs(text).pairs, pairs);
  }));
});
