import { assertEquals, assertThrows } from "@std/assert";
import { HmpSyntaxError, parseExpression } from "./expression.ts";

function value(text: string): bigint {
  return parseExpression({ text, at: 0 }, (name) => name === "eip" ? 0xfff0n : undefined);
}

Deno.test("values as QEMU 7.2 prints them", () => {
  const rows: [string, bigint][] = [
    ["1+2*3", 7n],
    ["(1+2)*3", 9n],
    ["10-2-3", 5n],
    ["7&3|8^1", 10n],
    ["3-1|4", -2n],
    ["1&2*3", 0n],
    ["2*3&2", 2n],
    ["4+1&1", 5n],
    ["-1/2", 0n],
    ["-1%4", -1n],
    ["--5", 5n],
    ["~5", -6n],
    ["'A'", 65n],
    ["0377", 255n],
    ["$eip", 0xfff0n],
    ["18446744073709551615", -1n],
    ["-9223372036854775808/-1", -9223372036854775808n],
  ];
  for (const [text, expected] of rows) assertEquals(value(text), expected, text);
});

Deno.test("a number stops where C's does", () => {
  for (const [text, rest] of [["08", "8"], ["0x", "x"], ["1f7", "f7"], ["0b11", "b11"]] as const) {
    const cursor = { text, at: 0 };
    parseExpression(cursor);
    assertEquals(text.slice(cursor.at), rest);
  }
});

Deno.test("what is wrong with an expression, in QEMU's words", () => {
  const rows: [string, string][] = [
    ["", "unexpected end of expression"],
    ["(", "unexpected end of expression"],
    ["5+", "unexpected end of expression"],
    ["(5", "')' expected"],
    ["foo", "invalid char 'f' in expression"],
    ["()", "invalid char ')' in expression"],
    ["5/0", "division by zero"],
    ["5%0", "division by zero"],
    ["'", "character constant expected"],
    ["''", "missing terminating ' character"],
    ["$foo", "unknown register"],
    ["18446744073709551616", "number too large"],
  ];
  for (const [text, message] of rows) assertThrows(() => value(text), HmpSyntaxError, message);
});

Deno.test("brackets without end do not use up the stack", () => {
  assertThrows(() => value("(".repeat(100_000)), HmpSyntaxError, "nested");
  assertThrows(() => value("-".repeat(100_000)), HmpSyntaxError, "nested");
});
