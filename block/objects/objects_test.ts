/** Objects as qemu-img 7.2 makes and refuses them: each text here is one that it printed. */
import { assertEquals, assertThrows } from "@std/assert";
import { haveProgram, run } from "../../tests/support/programs.ts";
import { ObjectRegistry, parseObject } from "./mod.ts";

const KEY = "secret,id=k,data=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=,format=base64";
const IV = "MDEyMzQ1Njc4OTAxMjM0NQ==";

/** Makes all of them; the last one's content. */
function contentOf(...texts: string[]): Uint8Array {
  const objects = new ObjectRegistry();
  let id = "";
  for (const text of texts) {
    const wanted = parseObject(text);
    if (wanted.kind === "object") id = objects.add(wanted.properties).id;
  }
  return objects.secret(id);
}

const REFUSED: readonly [texts: readonly string[], message: string][] = [
  [["secret,id=s"], "Either 'file' or 'data' must be provided"],
  [["secret,data=abc"], "Parameter 'id' is missing"],
  [["secret,id=s,data=abc,file=foo"], "'file' and 'data' are mutually exclusive"],
  [
    ["secret,id=s,file=/nonexistent/f"],
    "Unable to read /nonexistent/f: Failed to open file “/nonexistent/f”: No such file or directory",
  ],
  [["secret,id=s,data=abc,format=foo"], "Parameter 'format' does not accept value 'foo'"],
  [["secret,id=s,data=YWJj,format=base64,foo=bar"], "Parameter 'foo' is unexpected"],
  [["secret,id=s,data=YW*j,format=base64"], "Base64 data contains invalid characters"],
  [["secret,id=s,data=YWJj,keyid=nokey"], "No secret with id 'nokey'"],
  [[KEY, "secret,id=s,data=YWJj,keyid=k"], "IV is required to decrypt secret"],
  [
    [KEY, "secret,id=s,data=YWJj,keyid=k,iv=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="],
    "IV should be 16 bytes in length not 32",
  ],
  [[KEY, `secret,id=s,data=YWJj,keyid=k,iv=${IV}`], "Length 4 must be a multiple of block size 16"],
  [["secret,id=k,data=short", `secret,id=s,data=YWJj,keyid=k,iv=${IV}`], "Key should be 32 bytes in length"],
  [
    [KEY, `secret,id=s,data=${IV},keyid=k,format=base64,iv=${IV}`],
    "Incorrect number of padding bytes (201) found on decrypted data",
  ],
  [
    ["secret,id=s,data=abc", "secret,id=s,data=abc"],
    "attempt to add duplicate property 's' to object (type 'container')",
  ],
  [["foo,id=s,data=abc"], "Parameter 'qom-type' does not accept value 'foo'"],
  [["id=s"], "Parameter 'qom-type' is missing"],
  [["secret"], "Parameter 'id' is missing"],
  [["secret,id=1s,data=abc"], "Parameter 'id' expects an identifier"],
  [['{"qom-type":"secret","id":"s","data":5}'], "Invalid parameter type for 'data', expected: string"],
  [['{"qom-type":"secret"'], "JSON parse error, premature EOI"],
  [["secret,help=on"], "Parameter 'id' is missing"],
];

Deno.test("objects that are refused", () => {
  for (const [texts, message] of REFUSED) {
    const error = assertThrows(() => contentOf(...texts), Error);
    assertEquals(error.message, message, texts.join(" "));
  }
});

Deno.test({
  name: "qemu-img refuses the same in the same words",
  ignore: !haveProgram("qemu-img"),
  fn: async () => {
    await Promise.all(REFUSED.map(async ([texts, message]) => {
      const args = ["create", "-f", "raw", "/nonexistent/x", "1M", ...texts.flatMap((text) => ["--object", text])];
      const { code, stderr } = await run("qemu-img", args, { env: { LC_ALL: "C.UTF-8" } });
      assertEquals([code, stderr.split("\n")[0]], [1, `qemu-img: ${message}`], texts.join(" "));
    }));
  },
});

Deno.test("what a secret holds", async () => {
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assertEquals(text(contentOf("secret,id=s,data=a,,b")), "a,b");
  assertEquals(text(contentOf("secret,id=s,data=YWJj,format=base64")), "abc");
  assertEquals(text(contentOf('{"qom-type":"secret","id":"s","data":"x"}')), "x");
  // openssl enc -aes-256-cbc -K <KEY in hex> -iv <IV in hex> of "correct horse"
  const { createCipheriv } = await import("node:crypto");
  const utf8 = (of: string) => new TextEncoder().encode(of);
  const cipher = createCipheriv("aes-256-cbc", utf8("01234567890123456789012345678901"), utf8("0123456789012345"));
  const sealed = cipher.update("correct horse", "utf8", "base64") + cipher.final("base64");
  assertEquals(text(contentOf(KEY, `secret,id=s,data=${sealed},format=base64,keyid=k,iv=${IV}`)), "correct horse");
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(path, "line\n");
    assertEquals(text(contentOf(`secret,id=s,file=${path}`)), "line\n");
  } finally {
    await Deno.remove(path);
  }
  assertThrows(() => contentOf("secret,id=s,file=/dev/zero"), Error, "a secret has at most");
});

Deno.test("help lists types, and the properties of one", () => {
  const help = (text: string) => {
    const wanted = parseObject(text);
    return wanted.kind === "help" ? wanted.text : "";
  };
  assertEquals(help("help"), "List of user creatable objects:\n  secret\n  throttle-group\n");
  assertEquals(help("secret,help").split("\n").length, 7);
  assertEquals(help("foo,help"), help("help"));
});

Deno.test("objects go again", () => {
  const objects = new ObjectRegistry();
  objects.add({ "qom-type": "secret", id: "s", data: "x" });
  assertEquals(objects.list.map(({ id, type }) => [id, type]), [["s", "secret"]]);
  objects.remove("s");
  assertThrows(() => objects.remove("s"), Error, "object 's' not found");
  assertThrows(() => objects.secret("s"), Error, "No secret with id 's'");
});
