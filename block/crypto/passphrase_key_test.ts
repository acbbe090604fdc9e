/** Known answers of PBKDF2, and how iterations are counted. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Clock, ManualClock } from "../../base/clocks.ts";
import { SeededRandom } from "../../base/random.ts";
import { BlockError } from "../errors.ts";
import { mergeKey, splitKey } from "./anti_forensic.ts";
import { deriveKey, iterationsFor, iterationsPerSecond } from "./passphrase_key.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const toHex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

Deno.test("PBKDF2: RFC 6070, RFC 7914, and a hash that Web Crypto lacks", async () => {
  const sha1 = (iterations: number) =>
    deriveKey(utf8("password"), { hash: "sha1", salt: utf8("salt"), iterations }, 20);
  assertEquals(toHex(await sha1(1)), "0c60c80f961f0e71f3a9b524af6012062fe037a6");
  assertEquals(toHex(await sha1(4096)), "4b007901b765489abead49d926f721d065a429c1");
  assertEquals(
    toHex(await deriveKey(utf8("passwd"), { hash: "sha256", salt: utf8("salt"), iterations: 1 }, 64)),
    "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc" +
      "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
  );
  // Computed with Python's hashlib.
  const md5 = await deriveKey(utf8("x"), { hash: "md5", salt: utf8("s"), iterations: 2 }, 33);
  assertEquals(toHex(md5), "e87ff4c8e8398e4d70dae2051066cec408a570cb940a02cb3f7c163d302f9cd229");
});

Deno.test("iterations: a clock that stands still counts as a usual machine, one that moves is believed", async () => {
  assertEquals(await iterationsPerSecond("sha256", 32, new ManualClock()), 1_000_000);
  // Each look at this clock takes a tenth of a second.
  let now = 0;
  const clock: Clock = { nowNs: () => now += 100_000_000, setTimer: () => ({ cancel() {} }) };
  assertEquals(await iterationsPerSecond("sha256", 32, clock), 32768 * 10);
});

Deno.test("iterations: bounded below and above", () => {
  assertEquals(iterationsFor(2000, 500_000, 1000), 1_000_000);
  assertEquals(iterationsFor(2000, 500_000, 1000, 8), 125_000);
  assertEquals(iterationsFor(0, 500_000, 1000), 1000);
  const text = "PBKDF iterations 110000000000 larger than 4294967295: Numerical result out of range";
  assertThrows(() => iterationsFor(100_000_000, 1_100_000, 1000), BlockError, text);
  assertThrows(() => iterationsFor(1_000_000, 1_000_000, 1000), BlockError, "the most that moa does");
});

Deno.test("the anti-forensic split loses the key with any bit", () => {
  const key = utf8("0123456789abcdef0123456789abcdef");
  const material = splitKey(key, 50, "sha256", new SeededRandom(1));
  assertEquals(mergeKey(material, 50, "sha256"), key);
  material[5]! ^= 1;
  const damaged = mergeKey(material, 50, "sha256");
  const equal = damaged.filter((byte, index) => byte === key[index]).length;
  assert(equal < 8, `${equal} bytes have survived`);
});
