import { assert, assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../../base/io_vector.ts";
import { MiB } from "../../base/units.ts";
import { haveProgram, must } from "../../tests/support/programs.ts";
import { TempFolder } from "../../tests/support/temp.ts";
import { MachineError } from "../errors.ts";
import { testPc, type TestPcOptions } from "../testing.ts";
import { deleteSnapshot, listSnapshots, loadSnapshot, saveSnapshot } from "./mod.ts";

const ignore = !haveProgram("qemu-img");

async function image(temp: TempFolder, name: string, size = "8M"): Promise<string> {
  await must("qemu-img", ["create", "-q", "-f", "qcow2", temp.file(name), size]);
  return temp.file(name);
}

function pattern(seed: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 7 + seed) & 0xff);
}

async function refusal(work: () => Promise<unknown>): Promise<string> {
  return (await assertRejects(work, MachineError)).message;
}

Deno.test({
  name: "RAM, devices, clock and disks come back, also in another process's machine",
  ignore,
  async fn() {
    await using temp = await TempFolder.make();
    const file = await image(temp, "a.qcow2");
    const options: TestPcOptions = { drives: [{ name: "d", file }] };
    {
      await using pc = await testPc(options);
      const { machine, qtest } = pc;
      const backend = machine.backends.find("d")!;
      await machine.cont();
      qtest.write(0x12345, pattern(1, 5000));
      qtest.write(15 * MiB, pattern(2, 4096));
      qtest.out(0xcf8, 0x80000860, 4);
      qtest.out(0xcfc, 0x0b0a0905, 4);
      qtest.clockStep(123_456_789);
      await backend.write(65536, IoVector.of(pattern(3, 4096)));
      const taken = await saveSnapshot(machine, "one");
      assertEquals([taken.name, taken.vmClockNs, machine.runState], ["one", 123_456_789, "running"]);
      // About 5000 + 4096 bytes of RAM, the ROM area is not RAM, devices: far less than all of it.
      assert(taken.vmStateBytes > 9000 && taken.vmStateBytes < 1_000_000, `${taken.vmStateBytes} bytes`);
      qtest.fill(0, 15 * MiB, 0xee);
      qtest.out(0xcfc, 0, 4);
      qtest.clockStep(1e9);
      await backend.write(65536, IoVector.of(pattern(4, 4096)));
      await loadSnapshot(machine, "one");
      await checkState(pc);
      assertEquals(machine.runState, "running");
      await backend.write(65536, IoVector.of(pattern(5, 4096)));
    }
    {
      await using pc = await testPc(options);
      await loadSnapshot(pc.machine, "one");
      assertEquals(pc.machine.runState, "prelaunch");
      await checkState(pc);
    }
    await must("qemu-img", ["check", "-q", file]);
  },
});

async function checkState({ machine, qtest }: Awaited<ReturnType<typeof testPc>>): Promise<void> {
  assertEquals(qtest.read(0x12345, 5000), pattern(1, 5000));
  assertEquals(qtest.read(15 * MiB, 4096), pattern(2, 4096));
  assertEquals([qtest.readValue(0x12344, 1), qtest.readValue(15 * MiB - 1, 1)], [0, 0]);
  assertEquals(qtest.in(0xcf8, 4), 0x80000860);
  assertEquals(qtest.in(0xcfc, 4), 0x0b0a0905);
  assertEquals(qtest.clock.nowNs(), 123_456_789);
  const data = new Uint8Array(4096);
  await machine.backends.find("d")!.read(65536, IoVector.of(data));
  assertEquals(data, pattern(3, 4096));
}

Deno.test({
  name: "QEMU's rules and words: no disk, a raw disk, missing tags, replaced tags, partial lists",
  ignore,
  async fn() {
    await using temp = await TempFolder.make();
    const file = await image(temp, "a.qcow2");
    const other = await image(temp, "b.qcow2");
    const raw = await temp.write("r.raw", new Uint8Array(1 * MiB));
    const disk = { name: "ide0-hd0", file };
    {
      await using pc = await testPc({ drives: [{ name: "cd" }, { name: "ro", file: other, readOnly: true }] });
      const text = "no block device can store vmstate for snapshot";
      assertEquals(await refusal(() => saveSnapshot(pc.machine, "a")), text);
      assertEquals(await refusal(() => loadSnapshot(pc.machine, "a")), text);
      assertEquals(await refusal(async () => listSnapshots(pc.machine)), text);
      await deleteSnapshot(pc.machine, "a");
    }
    {
      await using pc = await testPc({ drives: [{ name: "ide0-hd1", file: raw, format: "raw" }] });
      await pc.machine.cont();
      const text = "Device 'ide0-hd1' is writable but does not support snapshots";
      assertEquals(await refusal(() => saveSnapshot(pc.machine, "a")), text);
      assertEquals(pc.machine.runState, "running");
      assertEquals(await refusal(() => loadSnapshot(pc.machine, "a")), text);
      assertEquals(pc.machine.runState, "restore-vm");
    }
    {
      await using pc = await testPc({ drives: [disk] });
      const { machine } = pc;
      await saveSnapshot(machine, "a");
      await saveSnapshot(machine, "a");
      const named = await saveSnapshot(machine);
      assert(/^vm-2026010[123]\d{6}$/.test(named.name), named.name);
      assertEquals(listSnapshots(machine).common.map(({ name }) => name), ["a", named.name]);
      assertEquals(
        await refusal(() => loadSnapshot(machine, "nope")),
        "Snapshot 'nope' does not exist in one or more devices",
      );
      await deleteSnapshot(machine, named.name);
      assertEquals(listSnapshots(machine), { common: listSnapshots(machine).common.slice(0, 1), partial: [] });
    }
    await must("qemu-img", ["snapshot", "-c", "disk", file]);
    {
      await using pc = await testPc({ drives: [disk, { name: "ide0-hd1", file: other }] });
      await saveSnapshot(pc.machine, "both");
      const lists = listSnapshots(pc.machine);
      assertEquals(lists.common.map(({ name, icount }) => [name, icount]), [["both", -1]]);
      assertEquals(lists.partial.map((list) => [list.disk, list.snapshots.map(({ name }) => name)]), [
        ["ide0-hd0", ["a", "disk"]],
      ]);
    }
    await must("qemu-img", ["check", "-q", file]);
    await must("qemu-img", ["check", "-q", other]);
  },
});

