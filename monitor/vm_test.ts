import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import "../base/host/preload.ts";
import { WiringError } from "../machine/mod.ts";
import { COMMANDS } from "./commands/mod.ts";
import { MonitorError } from "./errors.ts";
import { testVm } from "./testing.ts";
import { Vm } from "./vm.ts";
import { requestLine, WaitError } from "./vm/waits.ts";

/** The IDE ports that the test guest uses. */
const PORT = { count: 0x1f2, low: 0x1f3, mid: 0x1f4, high: 0x1f5, device: 0x1f6, command: 0x1f7 } as const;

const NULL_DISK = "driver=null-co,size=1M,read-zeroes=on,if=ide,index=0";

Deno.test("commands answer with data", async () => {
  await using vm = await testVm({ drives: [NULL_DISK], name: "a test" });
  assertEquals(await vm.info.status(), { running: false, status: "prelaunch" });
  await vm.cont();
  assertEquals(await vm.info.status(), { running: true, status: "running" });
  await vm.stop();
  assertEquals((await vm.info.status()).status, "paused");
  assertEquals(await vm.info.name(), "a test");
  const { devices } = await vm.info.block();
  assertEquals(devices.map(({ device, inserted }) => [device, inserted?.driver]), [["ide0-hd0", "null-co"]]);
  assertEquals((await vm.readPort(PORT.command)).value, 0x50);
  await vm.writePort(0x80, 0x55);
  assertEquals(await vm.sum(0, 16), 0);
  assertEquals((await vm.readMemory(0, 4)).bytes, new Uint8Array(4));
  assertEquals(await vm.bootSet("dc"), "dc");
});

Deno.test("errors are objects with QEMU's text; at the prompt they are lines", async () => {
  await using vm = await testVm();
  await assertRejects(() => vm.eject("nope"), MonitorError, "Device 'nope' not found");
  assertEquals(await vm.monitor("eject nope"), "Error: Device 'nope' not found\n");
  await assertRejects(() => vm.bootSet("cc"), MonitorError, "Boot device 'c' was given twice");
  await assertRejects(() => vm.qemuIo("nope", "read 0 1"), MonitorError, "Cannot find device='' nor node-name='nope'");
});

Deno.test("a machine that cannot be built leaves nothing open", async () => {
  await assertRejects(
    () => Vm.start({ hda: "/nonexistent/a.img" }),
    WiringError,
    "Could not open '/nonexistent/a.img'",
  );
  await assertRejects(() => testVm({ devices: ["ide-hd,drive=nope"] }), WiringError, "can't find value 'nope'");
  await assertRejects(() => testVm({ drives: ["if=pflash,driver=null-co"] }), WiringError, "if=pflash");
});

Deno.test("devices show registers by name, properties, state and requests", async () => {
  await using vm = await testVm({ drives: [NULL_DISK] });
  const disk = vm.device("ide0-hd0");
  assertEquals([disk.type, disk.properties.unit, disk.registers.status], ["ide-hd", 0, 0x50]);
  assertEquals(vm.device(disk.path).type, "ide-hd");
  assert(disk.state.version >= 1);
  const requests: string[] = [];
  vm.on("request", { device: "ide0-hd0", command: /READ/ }, (request) => void requests.push(requestLine(request)));
  const found = vm.request({ command: "READ SECTOR(S)" });
  await vm.cont();
  const { guest } = vm;
  await guest.out8(PORT.device, 0xe0);
  await guest.out8(PORT.count, 1);
  for (const port of [PORT.low, PORT.mid, PORT.high]) await guest.out8(port, port === PORT.low ? 3 : 0);
  await guest.out8(PORT.command, 0x20);
  await vm.until("data is ready", async () => (await vm.readPort(PORT.command)).value === 0x58);
  const sector = new Uint8Array(512);
  await guest.ins16(0x1f0, sector);
  assertEquals(sector, new Uint8Array(512));
  assertEquals([(await found).lba, (await found).sectors, (await found).result], [3, 1, "ok"]);
  assertEquals(requests.length, 1);
  assertEquals(disk.requests.length, 1);
});

