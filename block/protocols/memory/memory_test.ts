import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { IoVector } from "../../../base/io_vector.ts";
import { pattern } from "../../testing.ts";
import { MemoryDriver } from "./memory.ts";

const SIZE = 300_000;

Deno.test("memory: equals a byte array, and tells holes from data", async () => {
  const operation = fc.record({
    kind: fc.constantFrom("write", "zero", "truncate"),
    at: fc.nat(SIZE - 1),
    length: fc.integer({ min: 1, max: 150_000 }),
    seed: fc.nat(99),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 8 }), async (operations) => {
      await using driver = new MemoryDriver(SIZE);
      let model = new Uint8Array(SIZE);
      for (const { kind, at, length, seed } of operations) {
        const end = Math.max(model.length, at + length);
        if (kind === "truncate") {
          await driver.truncate(at);
          const cut = new Uint8Array(at);
          cut.set(model.subarray(0, at));
          model = cut;
          continue;
        }
        const grown = new Uint8Array(end);
        grown.set(model);
        if (kind === "write") {
          const data = pattern(length, seed);
          await driver.write(at, IoVector.from([data.subarray(0, length >> 1), data.subarray(length >> 1)]));
          grown.set(data, at);
        } else {
          await driver.writeZeroes(at, length);
          grown.fill(0, at, at + length);
        }
        model = grown;
      }
      assertEquals(driver.size, model.length);
      const all = IoVector.allocate(model.length);
      await driver.read(0, all);
      assertEquals(all.toBytes(), model);
      for (let at = 0; at < model.length;) {
        const extent = await driver.status(at, model.length - at);
        if (extent.kind === "zero") assertEquals(model.subarray(at, at + extent.lengthBytes).some(Boolean), false);
        at += extent.lengthBytes;
      }
    }),
    { numRuns: 40 },
  );
});
