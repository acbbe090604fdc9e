import { assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../../base/io_vector.ts";
import { findBreakpoints } from "../breakpoints.ts";
import { BlockError } from "../errors.ts";
import type { BlockNode } from "../node.ts";
import type { BlockdevOptionsBlkdebug } from "../options/blockdev.ts";
import { testGraph } from "../testing.ts";

type Rules = Pick<BlockdevOptionsBlkdebug, "inject-error" | "set-state" | "align">;

async function withRules(rules: Rules, body: (node: BlockNode) => Promise<void>): Promise<void> {
  await using graph = testGraph();
  const node = await graph.open({
    driver: "raw",
    file: { driver: "blkdebug", image: { driver: "memory", size: 65536 }, ...rules },
  });
  await body(node);
}

/** What a request ends in. */
async function outcome(request: Promise<void>): Promise<string> {
  try {
    await request;
    return "ok";
  } catch (error) {
    return (error as BlockError).errno;
  }
}

const block = () => IoVector.allocate(512);

Deno.test("blkdebug: an error at an event, at a sector, once", async () => {
  await withRules({ "inject-error": [{ event: "write_aio", errno: 28, sector: 4, once: true }] }, async (node) => {
    assertEquals(await outcome(node.write(0, block())), "ok");
    assertEquals(await outcome(node.write(2048, block())), "ENOSPC");
    assertEquals(await outcome(node.write(2048, block())), "ok");
  });
});

Deno.test("blkdebug: a kind of request, whatever the event", async () => {
  await withRules({ "inject-error": [{ event: "none", iotype: "flush", once: true }] }, async (node) => {
    await node.write(0, block());
    assertEquals(await outcome(node.flush()), "EIO");
    assertEquals(await outcome(node.read(0, block())), "ok");
    assertEquals(await outcome(node.flush()), "ok");
  });
});

Deno.test("blkdebug: states order what fails", async () => {
  await withRules({
    "inject-error": [{ event: "read_aio", state: 2, errno: 5, once: true }],
    "set-state": [{ event: "write_aio", state: 1, new_state: 2 }],
  }, async (node) => {
    assertEquals(await outcome(node.read(0, block())), "ok");
    await node.write(0, block());
    assertEquals(await outcome(node.read(0, block())), "EIO");
    assertEquals(await outcome(node.read(0, block())), "ok");
  });
});

Deno.test("blkdebug: the node's own events, and an alignment", async () => {
  await withRules({ align: 4096, "inject-error": [{ event: "pwritev_rmw_head", iotype: "write" }] }, async (node) => {
    assertEquals(await outcome(node.write(0, IoVector.allocate(4096))), "ok");
    assertEquals(await outcome(node.write(512, block())), "EIO");
  });
});

Deno.test("blkdebug: rules that cannot be are refused", async () => {
  await using graph = testGraph();
  const image = { driver: "memory", size: 512 } as const;
  const nameless = [{ errno: 5 } as unknown as { event: string }];
  for (
    const [rules, text] of [
      [[{ event: "nope" }], "invalid parameter value: nope"],
      [nameless, "Missing event name for rule"],
    ] as const
  ) {
    const opening = () => graph.open({ driver: "blkdebug", image, "inject-error": rules });
    assertEquals((await assertRejects(opening, BlockError)).message, text);
  }
  assertEquals(graph.nodes, []);
});

Deno.test("blkdebug: a breakpoint holds one request until it is resumed", async () => {
  await withRules({}, async (node) => {
    const points = findBreakpoints(node)!;
    const said: string[] = [];
    const say = (text: string) => void said.push(text);
    assertEquals([points.set("nope", "A", say), points.resume("A"), points.remove("A")], [false, false, false]);
    assertEquals([points.set("write_aio", "A", say), points.set("write_aio", "B", say)], [true, true]);
    let held = 0;
    const first = node.write(0, block()).then(() => held++);
    while (!points.isSuspended("A")) await points.nextStop();
    assertEquals(said.splice(0), ["blkdebug: Suspended request 'B'\n", "blkdebug: Suspended request 'A'\n"]);
    // Others go on, and a breakpoint works once.
    await node.write(512, block());
    assertEquals([points.resume("A"), held], [true, 0]);
    assertEquals(points.remove("B"), false);
    await first;
    assertEquals(said.splice(0), ["blkdebug: Resuming request 'A'\n", "blkdebug: Resuming request 'B'\n"]);
    points.set("pwritev_done", "C", say);
    const second = node.write(0, block());
    while (!points.isSuspended("C")) await points.nextStop();
    points.set("read_aio", "C", say);
    points.clear();
    await second;
    await node.read(0, block());
    assertEquals(said.length, 2);
  });
});
