import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { TempFolder } from "../../tests/support/temp.ts";
import { MachineError } from "../../machine/mod.ts";
import { Vm } from "../vm.ts";
import { readLinuxFiles } from "./linux_files.ts";

Deno.test("a kernel's files that cannot be read are named", async () => {
  await using temp = await TempFolder.make();
  const [missing, kernel] = [`${temp.path}/nosuch`, `${temp.path}/kernel`];
  Deno.writeTextFileSync(kernel, "text");
  // Texts of qemu-system-x86_64 7.2.
  const opening = `could not open kernel file '${missing}': No such file or directory`;
  assertThrows(() => readLinuxFiles({ kernel: missing }), MachineError, opening);
  assertThrows(
    () => readLinuxFiles({ kernel, initrd: missing }),
    MachineError,
    `error reading initrd ${missing}: No such file or directory`,
  );
  assertThrows(() => readLinuxFiles({ kernel: temp.path }), MachineError, "Is a directory");
  assertEquals(readLinuxFiles({ kernel }).kernel.length, 4);
  for (const names of [{ kernel: "/dev/zero" }, { kernel, initrd: "/dev/zero" }]) {
    assertThrows(() => readLinuxFiles(names), MachineError, "File too large (more than 256 MiB)");
  }
  await assertRejects(() => Vm.start({ kernel: missing }), MachineError, opening);
});
