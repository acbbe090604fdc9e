import { assertEquals, assertRejects } from "@std/assert";
import { ManualClock } from "../base/clocks.ts";
import { IoVector } from "../base/io_vector.ts";
import { SeededRandom } from "../base/random.ts";
import { BlockBackend } from "./backend.ts";
import type { DeviceHooks } from "./backend_types.ts";
import { BlockError, ioError } from "./errors.ts";
import { BlockGraph } from "./graph.ts";
import { BlockNode } from "./node.ts";
import { SlowMemory } from "./protocols/memory/slow_memory.ts";
import { testGraph } from "./testing.ts";

/** A drive with a tray, as the guest moves it. */
class Drive implements DeviceHooks {
  readonly path = "/machine/unattached/device[9]";
  readonly id = "";
  readonly log: string[] = [];
  backend: BlockBackend | undefined;
  open = false;
  locked = false;
  mediumChanged(loaded: boolean): void {
    this.log.push(loaded ? "loaded" : "gone");
    this.open = !loaded;
    this.backend?.trayMoved(this.open);
  }
  ejectRequest(force: boolean): void {
    this.log.push(force ? "eject!" : "eject?");
  }
  isTrayOpen(): boolean {
    return this.open;
  }
  isMediumLocked(): boolean {
    return this.locked;
  }
  resized(): void {
    this.log.push("resized");
  }
}

async function withDriver(driver: SlowMemory, body: (backend: BlockBackend, graph: BlockGraph) => Promise<void>) {
  await using graph = testGraph();
  const node = new BlockNode({ name: "node0", kind: "protocol", driver });
  graph.enter(node);
  await using backend = new BlockBackend({ graph, name: "ide0-hd0" });
  await backend.insertMedium(node);
  await body(backend, graph);
}

Deno.test("BlockBackend: requests beyond the end are EIO, without a medium ENOMEDIUM", async () => {
  await withDriver(new SlowMemory(4096, { alignBytes: 1 }), async (backend) => {
    for (const at of [4096, 4000, -512]) {
      const error = await assertRejects(() => backend.read(at, IoVector.allocate(512)), BlockError);
      assertEquals(error.message, "Input/output error");
    }
    await backend.removeMedium();
    const error = await assertRejects(() => backend.flush(), BlockError);
    assertEquals(error.message, "No medium found");
    assertEquals(backend.sizeBytes, 0);
  });
});

Deno.test("BlockBackend: with the write cache off each write is durable", async () => {
  const driver = new SlowMemory(4096, { alignBytes: 1 });
  await withDriver(driver, async (backend) => {
    await backend.write(0, IoVector.allocate(512));
    assertEquals(driver.flushes, 0);
    await backend.write(0, IoVector.allocate(512), { fua: true });
    backend.writeCacheEnabled = false;
    await backend.write(0, IoVector.allocate(512));
    await backend.writeZeroes(0, 512);
    assertEquals(driver.flushes, 3);
  });
});

Deno.test("BlockBackend: counts what info blockstats shows", async () => {
  const clock = new ManualClock(5000);
  const clocks = { virtual: clock, realtime: clock, host: clock };
  await using graph = new BlockGraph({ clocks, random: new SeededRandom(1) });
  const driver = new SlowMemory(1 << 20, { alignBytes: 1 });
  const node = new BlockNode({ name: "node0", kind: "protocol", driver });
  graph.enter(node);
  await using backend = new BlockBackend({ graph, name: "a" });
  await backend.insertMedium(node);
  const reading = backend.read(0, IoVector.allocate(1024));
  clock.advance(70);
  await reading;
  await backend.write(4096, IoVector.allocate(512));
  await backend.read(0, IoVector.allocate(512), { account: false });
  await backend.flush();
  driver.failNext = ioError("write", "ENOSPC");
  await assertRejects(() => backend.write(0, IoVector.allocate(512)), BlockError, "No space left on device");
  const { read, write, flush, lastAccessNs } = backend.stats;
  assertEquals([read.bytes, read.operations, read.totalTimeNs], [1024, 1, 70]);
  assertEquals([write.bytes, write.operations, write.failed], [512, 1, 1]);
  assertEquals([flush.operations, lastAccessNs, node.writeHighestOffset], [1, 5070, 4608]);
});

