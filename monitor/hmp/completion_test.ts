import { assert, assertEquals } from "@std/assert";
import { testVm } from "../testing.ts";

Deno.test("what Tab offers, by what a command takes", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/one.img`, "");
    await Deno.mkdir(`${folder}/only`);
    await using vm = await testVm({
      drives: ["driver=null-co,if=none,id=disk0", "driver=null-co,if=none,id=disk1", "if=none,id=cd"],
    });
    const session = vm.hmp.session();
    const offers = async (line: string) => {
      const { start, candidates } = await session.complete(line);
      return candidates.map((word) => line.slice(0, start) + word).sort();
    };
    assertEquals(await offers("sav"), ["savevm"]);
    assertEquals(await offers("system_"), ["system_powerdown", "system_reset"]);
    assertEquals(await offers("info st"), ["info status"]);
    assertEquals(await offers("help info v"), ["help info version"]);
    assertEquals(await offers("info block di"), ["info block disk0", "info block disk1"]);
    assertEquals(await offers("eject -f c"), ["eject -f cd"]);
    assertEquals(await offers("eject disk0 c"), []);
    assertEquals(await offers("trace-event ide_exec"), ["trace-event ide_exec_cmd"]);
    assertEquals(await offers("trace-event ide_exec_cmd o"), [
      "trace-event ide_exec_cmd off",
      "trace-event ide_exec_cmd on",
    ]);
    assertEquals(await offers(`change cd ${folder}/on`), [`change cd ${folder}/one.img`, `change cd ${folder}/only/`]);
    assertEquals(await offers("drive_add 0 if=none,read"), [
      "drive_add 0 if=none,read-only=",
      "drive_add 0 if=none,readonly=",
    ]);
    assertEquals(await offers("drive_add 0 if=none,cache=write"), [
      "drive_add 0 if=none,cache=writeback",
      "drive_add 0 if=none,cache=writethrough",
    ]);
    assertEquals(await offers(`drive_add 0 file=${folder}/one`), [`drive_add 0 file=${folder}/one.img`]);
    assertEquals(await offers('qemu-io disk0 "wr'), ['qemu-io disk0 "write', 'qemu-io disk0 "writev']);
    assertEquals(await offers("nonsense x"), []);
    assertEquals(await offers(`change cd ${folder}/missing/x`), []);
    assert((await offers("")).length > 30);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
