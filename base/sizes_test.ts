import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { OptionError } from "./option_error.ts";
import { formatIoSize, formatSize, parseSize, parseSizeText } from "./sizes.ts";

// What `qemu-img create -f raw F SIZE` of QEMU 7.2 said to each.
const READ: readonly (readonly [string, bigint | "invalid" | "range"])[] = [
  ["1", 1n],
  ["1k", 1024n],
  ["1.5G", 1610612736n],
  ["1.1k", 1126n],
  ["0x10", 16n],
  ["0x10K", 16384n],
  ["0X10", 16n],
  ["0xE", 14n],
  ["0x1E", 30n],
  ["0x1G", 1073741824n],
  ["010", 10n],
  ["08", 8n],
  ["1e", 1152921504606846976n],
  ["7.9999E", 9223256744704315136n],
  ["9223372036854775808", 9223372036854775808n],
  ["18446744073709551615", 18446744073709551615n],
  ["16383P", 18445618173802708992n],
  ["9007199254740993", 9007199254740993n],
  ["+1", 1n],
  [" 1", 1n],
  ["1.", 1n],
  ["1b", 1n],
  ["1B", 1n],
  ["1T", 1099511627776n],
  ["1024.0", 1024n],
  ["1.00000001k", 1024n],
  ["16E", "range"],
  ["18446744073709551616", "range"],
  ...["0.1", "0x1.8k", "1e3", "-1", "1 ", "", "K", "1KB", "1Ki", "1kk", ".5", ".5k", "1.5b", "1e3k", "inf", "nan", "0x"]
    .map((text) => [text, "invalid"] as const),
];

Deno.test("sizes are read as qemu-img reads them", () => {
  for (const [text, expected] of READ) {
    const size = parseSizeText(text);
    assertEquals(size.kind === "size" ? size.bytes : size.kind, expected, text);
  }
  assertEquals(parseSizeText("0x10K"), { kind: "size", bytes: 16384n, hexSuffix: true });
  assertEquals(parseSizeText("128", "m"), { kind: "size", bytes: 134217728n, hexSuffix: false });
});

Deno.test("a bad size is refused in QEMU's words", () => {
  const error = assertThrows(() => parseSize("1x", "size"), OptionError);
  assertEquals(error.message, "Parameter 'size' expects a non-negative number below 2^64");
  assertEquals(error.hint.split("\n").length, 2);
  assertEquals(
    assertThrows(() => parseSize("16E", "size"), OptionError).message,
    "Value '16E' is out of range for parameter 'size'",
  );
  assertThrows(() => parseSize("8P", "size"), OptionError, "out of range");
  assertEquals(parseSize("8191T", "size"), 8191 * 2 ** 40);
});

Deno.test("sizes are printed as qemu-img info prints them", () => {
  const rows: [number | bigint, string][] = [
    [0, "0 B"],
    [512, "512 B"],
    [999, "999 B"],
    [1000, "0.977 KiB"],
    [1024, "1 KiB"],
    [1152, "1.12 KiB"],
    [1536, "1.5 KiB"],
    [1023488, "1e+03 KiB"],
    [1024000, "0.977 MiB"],
    [1048064, "1 MiB"],
    [1499648, "1.43 MiB"],
    [102400000, "97.7 MiB"],
    [1048575488, "1e+03 MiB"],
    [200704, "196 KiB"],
    [10737418240, "10 GiB"],
    [1n << 60n, "1 EiB"],
  ];
  for (const [bytes, text] of rows) assertEquals(formatSize(bytes), text);
});

Deno.test("sizes are printed as qemu-io prints them", () => {
  const rows: [number, string][] = [
    [1, "1 bytes"],
    [1023, "1023 bytes"],
    [1024, "1 KiB"],
    [1025, "1.001 KiB"],
    [1536, "1.500 KiB"],
    [100000, "97.656 KiB"],
    [1000000, "976.562 KiB"],
    [1048577, "1 MiB"],
    [99999999, "95.367 MiB"],
  ];
  for (const [bytes, text] of rows) assertEquals(formatIoSize(bytes), text);
});

Deno.test("every whole number of a unit is read back as it was written", () => {
  fc.assert(fc.property(fc.nat(), fc.constantFrom("", "k", "M", "G", "t", "P"), (number, suffix) => {
    const size = parseSizeText(`${number}${suffix}`);
    const bytes = BigInt(number) << BigInt({ "": 0, k: 10, M: 20, G: 30, t: 40, P: 50 }[suffix]!);
    assertEquals(size.kind === "size" ? size.bytes : size.kind, bytes < 1n << 64n ? bytes : "range");
  }));
});
