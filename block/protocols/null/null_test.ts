import { assertEquals, assertRejects } from "@std/assert";
import { ManualClock } from "../../../base/clocks.ts";
import { IoVector } from "../../../base/io_vector.ts";
import { SeededRandom } from "../../../base/random.ts";
import { BlockGraph } from "../../graph.ts";
import { testGraph } from "../../testing.ts";

Deno.test("null-co: 1 GiB by default, reads nothing or zeroes, forgets writes", async () => {
  await using graph = testGraph();
  const node = await graph.open({ driver: "null-co" });
  const zeroes = await graph.open({ driver: "null-aio", "read-zeroes": true, size: 4096 });
  assertEquals([node.size, zeroes.size], [1 << 30, 4096]);
  const into = IoVector.of(new Uint8Array(512).fill(7));
  await node.read(0, into);
  assertEquals(into.toBytes()[0], 7);
  await zeroes.write(0, into);
  await zeroes.read(0, into);
  assertEquals([into.isZero(), (await zeroes.status(0, 4096)).kind], [true, "zero"]);
  await assertRejects(() => node.truncate(1), Error, "Image format driver does not support resize");
});

Deno.test("null-co: latency-ns passes on the virtual clock", async () => {
  const virtual = new ManualClock();
  await using graph = new BlockGraph({
    clocks: { virtual, realtime: virtual, host: virtual },
    random: new SeededRandom(1),
  });
  const node = await graph.open({ driver: "null-co", "latency-ns": 500 });
  let done = false;
  const reading = node.read(0, IoVector.allocate(512)).then(() => done = true);
  virtual.advance(499);
  await Promise.resolve();
  assertEquals([done, virtual.nextDeadlineNs], [false, 500]);
  virtual.advance(1);
  await reading;
});
