import { assertEquals } from "@std/assert";
import { zeroRuns } from "./zero_runs.ts";

/** What zeroRuns finds, by looking at every byte: runs of units, short zeroes between data taken as data. */
function slowly(bytes: Uint8Array, unitBytes: number, sparseBytes: number): [number, number, boolean][] {
  const runs: [number, number, boolean][] = [];
  const add = (start: number, end: number, zero: boolean) => {
    const last = runs.at(-1);
    if (last !== undefined && last[2] === zero) last[1] = end;
    else runs.push([start, end, zero]);
  };
  for (let at = 0; at < bytes.length; at += unitBytes) {
    const unit = bytes.subarray(at, at + unitBytes);
    add(at, at + unit.length, unit.every((byte) => byte === 0));
  }
  if (sparseBytes <= unitBytes) return runs;
  const found = runs.splice(0);
  found.forEach(([start, end, zero], i) => {
    const short = i > 0 && i < found.length - 1 && end - start < sparseBytes;
    add(start, end, zero && !short);
  });
  return runs;
}

Deno.test("zero runs: as found byte by byte, whatever the unit, the length and where the bytes lie", () => {
  let seed = 1;
  const random = (below: number) => (seed = seed * 48271 % 2147483647) % below;
  for (let round = 0; round < 300; round++) {
    const offset = random(4) === 0 ? random(7) : 0;
    const length = 1 + random(round % 10 === 0 ? 300_000 : 20_000);
    const bytes = new Uint8Array(offset + length + 8).subarray(offset, offset + length);
    for (let i = random(6); i > 0; i--) {
      const at = random(length);
      bytes.fill(random(3), at, Math.min(length, at + random(length)));
    }
    const unitBytes = 512 << random(8);
    const sparseBytes = unitBytes * (1 + random(4));
    const runs = zeroRuns(bytes, { unitBytes, sparseBytes }).map(({ start, end, zero }) => [start, end, zero]);
    assertEquals(runs, slowly(bytes, unitBytes, sparseBytes), `round ${round}`);
  }
});

Deno.test("zero runs: one byte in the middle of a unit makes it data; without a limit all is", () => {
  const bytes = new Uint8Array(256 * 1024);
  bytes[100_001] = 1;
  const found = zeroRuns(bytes, { unitBytes: 4096, sparseBytes: 4096 });
  assertEquals(found, [
    { start: 0, end: 98_304, zero: true },
    { start: 98_304, end: 102_400, zero: false },
    { start: 102_400, end: 262_144, zero: true },
  ]);
  assertEquals(zeroRuns(new Uint8Array(10), { unitBytes: 4096, sparseBytes: 0 }), [{ start: 0, end: 10, zero: false }]);
});
