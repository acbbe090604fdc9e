/**
 * ext4 as Debian's own mke2fs makes it, with a journal: the machine is reset amid writes, the next boot replays the
 * journal, and what had been synced is there.
 */
import { assertEquals, assertMatch } from "@std/assert";
import type { Vm } from "../../mod.ts";
import { must } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { checkImage, diskInitrd, diskTestPackages, guestSum, sumOfFiles } from "./disk_files.ts";
import { fileSystemTools, installerFiles } from "./installer_files.ts";
import { BOOT_LIMIT_MS, bootLinux, shell } from "./linux.ts";

const packages = diskTestPackages();
const installer = installerFiles();
/** Each disk, and the drive behind it. */
const DISKS = { sda: "ide", vda: "virtio" } as const;
/** So many files of each disk are safe when the machine is reset. */
const SAFE_FILES = 8;
/** What there is room for, should the guest get so far. */
const MOST_FILES = 150;

/** `syncer DISK` writes files, makes each one durable, and says so; beside it others come and go that nobody syncs. */
const SYNCER = `#!/bin/sh
(while true; do
  for name in a b c; do cp /bin/busybox /mnt/$1/$name; done
  rm /mnt/$1/a /mnt/$1/b
  usleep 50000
done) &
n=0
while [ $n -lt ${MOST_FILES} ]; do
  write_file $n /mnt/$1/f$n conv=fsync || exit
  echo "safe: $1 $n"
  n=$((n + 1))
done
`;

/** How many files of `disk` the guest has called safe. */
function safeFiles(vm: Vm, disk: string): number {
  return [...vm.serial.text.matchAll(/safe: (\w+) (\d+)\r\n/g)].filter(([, of]) => of === disk).length;
}

Deno.test({
  name:
    "Linux makes ext4 with a journal on IDE and virtio-blk; a reset amid writes is replayed, what was synced is whole",
  ignore: packages === undefined || installer === undefined,
  fn: async () => {
    await using temp = await TempFolder.make();
    const images = Object.values(DISKS).map((name) => temp.file(`${name}.qcow2`));
    for (const image of images) await must("qemu-img", ["create", "-q", "-f", "qcow2", image, "96M"]);
    const tools = await fileSystemTools(installer!, temp.path);
    const initrd = await diskInitrd(temp, packages!, { ...tools, "bin/syncer": { bytes: SYNCER, mode: 0o755 } });
    const safe: Record<string, number> = {};
    {
      await using vm = await bootLinux(packages!, { initrd }, {
        drives: [`file=${images[0]},if=ide,index=0,id=ide`, `file=${images[1]},if=virtio,id=virtio`],
      });
      for (const disk of Object.keys(DISKS)) {
        const line = `/sbin/mke2fs -q -t ext4 /dev/${disk} && mkdir /mnt/${disk} && ` +
          `mount -t ext4 /dev/${disk} /mnt/${disk} && /sbin/dumpe2fs -h /dev/${disk} 2>/dev/null | grep features`;
        assertMatch(await shell(vm, line), /\bhas_journal\b.*\bextent\b/);
      }
      for (const disk of Object.keys(DISKS)) await shell(vm, `(syncer ${disk} &)`);
      await vm.until(
        "files of both disks to be safe",
        () => Object.keys(DISKS).every((disk) => safeFiles(vm, disk) >= SAFE_FILES),
        { timeoutMs: BOOT_LIMIT_MS },
      );
      await vm.reset();
      for (const disk of Object.keys(DISKS)) safe[disk] = safeFiles(vm, disk);
      await vm.serial.waitFor("moa# ", { timeoutMs: BOOT_LIMIT_MS });
      for (const disk of Object.keys(DISKS)) {
        assertMatch(
          await shell(vm, `/sbin/dumpe2fs -h /dev/${disk} 2>/dev/null | grep features`),
          /\bneeds_recovery\b/,
        );
        const mount =
          `mkdir /mnt/${disk}; mount -t ext4 /dev/${disk} /mnt/${disk} && dmesg | grep '(${disk}): recovery'`;
        assertMatch(await shell(vm, mount), /recovery complete/);
        assertEquals(await guestSum(vm, `/mnt/${disk}`, safe[disk]!), sumOfFiles(packages!, safe[disk]!), disk);
        assertEquals(await shell(vm, `umount /mnt/${disk} && echo yes`), "yes\n");
      }
      assertEquals(await shell(vm, "dmesg | grep -E 'EXT4-fs (error|warning)|I/O error|JBD2: .*(error|abort)'"), "");
    }
    for (const [disk, name] of Object.entries(DISKS)) {
      await checkImage(temp, packages!, temp.file(`${name}.qcow2`), safe[disk]!);
    }
  },
});
