import { assertEquals, assertRejects } from "@std/assert";
import { BlockBackend } from "./backend.ts";
import { BlockError } from "./errors.ts";
import type { BlockNode } from "./node.ts";
import type { BlockdevOptions } from "./options/blockdev.ts";
import { childPermissions, cumulative, DEVICE_SHARED, Permission } from "./permissions.ts";
import { testGraph } from "./testing.ts";

const { consistentRead, write, writeUnchanged, resize } = Permission;
const MEMORY: BlockdevOptions = { driver: "memory", size: 1 << 20, "node-name": "f" };

async function refusal(promise: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => promise, BlockError)).message;
}

Deno.test("permissions: two devices that keep one node to themselves, in QEMU's words", async () => {
  await using graph = testGraph();
  const node = await graph.open(MEMORY);
  await using first = new BlockBackend({ graph, used: consistentRead | write, shared: DEVICE_SHARED });
  first.setDevice({ ...HOOKS, id: "h1" });
  await first.insertMedium(node);
  await using second = new BlockBackend({ graph, used: consistentRead | write, shared: DEVICE_SHARED });
  second.setDevice({ ...HOOKS, path: "/machine/peripheral-anon/device[0]" });
  assertEquals(
    await refusal(second.insertMedium(node)),
    "Permission conflict on node 'f': permissions 'write' are both required by block device 'h1' (uses node 'f' as " +
      "'root' child) and unshared by block device '/machine/peripheral-anon/device[0]' (uses node 'f' as 'root' child).",
  );
  assertEquals(node.parents.length, 1);
  await first.setPermissions(consistentRead, DEVICE_SHARED | write);
  await second.insertMedium(node);
});

Deno.test("permissions: raw passes its users' wishes on, so that conflicts show below it", async () => {
  await using graph = testGraph();
  await graph.open(MEMORY);
  const [a, b] = [await graph.open(raw("q1")), await graph.open(raw("q2"))];
  await using first = new BlockBackend({ graph, name: "a", used: write, shared: DEVICE_SHARED });
  await first.insertMedium(a);
  await using second = new BlockBackend({ graph, name: "b", used: write, shared: DEVICE_SHARED });
  assertEquals(
    await refusal(second.insertMedium(b)),
    "Permission conflict on node 'f': permissions 'write' are both required by node 'q1' (uses node 'f' as 'file' " +
      "child) and unshared by node 'q2' (uses node 'f' as 'file' child).",
  );
  // What was refused leaves no trace: the first user goes on, and others may still read.
  assertEquals(cumulative(graph.find("f")!).used, write);
  await second.setPermissions(consistentRead, DEVICE_SHARED | write);
  await second.insertMedium(b);
});

Deno.test("permissions: nobody writes to a read-only node", async () => {
  await using graph = testGraph();
  const node = await graph.open({ ...MEMORY, "read-only": true });
  await using drive = new BlockBackend({ graph, used: write });
  drive.setDevice(HOOKS);
  await drive.insertMedium(node);
  assertEquals(await refusal(drive.setPermissions(consistentRead | write, DEVICE_SHARED)), "Block node is read-only");
});

Deno.test("permissions: what formats and overlays ask of their children", async () => {
  await using graph = testGraph();
  const node = await graph.open(MEMORY);
  const asked = { used: consistentRead | write, shared: consistentRead | writeUnchanged };
  const format = { plain: false, readOnly: false, driver: node.driver } as BlockNode;
  const child = { forceShare: false } as BlockNode;
  assertEquals(childPermissions(format, child, "file", asked), {
    used: consistentRead | write | resize,
    shared: consistentRead | writeUnchanged,
  });
  assertEquals(childPermissions(format, child, "backing", asked), {
    used: consistentRead,
    shared: consistentRead | writeUnchanged,
  });
  assertEquals(childPermissions({ ...format, plain: true } as BlockNode, child, "image", asked), asked);
  const sharing = { forceShare: true } as BlockNode;
  assertEquals(childPermissions({ ...format, readOnly: true } as BlockNode, sharing, "file", asked).shared, 15);
  assertEquals(cumulative(node), { used: 0, shared: 15 });
});

function raw(name: string): BlockdevOptions {
  return { driver: "raw", "node-name": name, file: "f" };
}

const HOOKS = {
  path: "/machine/unattached/device[5]",
  id: "",
  mediumChanged() {},
  ejectRequest() {},
  isTrayOpen: () => false,
  isMediumLocked: () => false,
  resized() {},
};
