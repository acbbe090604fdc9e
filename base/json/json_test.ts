import { assertEquals, assertThrows } from "@std/assert";
import { JsonStream, parseJson } from "./stream.ts";
import { JsonDouble, JsonError, type JsonValue } from "./value.ts";
import { formatDouble, JsonWriter } from "./writer.ts";

const QUERY = `{"execute":"q"}`;
const VALUE = "<value>";

/** What a stream hands out for bytes (one character each), in pieces of `size`. */
function messages(bytes: string, size: number): string[] {
  const found: string[] = [];
  const stream = new JsonStream((message) => {
    found.push("error" in message ? message.error.replace("JSON parse error, ", "") : VALUE);
  });
  const all = Uint8Array.from(`${bytes}\n`, (char) => char.charCodeAt(0));
  for (let at = 0; at < all.length; at += size) stream.push(all.slice(at, at + size));
  return found;
}

// Recorded from qemu-storage-daemon 7.2: the bytes sent, a newline behind them, and what came back.
const RECORDED: readonly [sent: string, ...got: string[]][] = [
  ['"abc\n', "stray '\"abc\n'"],
  [`"abc\x01def ${QUERY}`, "stray '\"abc\x01'", VALUE],
  [`"abc\x01def" ${QUERY}`, "stray '\"abc\x01'", VALUE],
  [`{"execute":"a\x01b"} ${QUERY}`, "stray '\"a\x01'", "expecting value", VALUE],
  [`\xff${QUERY}`, "stray '\ufffd'", VALUE],
  [`\x0b${QUERY}`, "stray '\x0b'", VALUE],
  [`\r\t ${QUERY}`, VALUE],
  ['{"execute":"\xff"}', "stray '\"\ufffd'", "expecting value"],
  ['{"execute":"\x80"}', "invalid UTF-8 sequence in string"],
  ['{"execute":"\xef\xbf\xbe"}', "invalid UTF-8 sequence in string"],
  ['{"execute":"\\x"}', "invalid escape sequence in string"],
  ['{"execute":"\\u12"}', '\\u12" is not a valid Unicode character'],
  ["{'execute':'\\u12'}", "\\u12' is not a valid Unicode character"],
  ['{"execute":"\\ud800"}', "\\ud800 is not a valid Unicode character"],
  ['{"execute":"\\ud800\\u0041"}', "\\ud800 is not a valid Unicode character"],
  ['{"execute":"\\uDBFF\\uDFFF"}', "\\uDBFF\\uDFFF is not a valid Unicode character"],
  ['{"execute":"\\u123g"}', "\\u123g is not a valid Unicode character"],
  ['{"execute":"\\ufdd0"}', "\\ufdd0 is not a valid Unicode character"],
  ["%", "stray '%'"],
  ['{"execute":%s}', "stray '%'", "expecting value"],
  ["-", "stray '-\n'"],
  ["-a", "stray '-a'"],
  ["--1", "stray '--'"],
  ["01", "stray '01'"],
  [`01"${QUERY}`, "stray '01'", VALUE],
  ["1.", "stray '1.\n'"],
  ["1e", "stray '1e\n'"],
  ["1e5", VALUE],
  ["+1", "stray '+'"],
  ['{"a":.5}', "stray '.'", "expecting value"],
  ["truex", "invalid keyword 'truex'"],
  ['{"execute":tru}', "invalid keyword 'tru'"],
  [`nul ${QUERY}`, "invalid keyword 'nul'", VALUE],
  ["Null", "stray 'N'"],
  ["abc def", "invalid keyword 'abc'", "invalid keyword 'def'"],
  ["a1b", "invalid keyword 'a'", VALUE, "invalid keyword 'b'"],
  ['{"a":1 2}', "expected separator in dict"],
  ['{"a":1]}', "expected separator in dict", "expecting value"],
  ["[1 2]", "expected separator in list"],
  ["[1}]", "expected separator in list", "expecting value"],
  ["{,}", "expecting value"],
  ["[1,]", "expecting value"],
  ["{1:2}", "key is not a string in object"],
  ['{"a"}', "missing : in object pair"],
  ['{"a":1,}', "expecting value"],
  ["]", "expecting value"],
  ["[{]}", "expecting value"],
  ['{"id":1,"id":2}', "duplicate key"],
  ["(a)", "stray '('"],
  ['"a\tb"', "stray '\"a\t'"],
  ['"a" "b"', VALUE, VALUE],
  ["1-1", VALUE, VALUE],
  [`${QUERY} # comment`, VALUE, "stray '#'"],
  ["\0", "stray ''"],
  ["[".repeat(1025), "JSON nesting depth limit exceeded"],
];

Deno.test("streams are taken, and refused, as QEMU takes and refuses them; pieces may be of any size", () => {
  for (const [sent, ...got] of RECORDED) {
    for (const size of [1, 3, 4096]) assertEquals(messages(sent, size), got, JSON.stringify(sent));
  }
});

Deno.test("integers of 64 bits are exact, and a double is not an integer", () => {
  const cases: [string, JsonValue][] = [
    ["9007199254740992", 9007199254740992n],
    ["-9223372036854775808", -9223372036854775808n],
    ["18446744073709551615", 18446744073709551615n],
    ["18446744073709551616", new JsonDouble(18446744073709551616)],
    ["-0", 0],
    ["1.0", new JsonDouble(1)],
  ];
  for (const [text, value] of cases) assertEquals(parseJson(text), value, text);
});

Deno.test("a text is one value", () => {
  for (const text of ["", "1 2", "[1", '"a']) assertThrows(() => parseJson(text), JsonError);
  assertThrows(() => parseJson("[1"), JsonError, "JSON parse error, premature EOI");
});

Deno.test("doubles print as QEMU prints them", () => {
  // Recorded as ids of commands.
  const recorded: [number, string][] = [
    [0.1, "0.10000000000000001"],
    [1e300, "1.0000000000000001e+300"],
    [1e-7, "9.9999999999999995e-08"],
    [100000, "100000"],
    [1e16, "10000000000000000"],
    [1e17, "1e+17"],
    [-0, "-0"],
    [5e-324, "4.9406564584124654e-324"],
    [-9223372036854775809, "-9.2233720368547758e+18"],
    [0.30000000000000004, "0.30000000000000004"],
  ];
  for (const [value, text] of recorded) assertEquals(formatDouble(value), text);
});

Deno.test("objects print in the order of QEMU's hash table, in ASCII", () => {
  const writer = new JsonWriter();
  const greeting = { qemu: { major: 7, minor: 2, micro: 22 }, package: 'é😀/\x7f"\\\n' };
  assertEquals(
    writer.format(greeting),
    '{"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "\\u00E9\\uD83D\\uDE00/\\u007F\\"\\\\\\n"}',
  );
  assertEquals(
    writer.format({ a: [], b: {}, c: [1] }, true),
    '{\n    "a": [\n    ],\n    "b": {\n    },\n    "c": [\n        1\n    ]\n}',
  );
});
