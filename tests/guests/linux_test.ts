/**
 * Linux on the CPU: to a shell, through snapshots in the middle of disk I/O, stopped and going on.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { run } from "../support/programs.ts";
import { V86Accelerator } from "../../machine/mod.ts";
import { Vm } from "../../mod.ts";
import { TempFolder } from "../support/temp.ts";
import { md5 } from "./disk_files.ts";
import {
  BOOT_LIMIT_MS,
  bootLinux,
  IDE_MODULES,
  initrd,
  linuxPackages,
  QUICK_BOOT,
  shell,
  VIRTIO_MODULES,
} from "./linux.ts";

const packages = linuxPackages();

/** Writes numbered blocks in a loop, and says how far it is. */
const WRITER =
  "n=0; while [ $n -lt 40 ]; do dd if=/bin/busybox of=/dev/sda bs=64k count=8 seek=$((n * 8)) conv=fsync " +
  "2>/dev/null; n=$((n+1)); done; sync; echo wrote $n";

/** A disk of 1 MiB: every block of 4 KiB begins with its number and a mark. */
function markedDisk(mark: number): Uint8Array {
  const image = new Uint8Array(1 << 20);
  const view = new DataView(image.buffer);
  for (let at = 0; at < image.length; at += 4096) {
    image.fill(mark, at, at + 4096);
    view.setUint32(at, at);
  }
  return image;
}

Deno.test({
  name:
    "under moa's own firmware Linux runs to its shell, reads IDE and virtio disks, resets, and heeds the power button",
  ignore: packages === undefined,
  fn: async () => {
    await using temp = await TempFolder.make();
    const modules = [...IDE_MODULES, ...VIRTIO_MODULES, "drivers/acpi/button", "drivers/input/evdev"];
    const [ide, virtio] = [markedDisk(0x41), markedDisk(0x62)];
    const image = { initrd: await temp.write("initrd", initrd(packages!, modules)) };
    await using vm = await bootLinux(packages!, image, {
      bios: "built-in",
      drives: [
        `file=${await temp.write("ide", ide)},format=raw,if=ide`,
        `file=${await temp.write("virtio", virtio)},format=raw,if=virtio`,
      ],
    });
    const { accelerator } = vm.machine;
    assert(accelerator instanceof V86Accelerator);
    const { accesses, lookups } = accelerator.core.better;
    assert(accesses > 1000 && lookups > 50, `what the core compiles looks different: ${accesses}, ${lookups}`);
    const disksAreRead = async () => {
      assertEquals(await shell(vm, "md5sum < /dev/sda"), `${md5(ide)}  -\n`);
      assertEquals(await shell(vm, "md5sum < /dev/vda"), `${md5(virtio)}  -\n`);
    };
    await disksAreRead();
    // The tables are found, and what they say of interrupts holds.
    const tables = await shell(vm, "cd /sys/firmware/acpi/tables && echo ????");
    assertEquals(tables, "APIC DSDT FACP FACS HPET WAET data\n");
    assertEquals(await shell(vm, "cat /sys/class/dmi/id/bios_vendor /sys/class/dmi/id/sys_vendor"), "moa\nQEMU\n");
    assertMatch(await shell(vm, "grep acpi /proc/interrupts"), /IO-APIC +9-fasteoi/);
    await vm.reset();
    await vm.serial.waitFor("moa# ", { timeoutMs: BOOT_LIMIT_MS });
    await disksAreRead();
    await shell(vm, "button=$(grep -l LNXPWRBN /sys/class/input/event*/device/phys | cut -d/ -f5)");
    await shell(vm, "(head -c 16 /dev/input/$button > /dev/null; poweroff -f) & sleep 1");
    const said: unknown[] = [];
    vm.machine.events.on("SHUTDOWN", (event) => void said.push(event));
    await vm.powerdown();
    await vm.until("the guest to switch off", () => said.length > 0, { timeoutMs: BOOT_LIMIT_MS });
    assertEquals(said, [{ guest: true, reason: "guest-shutdown" }]);
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
        await using vm = await bootLinux(packages!, image, { hda: disk, smbios: ["type=1,serial=S12,,3"] });
        assertMatch(await shell(vm, "uname -m"), /i686/);
        assertEquals(await shell(vm, "cat /sys/class/dmi/id/product_serial"), "S12,3\n");
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
        append: QUICK_BOOT,
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
