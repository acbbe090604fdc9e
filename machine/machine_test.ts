import { assertEquals } from "@std/assert";
import { BlockError } from "../block/mod.ts";
import { testPc } from "./testing.ts";

function watch(machine: { events: { on: (name: never, listener: (payload: never) => void) => void } }): string[] {
  const seen: string[] = [];
  for (const name of ["STOP", "RESUME", "RESET", "SHUTDOWN", "POWERDOWN", "BLOCK_IO_ERROR"]) {
    machine.events.on(name as never, () => void seen.push(name));
  }
  return seen;
}

Deno.test("states and events follow stop, cont and reset as QEMU's do", async () => {
  await using pc = await testPc();
  const { machine } = pc;
  const seen = watch(machine);
  assertEquals(machine.runState, "prelaunch");
  await machine.stop();
  assertEquals([machine.runState, seen], ["prelaunch", []]);
  await machine.cont();
  await machine.cont();
  assertEquals([machine.runState, seen.splice(0)], ["running", ["RESUME"]]);
  await machine.reset();
  assertEquals([machine.runState, seen.splice(0)], ["running", ["RESET"]]);
  await machine.stop();
  assertEquals([machine.runState, seen.splice(0)], ["paused", ["STOP"]]);
  await machine.reset();
  assertEquals([machine.runState, seen.splice(0)], ["prelaunch", ["RESET"]]);
  machine.powerDown();
  machine.announceShutdown("host-qmp-quit");
  assertEquals(seen, ["POWERDOWN", "SHUTDOWN"]);
});

Deno.test("a failed request whose policy is to stop stops the machine; cont forgives", async () => {
  await using pc = await testPc({ drives: [{ name: "d" }] });
  const { machine } = pc;
  const seen = watch(machine);
  const backend = machine.backends.find("d")!;
  await machine.cont();
  backend.werror = "stop";
  const stopped = new Promise((resolve) => machine.events.on("STOP", resolve));
  const failure = new BlockError({ kind: "io", operation: "write", errno: "ENOSPC" });
  assertEquals(backend.reportError("write", failure), "stop");
  await stopped;
  assertEquals([machine.runState, backend.ioStatus], ["io-error", "nospace"]);
  assertEquals(seen, ["RESUME", "BLOCK_IO_ERROR", "STOP"]);
  await machine.cont();
  assertEquals([machine.runState, backend.ioStatus], ["running", "ok"]);
});

Deno.test("changes of state wait for one another", async () => {
  await using pc = await testPc();
  const { machine } = pc;
  const order: string[] = [];
  machine.events.on("run-state", ({ now }) => void order.push(now));
  await Promise.all([machine.cont(), machine.stop(), machine.cont(), machine.reset(), machine.stop()]);
  assertEquals(order, ["running", "paused", "running", "paused"]);
});

Deno.test("the last 50 requests are kept, oldest first", async () => {
  await using pc = await testPc();
  const { machine } = pc;
  const about = { device: "ide0-hd0", path: "/machine/unattached/device[18]", command: "READ DMA EXT" };
  for (let lba = 0; lba < 60; lba++) {
    machine.context.request?.({ ...about, lba, bytes: 512, result: "ok", startNs: lba, durationNs: 1 });
  }
  assertEquals(machine.requests.list().map(({ lba }) => lba), Array.from({ length: 50 }, (_, index) => index + 10));
});

Deno.test("disposing closes drives, once", async () => {
  const pc = await testPc({ drives: [{ name: "d" }] });
  const { machine } = pc;
  await machine.cont();
  await pc[Symbol.asyncDispose]();
  await pc[Symbol.asyncDispose]();
  assertEquals(machine.backends.list(), []);
});