Deno.test("BlockBackend: error policies", async () => {
  await withDriver(new SlowMemory(512, { alignBytes: 1 }), async (backend) => {
    const events: string[] = [];
    backend.events.on(
      "error",
      ({ operation, action, noSpace, reason }) => events.push(`${operation} ${action} ${noSpace} ${reason}`),
    );
    const full = ioError("write", "ENOSPC");
    const broken = ioError("write", "EIO");
    assertEquals([backend.reportError("write", broken), backend.ioStatus], ["report", "ok"]);
    assertEquals([backend.reportError("write", full), backend.ioStatus], ["stop", "nospace"]);
    backend.resetIoStatus();
    backend.werror = "ignore";
    assertEquals(backend.reportError("write", full), "ignore");
    backend.rerror = "stop";
    assertEquals([backend.reportError("read", broken), backend.ioStatus], ["stop", "failed"]);
    assertEquals(events, [
      "write report false Input/output error",
      "write stop true No space left on device",
      "write ignore true No space left on device",
      "read stop false Input/output error",
    ]);
  });
});

Deno.test("BlockBackend: trays and media", async () => {
  await using graph = testGraph();
  const medium = await graph.open({ driver: "memory", size: 2048, "node-name": "cd", "read-only": true });
  await using backend = new BlockBackend({ graph, name: "ide1-cd0", readOnly: true });
  const drive = new Drive();
  backend.setDevice(drive);
  drive.backend = backend;
  const moved: boolean[] = [];
  backend.events.on("tray-moved", ({ open }) => moved.push(open));
  await backend.insertMedium(medium);
  drive.locked = true;
  assertEquals([backend.openTray(false), backend.isTrayOpen], [false, false]);
  assertEquals([backend.openTray(true), backend.isTrayOpen], [true, true]);
  await backend.removeMedium();
  backend.closeTray();
  assertEquals([drive.log, moved], [["eject?", "eject!", "gone", "loaded"], [true, false]]);
  await assertRejects(() => backend.read(0, IoVector.allocate(512)), BlockError, "No medium found");
});

Deno.test("BlockBackend: names are taken once", async () => {
  await using graph = testGraph();
  await graph.open({ driver: "memory", "node-name": "n" });
  await using _a = new BlockBackend({ graph, name: "a" });
  for (
    const [name, text] of [["a", "Device with id 'a' already exists"], [
      "n",
      "Device name 'n' conflicts with an existing node name",
    ]]
  ) {
    let message = "";
    try {
      new BlockBackend({ graph, name: name! });
    } catch (error) {
      message = (error as Error).message;
    }
    assertEquals(message, text);
  }
  const error = await assertRejects(() => graph.open({ driver: "memory", "node-name": "a" }), BlockError);
  assertEquals(error.message, "node-name=a is conflicting with a device id");
});

Deno.test("BlockBackend: a medium that is in use stays open when its drive goes", async () => {
  await using graph = testGraph();
  const node = await graph.open({ driver: "memory", size: 512, "node-name": "n" });
  {
    await using backend = new BlockBackend({ graph, name: "a" });
    await backend.insertMedium(node);
    await graph.release(node);
    assertEquals(graph.find("n"), node);
  }
  assertEquals(graph.find("n"), undefined);
});

Deno.test("BlockBackend: draining ends however many requests follow one another", async () => {
  await withDriver(new SlowMemory(4096, { alignBytes: 1 }), async (backend) => {
    let stop = false;
    const writers = [1, 2, 3].map(async (value) => {
      while (!stop) await backend.write(0, IoVector.of(new Uint8Array(512).fill(value)));
    });
    await backend.drain();
    // Not in flight at this very moment, and let go afterwards.
    const inFlight = backend.inFlight;
    stop = true;
    await Promise.all(writers);
    assertEquals(inFlight, 0);
  });
});
