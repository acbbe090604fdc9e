/**
 * Linux on the CPU: to a shell, through snapshots in the middle of disk I/O, stopped and going on.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { run } from "../support/programs.ts";
import { Vm } from "../../mod.ts";
import { BOOT_LIMIT_MS, bootLinux, IDE_MODULES, initrd, linuxPackages, shell } from "./linux.ts";

const packages = linuxPackages();

/** Writes numbered blocks in a loop, and says how far it is. */
const WRITER =
  "n=0; while [ $n -lt 40 ]; do dd if=/bin/busybox of=/dev/sda bs=64k count=8 seek=$((n * 8)) conv=fsync " +
  "2>/dev/null; n=$((n+1)); done; sync; echo wrote $n";

Deno.test({
  name: "moa's own firmware starts Debian's i386 kernel without a loader of QEMU's, and its RAM disk arrives",
  ignore: packages === undefined,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeFile(`${folder}/initrd`, initrd(packages!));
      await using vm = await Vm.start({
        accel: "v86",
        bios: "built-in",
        serial: ["script"],
        kernel: packages!.kernel,
        initrd: `${folder}/initrd`,
        append: "earlyprintk=serial console=ttyS0",
      });
      await vm.serial.waitFor(/Linux version .*-686 /, { timeoutMs: BOOT_LIMIT_MS });
      await vm.serial.waitFor(/RAMDISK: \[mem/, { timeoutMs: BOOT_LIMIT_MS });
      await vm.serial.waitFor(/Kernel command line: earlyprintk=serial console=ttyS0/, { timeoutMs: BOOT_LIMIT_MS });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name:
    "Debian's i386 kernel boots to a shell; savevm and loadvm amid writes, ten times, and in another process's place",
  ignore: packages === undefined,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const image = { initrd: `${folder}/initrd` };
      await Deno.writeFile(image.initrd, initrd(packages!, IDE_MODULES));
      const disk = `${folder}/disk.qcow2`;
      const { code } = await run("qemu-img", ["create", "-q", "-f", "qcow2", disk, "64M"]);
      assertEquals(code, 0);
      let expected: string;
      {
        await using vm = await bootLinux(packages!, image, { hda: disk });
        assertMatch(await shell(vm, "uname -m"), /i686/);
        await shell(vm, "mkdir /d; head -c 524288 /bin/busybox | md5sum > /tmp/sum");
        expected = await shell(vm, "cat /tmp/sum");
        await vm.serial.send(`${WRITER}\n`);
        await vm.serial.waitFor("\n");
        for (let time = 0; time < 10; time++) {
          await vm.savevm("a");
          await vm.loadvm("a");
        }
        await vm.serial.waitFor("wrote 40", { timeoutMs: 120_000 });
        await vm.serial.waitFor("moa# ", { timeoutMs: 120_000 });
        assertEquals(await shell(vm, "dd if=/dev/sda bs=512k skip=39 count=1 2>/dev/null | md5sum"), expected);
        await vm.stop();
        await vm.cont();
        await vm.serial.send(`${WRITER}\n`);
        await vm.serial.waitFor("\n");
        await vm.savevm("amid");
      }
      await using other = await Vm.start({
        memory: 128,
        serial: ["script"],
        hda: disk,
        kernel: packages!.kernel,
        initrd: image.initrd,
        append: "console=ttyS0 quiet panic=-1 ",
        loadvm: "amid",
      });
      await other.serial.waitFor("wrote 40", { timeoutMs: 120_000 });
      await other.serial.waitFor("moa# ", { timeoutMs: 120_000 });
      assertEquals(await shell(other, "dd if=/dev/sda bs=512k skip=39 count=1 2>/dev/null | md5sum"), expected);
      assert(other.machine.isRunning);
      await other.quit();
      assertEquals((await run("qemu-img", ["check", "-q", disk])).code, 0);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
