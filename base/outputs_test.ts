import { assertEquals, assertThrows } from "@std/assert";
import { isGone, writeAllSync, writeOrDropSync } from "./outputs.ts";

const failing = (error: Error) => ({
  writeSync(): number {
    throw error;
  },
});

Deno.test("all is written, in as many pieces as the output takes", () => {
  const taken: number[] = [];
  const output = {
    writeSync(bytes: Uint8Array): number {
      taken.push(...bytes.subarray(0, 2));
      return Math.min(2, bytes.length);
    },
  };
  writeAllSync(output, Uint8Array.of(1, 2, 3, 4, 5));
  assertEquals(taken, [1, 2, 3, 4, 5]);
});

Deno.test("a closed pipe and a terminal that hung up take nothing and say nothing; a full disk is told", () => {
  const io = Object.assign(new Error("EIO: I/O error"), { code: "EIO" });
  writeAllSync(failing(io), Uint8Array.of(1));
  writeAllSync(failing(new Deno.errors.BrokenPipe("gone")), Uint8Array.of(1));
  const full = Object.assign(new Error("ENOSPC"), { code: "ENOSPC" });
  assertThrows(() => writeAllSync(failing(full), Uint8Array.of(1)), Error, "ENOSPC");
  assertEquals(writeOrDropSync(failing(full), Uint8Array.of(1)), full);
  assertEquals(writeOrDropSync(failing(io), Uint8Array.of(1)), undefined);
  assertEquals([io, new Error("EIO: I/O error"), full, "EIO: I/O error"].map(isGone), [true, true, false, false]);
});
