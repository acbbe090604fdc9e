import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { escapeValue } from "./keyval.ts";
import { type KeyvalTree, keyvalTree, type KeyvalValue, parseKeyval } from "./keyval_tree.ts";
import { OptionError } from "./option_error.ts";

const parse = (text: string) => parseKeyval(text, { impliedKey: "driver" }).tree;

Deno.test("dotted keys nest, numbers make lists", () => {
  assertEquals(parse("qcow2,file.driver=file,file.filename=a,,b"), {
    driver: "qcow2",
    file: { driver: "file", filename: "a,b" },
  });
  assertEquals(parse("x.1=b,x.0=a"), { x: ["a", "b"] });
  assertEquals(parse("a.0.b=1,a.0.c=2"), { a: [{ b: "1", c: "2" }] });
  assertEquals(parse("a.00=1"), { a: ["1"] });
  assertEquals(parse("a=1,a=2"), { a: "2" });
  assertEquals(parse("x=a,,"), { x: "a," });
  assertEquals(parse("a=1,,b"), { a: "1,b" });
  assertEquals(parse("a="), { a: "" });
  assertEquals(parse(""), {});
  assertEquals(parse("a=1,"), { a: "1" });
  assertEquals(parse("__com.x_a=1,a_-b=2"), { "__com.x_a": "1", "a_-b": "2" });
  assertEquals(keyvalTree([{ name: "a.b", value: "1" }, { name: "c", value: "2" }]), { a: { b: "1" }, c: "2" });
});

// What `qemu-storage-daemon --blockdev TEXT` of QEMU 7.2 said.
const LONG = "a".repeat(128);
const REFUSED: readonly (readonly [string, string])[] = [
  [",", "Invalid parameter ''"],
  ["=b", "Invalid parameter ''"],
  ["a,b", "Expected '=' after parameter 'b'"],
  ["a,,b", "Invalid parameter ''"],
  ["a=1,=2", "Invalid parameter ''"],
  ["driver=null-co,noread-only", "Expected '=' after parameter 'noread-only'"],
  ["a.b=1,a=2", "Parameters 'a.*' used inconsistently"],
  ["a=1,a.b=2", "Parameters 'a.*' used inconsistently"],
  ["a.b.c=1,a.b=2", "Parameters 'a.b.*' used inconsistently"],
  ["a.0=1,a.x=2", "Parameters 'a.*' used inconsistently"],
  ["a.0=1,a.2=2", "Parameter 'a.1' missing"],
  ["a.01=1", "Parameter 'a.0' missing"],
  ["a.4294967296=1", "Parameter 'a.0' missing"],
  ["a.0.1=1", "Parameter 'a.0.0' missing"],
  ["a..b=1", "Invalid parameter 'a..b'"],
  [".a=1", "Invalid parameter '.a'"],
  ["a.=1", "Invalid parameter 'a.'"],
  ["1=2", "Invalid parameter '1'"],
  ["a.0b=1", "Invalid parameter 'a.0b'"],
  ["ä=1", "Invalid parameter 'ä'"],
  ["-a=1", "Invalid parameter '-a'"],
  ["_a=1", "Invalid parameter '_a'"],
  ["a b=1", "Invalid parameter 'a b'"],
  ["__com.=1", "Invalid parameter '__com.'"],
  ["__RFQDN_=1", "Invalid parameter '__RFQDN_'"],
  ["__com.x_9=1", "Invalid parameter '__com.x_9'"],
  ["x=1,0", "Invalid parameter '0'"],
  [`${LONG}=1`, `Parameter '${LONG}' is too long`],
  [`${LONG}.b=1`, `Parameter fragment '${LONG}' is too long`],
  [`a.${LONG}=1`, `Parameter fragment '${LONG}' is too long`],
  ["help", "Help is not available for this option"],
  ["a=1,help", "Help is not available for this option"],
];

Deno.test("what QEMU refuses is refused in its words", () => {
  for (const [text, message] of REFUSED) {
    assertEquals(assertThrows(() => parse(text), OptionError, undefined, text).message, message, text);
  }
  assertEquals(parseKeyval("iothread,help", { impliedKey: "qom-type", helpAllowed: true }), {
    tree: { "qom-type": "iothread" },
    helpWanted: true,
  });
});

Deno.test("any tree comes back from its flat form", () => {
  const { tree } = fc.letrec<{ tree: KeyvalTree; value: KeyvalValue }>((tie) => ({
    tree: fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9_-]{0,5}$/), tie("value"), { minKeys: 1, maxKeys: 4 })
      .map((object) => ({ ...object })),
    value: fc.oneof({ maxDepth: 3 }, fc.string(), fc.array(tie("value"), { minLength: 1, maxLength: 3 }), tie("tree")),
  }));
  const flatten = (value: KeyvalValue, path: string): string[] =>
    typeof value === "string"
      ? [`${path}=${escapeValue(value)}`]
      : Object.entries(value).flatMap(([name, below]) => flatten(below, path === "" ? name : `${path}.${name}`));
  fc.assert(fc.property(tree, (value) => assertEquals(parse(flatten(value, "").join(",")), value)));
});
