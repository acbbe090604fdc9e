import { assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { TempFolder } from "../../tests/support/temp.ts";
import { MonitorError } from "../errors.ts";
import { testVm } from "../testing.ts";
import { createImage } from "../vm/images.ts";
import type { Vm } from "../vm.ts";

/** A machine with `top.qcow2` over `base.qcow2` in its first drive; 64 KiB clusters. */
async function chainVm(temp: TempFolder): Promise<Vm> {
  const [base, top] = [temp.file("base.qcow2"), temp.file("top.qcow2")];
  await createImage({ filename: base, format: "qcow2", size: 4194304 });
  await createImage({ filename: top, format: "qcow2", values: { backing_file: base, backing_fmt: "qcow2" } });
  const vm = await testVm({ strict: false, drives: [`file=${base},format=qcow2,if=none,id=b`] });
  await vm.qemuIo("b", "write -P 1 0 128k");
  await vm.driveDel("b");
  await vm.driveAdd(`file=${top},format=qcow2,if=none,id=d`);
  return vm;
}

Deno.test("graph draws each drive with what is below it, and who uses what for what", async () => {
  await using temp = await TempFolder.make();
  await using vm = await chainVm(temp);
  const { boxes, lines } = await vm.graph("d");
  assertEquals(boxes.map(({ kind, type, readOnly }) => [kind, type, readOnly]), [
    ["drive", "no device", false],
    ["node", "qcow2", false],
    ["node", "file", false],
    ["node", "qcow2", true],
    ["node", "file", true],
  ]);
  assertEquals(lines.map(({ from, to, role }) => [from, role, to]), [
    [1, "file", 2],
    [3, "file", 4],
    [1, "backing", 3],
    [0, "root", 1],
  ]);
  const backing = lines.find(({ role }) => role === "backing")!;
  // No device has the drive yet, so that others may do with it as they like.
  assertEquals(backing.uses, ["consistent-read"]);
  assertEquals(backing.letsOthers, ["consistent-read", "write", "write-unchanged", "resize"]);
  const text = await vm.monitor("graph");
  assertMatch(text, /^d \(no device\)\n└─ root: #block\d+ \(qcow2\) .*top\.qcow2, 4 MiB\n/);
  await assertRejects(() => vm.graph("nosuch"), MonitorError, "Cannot find device='nosuch' nor node-name='nosuch'");
});

Deno.test("graph and explain show the filter of a job, and what the job itself uses", async () => {
  await using temp = await TempFolder.make();
  await using vm = await chainVm(temp);
  await vm.monitor("block_stream d 1");
  const { boxes, lines } = await vm.graph("d");
  assertEquals(boxes.map(({ kind, type }) => [kind, type]), [
    ["drive", "no device"],
    ["node", "copy-on-read"],
    ["node", "qcow2"],
    ["node", "file"],
    ["node", "qcow2"],
    ["node", "file"],
    ["user", "stream job"],
  ]);
  const job = boxes.find(({ kind }) => kind === "user")!;
  assertEquals([job.name, lines.filter(({ from }) => from === job.id).map(({ role }) => role)], [
    "d",
    ["main node", "intermediate node"],
  ]);
  const { steps, outcome } = await vm.explain("d", 3 * 1048576);
  assertEquals(steps.map(({ driver }) => driver), ["copy-on-read", "qcow2", "qcow2"]);
  assertMatch(steps[0]!.findings[0]!, /^a filter: #block\d+ is asked$/);
  assertEquals(outcome, "zeroes");
  await vm.monitor("block_job_cancel d");
});

Deno.test("graph --svg writes a picture, or says why not", async () => {
  await using temp = await TempFolder.make();
  await using vm = await chainVm(temp);
  assertEquals(await vm.monitor(`graph d --svg ${temp.file("g.svg")}`), `${temp.file("g.svg")} written\n`);
  const svg = await Deno.readTextFile(temp.file("g.svg"));
  assertEquals([svg.match(/<rect /g)?.length, svg.match(/<line /g)?.length], [5, 4]);
  assertEquals(
    await vm.monitor(`graph --svg ${temp.file("no/g.svg")}`),
    `Error: Could not write '${temp.file("no/g.svg")}': No such file or directory\n`,
  );
  assertEquals(await vm.monitor("graph --svg"), "Error: --svg needs the name of a file\n");
});

Deno.test("explain follows a read to the host's byte, and names the snapshots that share it", async () => {
  await using temp = await TempFolder.make();
  await using vm = await chainVm(temp);
  await vm.qemuIo("d", "write -P 2 64k 64k");
  const inTop = await vm.explain("d", 65536 + 5);
  assertEquals(inTop.steps.map(({ driver }) => driver), ["qcow2", "file"]);
  // The first data cluster follows header, refcount table, refcount block, L1 table and L2 table.
  assertStringIncludes(inTop.outcome, `byte ${5 * 65536 + 5} (0x50005) of ${temp.file("top.qcow2")}`);
  const inBase = await vm.explain("d", 0);
  assertEquals(inBase.steps.map(({ driver }) => driver), ["qcow2", "qcow2", "file"]);
  assertEquals((await vm.explain("d", 3 * 1024 * 1024)).outcome, "zeroes");
  await vm.savevm("s1");
  assertStringIncludes(await vm.monitor("explain d 0x10000"), "refcount 2\n    shared with snapshot 's1'\n");
  assertEquals(await vm.monitor("explain d 0x400000"), "Error: d has 4194304 bytes, 4194304 is not among them\n");
});

Deno.test("under QEMU's name neither is there", async () => {
  await using vm = await testVm({ strict: true });
  assertEquals(await vm.monitor("graph"), "unknown command: 'graph'\n");
  assertEquals(await vm.monitor("explain d 0"), "unknown command: 'explain'\n");
});
