import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { hostLibraryMissing } from "../../base/host/libc.ts";
import { MonitorError } from "../errors.ts";
import { testVm } from "../testing.ts";
import type { Vm } from "../vm.ts";

/** A client of `vm`; `ask` resolves to all lines that came until the answer to what was sent. */
function client(vm: Vm) {
  const lines: string[] = [];
  const session = vm.qmpServer.session({ pretty: false, send: (line) => lines.push(line.trimEnd()) });
  return {
    session,
    lines,
    async ask(text: string): Promise<string[]> {
      const from = lines.length;
      await session.push(new TextEncoder().encode(`${text}\n`));
      await session.settled();
      return lines.slice(from).map((line) => line.replace(/"seconds": \d+, "microseconds": \d+/, '"at": 0'));
    },
  };
}

function failure(desc: string, kind = "GenericError"): string {
  return `{"error": {"class": "${kind}", "desc": "${desc}"}}`;
}

Deno.test("a client is greeted, agrees, and is answered in order", async () => {
  await using vm = await testVm();
  const { lines, ask } = client(vm);
  assertMatch(lines[0]!, /^\{"QMP": \{"version": \{"qemu": .*\}, "package": ".*"\}, "capabilities": \["oob"\]\}\}$/);
  // Recorded from qemu-system-x86_64 7.2.
  const dialogue: [sent: string, ...got: string[]][] = [
    [
      '{"execute":"query-status"}',
      failure("Expecting capabilities negotiation with 'qmp_capabilities'", "CommandNotFound"),
    ],
    ['{"execute":"qmp_capabilities","arguments":{"x":1}}', failure("Parameter 'x' is unexpected")],
    ['{"exec-oob":"quit"}', failure("QMP input member 'exec-oob' is unexpected")],
    ['{"execute":"qmp_capabilities","arguments":{"enable":["oob","oob"]}}', '{"return": {}}'],
    [
      '{"execute":"qmp_capabilities"}',
      failure("Capabilities negotiation is already complete, command ignored", "CommandNotFound"),
    ],
    [
      '{"execute":"query-status","id":12345678901234567890}',
      '{"return": {"status": "prelaunch", "singlestep": false, "running": false}, "id": 12345678901234567890}',
    ],
    ['{"id":1,"execute":"x"}', '{"id": 1, ' + failure("The command x has not been found", "CommandNotFound").slice(1)],
    [
      '{"exec-oob":"qmp_capabilities","execute":"x"}',
      failure("QMP input member 'execute' clashes with 'exec-oob'"),
    ],
    ['{"exec-oob":"query-status"}', failure("The command query-status does not support OOB")],
    ['{"exec-oob":5}', failure("QMP input member 'exec-oob' must be a string")],
    ['{"execute":"query-status","foo":1}', failure("QMP input member 'foo' is unexpected")],
    ['{"execute":"query-status","arguments":[]}', failure("QMP input member 'arguments' must be an object")],
    ["{}", failure("QMP input lacks member 'execute'")],
    ["[]", failure("QMP input must be a JSON object")],
    ["{,}", failure("JSON parse error, expecting value")],
    ['{"execute":"system_powerdown"}', '{"timestamp": {"at": 0}, "event": "POWERDOWN"}', '{"return": {}}'],
    ['{"execute":"cont"}', '{"timestamp": {"at": 0}, "event": "RESUME"}', '{"return": {}}'],
    [
      '{"execute":"stop"}{"execute":"stop","id":[]}',
      '{"timestamp": {"at": 0}, "event": "STOP"}',
      '{"return": {}}',
      '{"return": {}, "id": []}',
    ],
    [
      '{"execute":"human-monitor-command","arguments":{"command-line":"info status"}}',
      '{"return": "VM status: paused\\r\\n"}',
    ],
    [
      '{"execute":"quit","id":9}',
      '{"timestamp": {"at": 0}, "event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}',
      '{"return": {}, "id": 9}',
    ],
  ];
  for (const [sent, ...got] of dialogue) assertEquals(await ask(sent), got, sent);
  await vm.closed;
});

Deno.test("arguments are refused in the words of QEMU's visitor", async () => {
  await using vm = await testVm();
  const { ask } = client(vm);
  await ask('{"execute":"qmp_capabilities"}');
  await ask('{"execute":"blockdev-add","arguments":{"driver":"null-co","node-name":"n0","size":1048576}}');
  // Recorded from qemu-system-x86_64 7.2.
  const refused: [command: string, data: string, desc: string][] = [
    [
      "block-dirty-bitmap-add",
      '{"node":"n0","name":"b","granularity":4294967296}',
      "Parameter 'granularity' expects uint32_t",
    ],
    ["block-dirty-bitmap-add", '{"node":"n0","name":"b","granularity":-1}', "Parameter 'granularity' expects uint32_t"],
    [
      "block-dirty-bitmap-add",
      '{"node":"n0","name":"b","persistent":1}',
      "Invalid parameter type for 'persistent', expected: boolean",
    ],
    ["block-dirty-bitmap-add", '{"x":1,"y":2,"node":"n0"}', "Parameter 'name' is missing"],
    ["block-dirty-bitmap-add", '{"z":1,"y":2,"node":"n0","name":"b"}', "Parameter 'z' is unexpected"],
    [
      "block-dirty-bitmap-merge",
      '{"node":"n0","target":"b","bitmaps":[5]}',
      "Invalid parameter type for 'null', expected: BlockDirtyBitmapOrStr",
    ],
    ["block_resize", '{"device":"x","size":1.5}', "Invalid parameter type for 'size', expected: integer"],
    [
      "block_resize",
      '{"device":"x","size":9223372036854775808}',
      "Invalid parameter type for 'size', expected: integer",
    ],
    ["block_resize", '{"size":512}', "Cannot find device='' nor node-name=''"],
    ["query-named-block-nodes", '{"flat":"x"}', "Invalid parameter type for 'flat', expected: boolean"],
    ["blockdev-add", '{"driver":"null-co"}', "'node-name' must be specified for the root node"],
    ["blockdev-add", '{"driver":"null-co","node-name":"n0"}', "Duplicate nodes with node-name='n0'"],
    ["blockdev-add", '{"driver":"raw","file":5}', "Invalid parameter type for 'file', expected: BlockdevRef"],
    ["blockdev-del", '{"node-name":"zz"}', "Failed to find node with node-name='zz'"],
    ["eject", "{}", "Need exactly one of 'device' and 'id'"],
  ];
  for (const [command, data, desc] of refused) {
    assertEquals(await ask(`{"execute":"${command}","arguments":${data}}`), [failure(desc)], `${command} ${data}`);
  }
});

