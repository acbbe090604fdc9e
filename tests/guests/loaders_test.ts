/**
 * ISOLINUX and GRUB under moa's own firmware: menus, files that they read, kernels that they start.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Vm } from "../../mod.ts";
import { haveProgram } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { boot, PATIENCE_MS } from "./booted.ts";
import { md5 } from "./disk_files.ts";
import { BOOT_LIMIT_MS, CD_MODULES, IDE_MODULES, initrd, linuxPackages, shell } from "./linux.ts";
import { grubDisk, isolinuxCd, loaderPackages } from "./loaders.ts";

const packages = linuxPackages();
const loaders = loaderPackages();

Deno.test({
  name:
    "ISOLINUX boots Linux from a CD under moa's own firmware; without ACPI it reads the CD, and switches off by APM",
  ignore: packages === undefined || loaders === undefined,
  fn: async () => {
    await using temp = await TempFolder.make();
    const words = new TextEncoder().encode("found on the CD\n".repeat(1000));
    const apm = `${packages!.modules}/kernel/arch/x86/kernel/apm.ko`;
    const configuration = [
      "SERIAL 0 115200",
      "DEFAULT shell",
      "PROMPT 1",
      "LABEL shell",
      "  KERNEL /vmlinuz",
      "  APPEND initrd=/initrd console=ttyS0 quiet panic=-1 acpi=off",
    ].join("\n");
    const cd = isolinuxCd(loaders!, configuration, {
      vmlinuz: await Deno.readFile(packages!.kernel),
      initrd: initrd(packages!, [...IDE_MODULES, ...CD_MODULES], { "apm.ko": await Deno.readFile(apm) }),
      words,
    });
    await using vm = await Vm.start({
      accel: "v86",
      bios: "built-in",
      memory: 128,
      serial: ["script"],
      cdrom: await temp.write("cd.iso", cd),
      boot: "d",
    });
    await vm.serial.waitFor("boot: ", { timeoutMs: PATIENCE_MS });
    await vm.type("shell");
    await vm.sendKeys("ret");
    await vm.serial.waitFor("moa# ", { timeoutMs: BOOT_LIMIT_MS });
    assertEquals(await shell(vm, "mkdir -p /mnt/cd && mount -r -t iso9660 /dev/sr0 /mnt/cd && echo yes"), "yes\n");
    assertEquals(await shell(vm, "md5sum < /mnt/cd/words"), `${md5(words)}  -\n`);
    // Found by the MP table; version, and that there is no battery, by the firmware's code of 32 bits.
    assertMatch(await shell(vm, "grep ttyS0 /proc/interrupts"), /IO-APIC +4-edge/);
    assertMatch(await shell(vm, "insmod /apm.ko power_off=1; cat /proc/apm"), / 1\.2 0x03 0x01 0xff 0x80 /);
    const said: unknown[] = [];
    vm.machine.events.on("SHUTDOWN", (event) => void said.push(event));
    await vm.serial.send("poweroff -f\n");
    await vm.until("Linux to switch off", () => said.length > 0, { timeoutMs: BOOT_LIMIT_MS });
    assertEquals(said, [{ guest: true, reason: "guest-shutdown" }]);
  },
});

Deno.test({
  name: "GRUB starts from a disk under moa's own firmware, reads files, sees VESA modes, and switches off by ACPI",
  ignore: loaders === undefined || !haveProgram("mke2fs") || !haveProgram("grub-mkimage"),
  fn: async () => {
    await using temp = await TempFolder.make();
    const lines = [
      "serial --unit=0",
      "terminal_output serial",
      "cat /words",
      "videoinfo",
      "echo the end",
      "halt",
    ];
    const disk = await grubDisk(temp, loaders!, { "grub/grub.cfg": lines.join("\n"), words: "read by GRUB\n" });
    await using machine = await boot(disk, { bios: "built-in", serial: ["script"] });
    const { vm } = machine;
    const said: unknown[] = [];
    vm.machine.events.on("SHUTDOWN", (event) => void said.push(event));
    await vm.serial.waitFor("read by GRUB", { timeoutMs: PATIENCE_MS });
    const { before } = await vm.serial.waitFor("the end", { timeoutMs: PATIENCE_MS });
    assertMatch(before, /0x117 +1024 x +768 x 16 \(2048\) +Direct color, mask: 5\/6\/5\/0 +pos: 11\/5\/0\/0/);
    assert(!/error/.test(before), before);
    await vm.until("GRUB to switch off", () => said.length > 0, { timeoutMs: PATIENCE_MS });
    assertEquals(said, [{ guest: true, reason: "guest-shutdown" }]);
  },
});