Deno.test("a wait that fails tells the guest's last requests", async () => {
  await using vm = await testVm({ drives: [NULL_DISK] });
  await vm.writePort(PORT.command, 0xe7);
  await vm.until("the cache is flushed", () => vm.device("ide0-hd0").requests.length > 0);
  const error = await assertRejects(
    () => vm.request({ command: "NEVER" }, { timeoutMs: 1 }),
    WaitError,
    "a request: not within 1 ms (machine is prelaunch)",
  );
  assert(error.message.includes("FLUSH CACHE"), error.message);
  assertEquals(error.requests.length, 1);
  await assertRejects(() => vm.event("STOP", { timeoutMs: 1 }), WaitError, "event STOP");
});

Deno.test("a drive can be read and written past the guest", async () => {
  await using vm = await testVm({ drives: ["driver=memory,size=1M,if=none,id=m"] });
  const drive = vm.backend("m");
  await drive.write(512, Uint8Array.of(1, 2, 3, 4));
  assertEquals(await drive.read(510, 8), Uint8Array.of(0, 0, 1, 2, 3, 4, 0, 0));
  assertEquals(drive.sizeBytes, 1 << 20);
  assertEquals((await drive.info()).inserted?.driver, "memory");
  assertEquals((await vm.info.blockstats())[0]?.writeOperations, 0);
});

Deno.test("drives come and go", async () => {
  await using vm = await testVm({ drives: ["driver=null-co,if=ide,index=2,media=cdrom"] });
  await vm.driveAdd("driver=null-co,if=none,id=d1");
  assertEquals(await vm.monitor("drive_add 0 driver=null-co,if=none,id=d1"), "Duplicate ID 'd1' for drive\n");
  await vm.driveDel("d1");
  await vm.nodeAdd("driver=null-co,node-name=n1");
  assertEquals((await vm.info.block({ device: "n1" })).nodes[0]?.nodeName, "n1");
  await vm.driveDel("n1");
  await vm.eject("ide1-cd0");
  const [cd] = (await vm.info.block()).devices;
  assertEquals([cd?.inserted, cd?.trayOpen], [undefined, true]);
});