Deno.test("nodes and bitmaps come, are listed and go", async () => {
  await using vm = await testVm();
  await vm.qmp("blockdev-add", { driver: "null-co", "node-name": "n0", size: 1048576 });
  await vm.qmp("blockdev-add", { driver: "raw", "node-name": "r0", file: "n0" });
  await vm.qmp("block-dirty-bitmap-add", { node: "r0", name: "b" });
  const nodes = await vm.qmp("query-named-block-nodes", { flat: true });
  assertEquals(nodes.map((node) => node["node-name"]), ["r0", "n0"]);
  assertEquals(nodes[0]!["dirty-bitmaps"]!.map(({ name, recording }) => [name, recording]), [["b", true]]);
  // Recorded: the checksum of a bitmap of 1 MiB in which nothing is dirty.
  assertEquals(
    (await vm.qmp("x-debug-block-dirty-bitmap-sha256", { node: "r0", name: "b" })).sha256,
    "af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc",
  );
  await assertRejects(() => vm.qmp("blockdev-del", { "node-name": "n0" }), MonitorError, "Block device n0 is in use");
  await vm.qmp("blockdev-del", { "node-name": "r0" });
  await vm.qmp("blockdev-del", { "node-name": "n0" });
  assertEquals(await vm.qmp("query-named-block-nodes", {}), []);
});

Deno.test("a client that sends more than is answered waits, and others do not", async () => {
  await using vm = await testVm();
  const flood = client(vm);
  const other = client(vm);
  await other.ask('{"execute":"qmp_capabilities"}');
  const sending = flood.session.push(new TextEncoder().encode('{"execute":"qmp_capabilities"}'.repeat(1000)));
  assertEquals((await other.ask('{"execute":"query-name"}')).length, 1);
  await sending;
  await flood.session.settled();
  assertEquals(flood.lines.length, 1001);
});

Deno.test("a machine ends while jobs run, and its clients hear of them", async () => {
  await using vm = await testVm();
  const { ask, lines } = client(vm);
  await ask('{"execute":"qmp_capabilities"}');
  for (const name of ["s", "t"]) await vm.qmp("blockdev-add", { driver: "null-co", "node-name": name, size: 67108864 });
  const common = { device: "s", target: "t", "job-id": "j" };
  await vm.qmp("blockdev-backup", { ...common, sync: "full", speed: 1, "auto-dismiss": false });
  await assertRejects(() => vm.qmp("blockdev-backup", { ...common, sync: "full" }), Error, "Node 's' is busy");
  await vm.qmp("job-pause", { id: "j" });
  assertEquals((await vm.qmp("query-jobs", {})).map(({ id, type }) => [id, type]), [["j", "backup"]]);
  await vm.quit();
  const states = lines.flatMap((line) => /"status": "([a-z]+)"/.exec(line)?.[1] ?? []);
  assertEquals(states.slice(-4), ["running", "aborting", "concluded", "null"]);
});

Deno.test("out of band: an answer overtakes a command that waits", async () => {
  await using vm = await testVm();
  const { lines, session, ask } = client(vm);
  await ask('{"execute":"qmp_capabilities","arguments":{"enable":["oob"]}}');
  const { promise: gate, resolve: letGo } = Promise.withResolvers<void>();
  const holding = vm.hmp.exclusive(() => gate);
  const from = lines.length;
  await session.push(new TextEncoder().encode(
    '{"execute":"query-name","id":1}{"exec-oob":"query-yank","id":2}' +
      '{"exec-oob":"yank","id":3,"arguments":{"instances":[{"type":"chardev","id":"x"}]}}',
  ));
  while (lines.length < from + 2) await new Promise((resolve) => setTimeout(resolve, 1));
  assertEquals(lines.slice(from), [
    '{"return": [], "id": 2}',
    '{"id": 3, "error": {"class": "DeviceNotFound", "desc": "Instance not found"}}',
  ]);
  letGo();
  await holding;
  await session.settled();
  assertEquals(lines.at(-1), '{"return": {}, "id": 1}');
});

Deno.test({
  name: "where a new pseudo terminal is, the protocol answers and the prompt prints",
  ignore: hostLibraryMissing() !== undefined,
  async fn() {
    await using vm = await testVm();
    const { ask } = client(vm);
    await ask('{"execute":"qmp_capabilities"}');
    const [answer] = await ask('{"execute":"chardev-add","arguments":{"id":"p","backend":{"type":"pty","data":{}}}}');
    assertMatch(answer!, /^\{"return": \{"pty": "\/dev\/pts\/\d+"\}\}$/);
    assertMatch(await vm.monitor("chardev-add pty,id=q"), /^char device redirected to \/dev\/pts\/\d+ \(label q\)\n$/);
    assertEquals(await vm.monitor("chardev-change p null"), "");
  },
});