Deno.test({
  name: "what does not fit is refused by name before anything changes",
  ignore,
  async fn() {
    await using temp = await TempFolder.make();
    const file = await image(temp, "a.qcow2");
    const drives = [{ name: "d", file }];
    {
      await using pc = await testPc({ drives });
      pc.qtest.write(0, pattern(1, 64));
      await saveSnapshot(pc.machine, "a");
    }
    await must("qemu-img", ["snapshot", "-c", "disk", file]);
    {
      await using pc = await testPc({ drives, ramBytes: 32 * MiB });
      await pc.machine.backends.find("d")!.write(0, IoVector.of(pattern(9, 512)));
      pc.qtest.write(0, pattern(2, 64));
      assertEquals(
        await refusal(() => loadSnapshot(pc.machine, "a")),
        "Snapshot 'a' cannot be loaded: it has 16777216 bytes of RAM, this machine has 33554432",
      );
      assertEquals(
        await refusal(() => loadSnapshot(pc.machine, "disk")),
        "This is a disk-only snapshot. Revert to it  offline using qemu-img",
      );
      assertEquals(pc.qtest.read(0, 64), pattern(2, 64));
      const data = new Uint8Array(512);
      await pc.machine.backends.find("d")!.read(0, IoVector.of(data));
      assertEquals(data, pattern(9, 512));
    }
    await using pc = await testPc({ drives });
    await pc.machine.addDevice({ driver: "floppy", id: "extra", properties: [] });
    assertEquals(
      await refusal(() => loadSnapshot(pc.machine, "a")),
      "Snapshot 'a' cannot be loaded: it has no state for floppy at /machine/peripheral/extra",
    );
  },
});

Deno.test({
  name: "a snapshot of QEMU's own is refused by name, and its disk stays as it is",
  ignore: ignore || !haveProgram("qemu-system-x86_64"),
  async fn() {
    await using temp = await TempFolder.make();
    const file = await image(temp, "a.qcow2");
    const machine = ["-accel", "tcg", "-S", "-display", "none", "-monitor", "stdio", "-nodefaults", "-net", "none"];
    await must("qemu-system-x86_64", [...machine, "-hda", file], { stdin: "savevm theirs\nquit\n" });
    await using pc = await testPc({ drives: [{ name: "d", file }] });
    assertEquals(listSnapshots(pc.machine).common.map(({ name }) => name), ["theirs"]);
    assertEquals(
      await refusal(() => loadSnapshot(pc.machine, "theirs")),
      "Snapshot 'theirs' holds a VM state of QEMU's own, which only QEMU can load",
    );
  },
});

Deno.test({
  name: "a damaged state is found before anything changes",
  ignore,
  async fn() {
    await using temp = await TempFolder.make();
    const file = await image(temp, "a.qcow2");
    const marker = pattern(77, 4096);
    {
      await using pc = await testPc({ drives: [{ name: "d", file }] });
      pc.qtest.write(MiB, marker);
      await saveSnapshot(pc.machine, "a");
    }
    const bytes = await Deno.readFile(file);
    const needle = new TextDecoder("latin1").decode(marker.subarray(0, 64));
    const at = new TextDecoder("latin1").decode(bytes).indexOf(needle);
    assert(at > 0);
    bytes[at + 100]! ^= 1;
    await Deno.writeFile(file, bytes);
    await using pc = await testPc({ drives: [{ name: "d", file }] });
    pc.qtest.write(0, pattern(2, 64));
    assertEquals(
      await refusal(() => loadSnapshot(pc.machine, "a")),
      "Snapshot 'a' cannot be loaded: a section is damaged",
    );
    assertEquals(pc.qtest.read(0, 64), pattern(2, 64));
  },
});

Deno.test({
  name: "a disk with bitmaps does not go back, and no other disk either",
  ignore,
  async fn() {
    await using temp = await TempFolder.make();
    const a = await image(temp, "a.qcow2");
    const b = await image(temp, "b.qcow2");
    await must("qemu-img", ["bitmap", "--add", b, "x"]);
    await using pc = await testPc({ drives: [{ name: "a", file: a }, { name: "b", file: b }] });
    const { machine } = pc;
    await saveSnapshot(machine, "s");
    const backend = machine.backends.find("a")!;
    await backend.write(0, IoVector.of(pattern(4, 4096)));
    assertEquals(
      await refusal(() => loadSnapshot(machine, "s")),
      "Could not load snapshot 's' on 'b': Device has active dirty bitmaps",
    );
    const bytes = IoVector.allocate(4096);
    await backend.read(0, bytes);
    assertEquals(bytes.toBytes(), pattern(4, 4096));
  },
});
