/**
 * Virtual time by instructions, and the sleeps between them.
 */
import { assertEquals } from "@std/assert";
import { InstructionCounter, SleptTime } from "./icount.ts";

Deno.test("time is instructions by 2^shift ns; the counter goes round, and setting it is no time", () => {
  let raw = 0xffff_fff0;
  const counter = new InstructionCounter({ shift: 3, sleep: true }, () => raw);
  raw = 0x10;
  assertEquals([counter.total, counter.nowNs()], [0x20, 0x100]);
  counter.across(() => raw = 5000);
  raw = 5001;
  assertEquals(counter.total, 0x21);
});

Deno.test("a sleep counts while it goes on, to its end or to the event that ends it", () => {
  let hostNs = 1000;
  const slept = new SleptTime(() => hostNs);
  slept.begin(500);
  hostNs += 200;
  assertEquals(slept.totalNs, 200);
  slept.end();
  hostNs += 10_000;
  assertEquals(slept.totalNs, 200);
  slept.begin(500);
  hostNs += 700;
  assertEquals(slept.totalNs, 700);
  slept.end();
  slept.begin(300);
  slept.endWhole();
  slept.end();
  assertEquals(slept.totalNs, 1000);
  slept.begin(Infinity);
  hostNs += 50;
  slept.end();
  assertEquals(slept.totalNs, 1050);
});
