import { assertEquals, assertThrows } from "@std/assert";
import { LatencyHistogram } from "./latency_histogram.ts";

Deno.test("latencies go into the bin below the first boundary above them", () => {
  const histogram = new LatencyHistogram([10, 50, 100]);
  for (const ns of [0, 9, 10, 49, 50, 99, 100, 5000]) histogram.count(ns);
  assertEquals(histogram.bins, [2, 2, 2, 2]);
});

Deno.test("boundaries that do not ascend are no histogram", () => {
  for (const boundaries of [[0], [5, 5], [5, 4]]) assertThrows(() => new LatencyHistogram(boundaries), RangeError);
  assertEquals(new LatencyHistogram([]).bins, [0]);
});