Deno.test("traces go to the log's file", async () => {
  const file = await Deno.makeTempFile();
  try {
    await using vm = await testVm({ drives: [NULL_DISK] });
    await vm.logfile(file);
    await vm.traceEvent("ide_exec_cmd", true);
    await vm.writePort(PORT.command, 0xec);
    await vm.until("it is logged", async () => (await Deno.readTextFile(file)).startsWith("ide_exec_cmd "));
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("decoded requests are traced while they are wanted", async () => {
  await using vm = await testVm({ drives: [NULL_DISK] });
  const lines: string[] = [];
  vm.machine.trace.sink = (line) => void lines.push(line.replace(/[\d.]+ us$/, "T us"));
  const flushOnce = async (count: number) => {
    await vm.writePort(PORT.command, 0xe7);
    await vm.until("the cache is flushed", () => vm.device("ide0-hd0").requests.length === count);
  };
  await vm.traceEvent("*_request", true);
  await flushOnce(1);
  await vm.traceEvent("*_request", false);
  await flushOnce(2);
  assertEquals(lines, [
    "block_request ide0-hd0 flush offset=0 bytes=0 ok T us",
    "ide_request ide0-hd0 FLUSH CACHE bytes=0 ok T us",
  ]);
});

Deno.test("quit at a prompt ends the machine", async () => {
  await using vm = await testVm();
  await vm.monitor("quit");
  await vm.closed;
});

Deno.test("every command has a method", () => {
  const methods: Record<keyof typeof COMMANDS, string | undefined> = {
    "block_resize": "blockResize",
    "block_set_io_throttle": "setIoThrottle",
    "explain": "explain",
    "graph": "graph",
    "boot_set": "bootSet",
    "change": "change",
    "commit": "commit",
    "cont": "cont",
    "delvm": "delvm",
    "device_add": "deviceAdd",
    "device_del": "deviceDel",
    "drive_add": "driveAdd",
    "drive_del": "driveDel",
    "eject": "eject",
    "gpa2hva": undefined,
    "gva2gpa": undefined,
    "help": undefined,
    "i": "readPort",
    "info": undefined,
    "loadvm": "loadvm",
    "log": "setLog",
    "logfile": "logfile",
    "o": "writePort",
    "print": undefined,
    "qemu-io": "qemuIo",
    "query-block": "info.block",
    "query-blockstats": "info.blockstats",
    "query-history": undefined,
    "query-irq": "info.irq",
    "query-lapic": "info.lapic",
    "query-mem": "info.mem",
    "query-mtree": "info.mtree",
    "query-name": "info.name",
    "query-pci": "info.pci",
    "query-pic": "info.pic",
    "query-qtree": "info.qtree",
    "query-registers": "info.registers",
    "query-roms": "info.roms",
    "query-snapshots": "info.snapshots",
    "query-status": "info.status",
    "query-tlb": "info.tlb",
    "query-trace-events": "info.traceEvents",
    "query-uuid": "info.uuid",
    "query-version": "info.version",
    "quit": "quit",
    "screendump": "screendump",
    "sendkey": "sendKeys",
    "savevm": "savevm",
    "stop": "stop",
    "sum": "sum",
    "system_powerdown": "powerdown",
    "system_reset": "reset",
    "trace-event": "traceEvent",
    "query-mice": undefined,
    "mouse_button": undefined,
    "mouse_move": undefined,
    "mouse_set": undefined,
    // Jobs, objects and character devices: scripts have the protocol's commands, typed, in `vm.qmp`.
    "block_job_cancel": undefined,
    "block_job_complete": undefined,
    "block_job_pause": undefined,
    "block_job_resume": undefined,
    "block_job_set_speed": undefined,
    "block_stream": undefined,
    "chardev-add": undefined,
    "chardev-change": undefined,
    "chardev-remove": undefined,
    "chardev-send-break": undefined,
    "drive_backup": undefined,
    "drive_mirror": undefined,
    "object_add": undefined,
    "object_del": undefined,
    "qom-get": undefined,
    "qom-list": undefined,
    "qom-set": undefined,
    "query-block-jobs": undefined,
    "query-chardev": undefined,
    "query-cpus-fast": undefined,
    "query-iothreads": undefined,
    "query-memory-size-summary": undefined,
    "ringbuf_read": undefined,
    "ringbuf_write": undefined,
    "query-qom-tree": undefined,
    "snapshot_blkdev": undefined,
    "snapshot_blkdev_internal": undefined,
    "snapshot_delete_blkdev_internal": undefined,
    "x": undefined,
    "xp": "readMemory",
  };
  const onVm = new Set(Object.getOwnPropertyNames(Vm.prototype));
  for (const [command, method] of Object.entries(methods)) {
    assert(command in COMMANDS);
    if (method !== undefined && !method.startsWith("info.")) assert(onVm.has(method), `${command}: ${method}`);
  }
});

Deno.test("without a CPU info pic, lapic and irq show the board's own chips", async () => {
  await using vm = await Vm.start({ accel: "qtest" });
  await vm.writePort(0x20, 0x11);
  for (const word of [0x08, 0x04, 0x13]) await vm.writePort(0x21, word);
  await vm.writePort(0x21, 0x5a);
  await vm.writePort(0x4d1, 0xff);
  const text = await vm.monitor("info pic");
  assertStringIncludes(text, "  pin 0  0x0000000000010000 dest=0 vec=0   active-hi edge  masked fixed  physical\n");
  assertStringIncludes(text, "pic1: irr=00 imr=00 isr=00 hprio=0 irq_base=00 rr_sel=0 elcr=de fnm=0\n");
  assertMatch(text, /pic0: irr=.. imr=5a isr=00 hprio=0 irq_base=08 rr_sel=0 elcr=00 fnm=1\n/);
  assertStringIncludes(await vm.monitor("info lapic"), "ICR2\t 0x00000000 cpu 0 (APIC ID)\n");
  const before = (await vm.info.irq())[1]!;
  await vm.writePort(0x64, 0x60);
  await vm.writePort(0x60, 0x61);
  await vm.writePort(0x64, 0xd2);
  await vm.writePort(0x60, 0x1c);
  assertEquals((await vm.info.irq())[1], before + 1);
});
