/** Known answers of the standards, and each mode against the runtime's own or against plain arithmetic. */
import { assertEquals } from "@std/assert";
import { createCipheriv, createHash } from "node:crypto";
import { IoVector } from "../../base/io_vector.ts";
import { pattern } from "../testing.ts";
import { chooseCipher, type CipherSpec } from "./algorithms.ts";
import { bytesOf } from "./ecb.ts";
import { makeMode } from "./modes.ts";
import { SectorCipher } from "./sector_cipher.ts";

const hex = (text: string) => Uint8Array.from(text.match(/../g)!, (pair) => parseInt(pair, 16));
const toHex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const words = (bytes: Uint8Array) => new Int32Array(bytes.slice().buffer);
const spec = (cipherAlg: string, cipherMode: string): CipherSpec => chooseCipher({ cipherAlg, cipherMode });

/** [SP 800-38A] appendix F, the first two blocks. */
const PLAIN = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";
const KEY = "2b7e151628aed2a6abf7158809cf4f3c";
const SP800: readonly [mode: string, iv: string, sealed: string][] = [
  ["ecb", "00".repeat(16), "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"],
  ["cbc", "000102030405060708090a0b0c0d0e0f", "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"],
  ["ctr", "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"],
];

for (const [mode, iv, sealed] of SP800) {
  Deno.test(`SP 800-38A: ${mode}`, () => {
    const cipher = makeMode(spec("aes-128", mode), hex(KEY));
    using _end = { [Symbol.dispose]: () => cipher.close() };
    assertEquals(toHex(bytesOf(cipher.encrypt(words(hex(PLAIN)), words(hex(iv)), 8))), sealed);
    assertEquals(toHex(bytesOf(cipher.decrypt(words(hex(sealed)), words(hex(iv)), 8))), PLAIN);
  });
}

Deno.test("IEEE 1619: vectors 4 and 10", () => {
  const counting = Uint8Array.from({ length: 512 }, (_, index) => index & 0xff);
  const first = (cipherAlg: string, key: string, sector: number) => {
    using cipher = new SectorCipher(spec(cipherAlg, "xts"), hex(key));
    const sealed = cipher.encrypt(sector, IoVector.of(counting)).toBytes();
    const back = IoVector.of(sealed.slice());
    cipher.decrypt(sector, back);
    assertEquals(back.toBytes(), counting);
    return toHex(sealed.subarray(0, 32));
  };
  assertEquals(
    first("aes-128", "2718281828459045235360287471352631415926535897932384626433832795", 0),
    "27a7479befa1d476489f308cd4cfa6e2a96e4bbe3208ff25287dd3819616e89c",
  );
  assertEquals(
    first(
      "aes-256",
      "2718281828459045235360287471352662497757247093699959574966967627" +
        "3141592653589793238462643383279502884197169399375105820974944592",
      0xff,
    ),
    "1c3b3a102f770386e4836c99e370cf9bea00803f5e482357a4ae12d414a3e63b",
  );
});

/** XTS as the standard writes it: one number of 128 bits, one block at a time. */
function slowXts(key: Uint8Array, sector: bigint, data: Uint8Array): Uint8Array {
  const half = key.length / 2;
  const block = (from: Uint8Array, under: Uint8Array) => {
    const cipher = createCipheriv(`aes-${half * 8}-ecb`, under, null).setAutoPadding(false);
    const sealed = new Uint8Array(cipher.update(from));
    cipher.final();
    return sealed;
  };
  const iv = new Uint8Array(16);
  new DataView(iv.buffer).setBigUint64(0, sector, true);
  let tweak = BigInt("0x" + toHex(block(iv, key.subarray(half)).reverse()));
  const result = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += 16) {
    const mask = hex(tweak.toString(16).padStart(32, "0")).reverse();
    const masked = data.slice(at, at + 16).map((byte, index) => byte ^ mask[index]!);
    result.set(block(masked, key.subarray(0, half)).map((byte, index) => byte ^ mask[index]!), at);
    tweak = (tweak << 1n) ^ (tweak >> 127n === 1n ? (1n << 128n) ^ 0x87n : 0n);
  }
  return result;
}

for (const [name, keyBytes] of [["aes-128", 32], ["aes-192", 48], ["aes-256", 64]] as const) {
  Deno.test(`xts: ${name} over more than one chunk and sectors above 2^32`, () => {
    const key = pattern(keyBytes, 3);
    const data = pattern(130 * 512, 4);
    const sector = 0xffff_ffff - 60;
    // Slices of odd lengths, as a guest's may be.
    const from = IoVector.from([data.subarray(0, 777), data.subarray(777, 65537), data.subarray(65537)]);
    using cipher = new SectorCipher(spec(name, "xts"), key);
    const sealed = cipher.encrypt(sector, from).toBytes();
    for (const index of [0, 1, 60, 61, 127, 128, 129]) {
      const part = data.subarray(index * 512, index * 512 + 512);
      assertEquals(sealed.subarray(index * 512, index * 512 + 512), slowXts(key, BigInt(sector + index), part));
    }
    assertEquals(from.slices[0], data.subarray(0, 777), "what is written stays as it is");
    const back = IoVector.from([sealed.subarray(0, 33), sealed.subarray(33)]);
    cipher.decrypt(sector, back);
    assertEquals(sealed, data);
  });
}

Deno.test("cbc with essiv against the runtime's own CBC", () => {
  const key = pattern(32, 5);
  const data = pattern(5 * 512, 6);
  using cipher = new SectorCipher(chooseCipher({ cipherMode: "cbc", ivgenAlg: "essiv" }), key);
  const sealed = cipher.encrypt(77, IoVector.of(data)).toBytes();
  for (let index = 0; index < 5; index++) {
    const number = new Uint8Array(16);
    number[0] = 77 + index;
    const hash = createHash("sha256").update(key).digest();
    const ecb = createCipheriv("aes-256-ecb", hash, null).setAutoPadding(false);
    const one = createCipheriv("aes-256-cbc", key, ecb.update(number)).setAutoPadding(false);
    const expected = new Uint8Array(one.update(data.subarray(index * 512, index * 512 + 512)));
    ecb.final();
    one.final();
    assertEquals(sealed.subarray(index * 512, index * 512 + 512), expected);
  }
  const back = IoVector.of(sealed);
  cipher.decrypt(77, back);
  assertEquals(back.toBytes(), data);
});

Deno.test("plain cuts sector numbers off at 32 bits, plain64 does not", () => {
  const data = IoVector.of(pattern(512, 1));
  const key = pattern(64, 2);
  const of = (ivgenAlg: string, sector: number) => {
    using cipher = new SectorCipher(chooseCipher({ ivgenAlg }), key);
    return toHex(cipher.encrypt(sector, data).toBytes());
  };
  assertEquals(of("plain", 2 ** 32 + 5), of("plain", 5));
  assertEquals(of("plain64", 2 ** 32 + 5) === of("plain64", 5), false);
  assertEquals(of("plain64", 5), of("plain", 5));
});
