/**
 * Linux's own drivers on the disks: file systems that outlive a reset and that the host's tools accept, CDs that are
 * changed, a disk that comes and goes, and a backend that hangs while the CPU runs on.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { buildIso, type Vm } from "../../mod.ts";
import { must } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { checkImage, diskInitrd, diskTestPackages, guestSum, makeFileSystem, md5, sumOfFiles } from "./disk_files.ts";
import { BOOT_LIMIT_MS, bootLinux, shell } from "./linux.ts";

const packages = diskTestPackages();
const FILES = 12;
/** The guest's name of a disk, and the image behind it. */
const DISKS = { sda: "ide", vda: "legacy", vdb: "modern" } as const;
const HANG_MS = 10_000;
/** A drive whose requests can be held. */
const HELD_DRIVE = "driver=qcow2,file.driver=blkdebug,file.image.driver=file,file.image.filename=";

/** Files of many sizes, deep folders and long names. */
function cdFiles(seed: number): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  for (let number = 0; number < 24; number++) {
    const name = number % 3 === 0 ? `folder/of several/words ${number}.bin` : `a longer name, number ${number}.txt`;
    const bytes = new Uint8Array(number * number * 617);
    for (let at = 0; at < bytes.length; at++) bytes[at] = (at * 31 + (at >> 8) + number * 7 + seed) & 0xff;
    files[name] = bytes;
  }
  return files;
}

/** What `md5sum` says of all files, sorted. */
function sumsOf(files: Record<string, Uint8Array>): string[] {
  return Object.entries(files).map(([name, bytes]) => `${md5(bytes)}  ./${name}`).sort();
}

/** The same from the guest. A first mount may fail: that is how the kernel learns of the change, in QEMU too. */
async function sumsOfCd(vm: Vm): Promise<string[]> {
  await shell(vm, "mount -t iso9660 -r /dev/sr0 /mnt/cd || mount -t iso9660 -r /dev/sr0 /mnt/cd");
  const text = await shell(vm, "(cd /mnt/cd && find . -type f -exec md5sum {} ';'); umount /mnt/cd");
  return text.trimEnd().split("\n").sort();
}

async function untilInGuest(vm: Vm, condition: string): Promise<void> {
  const line =
    `n=0; until ${condition}; do [ $n = 600 ] && break; n=$((n+1)); usleep 100000; done; ${condition} && echo yes`;
  assertEquals(await shell(vm, line), "yes\n", condition);
}

/** A disk comes, is written to, and goes with the guest's consent. */
async function plugAndUnplug(vm: Vm): Promise<void> {
  await vm.deviceAdd("virtio-blk-pci,drive=plug,id=p1,serial=plugged");
  await untilInGuest(vm, "[ -e /sys/block/vdc ]");
  assertEquals(await shell(vm, "cat /sys/block/vdc/serial; echo"), "plugged\n");
  await makeFileSystem(vm, "vdc");
  await shell(vm, "writer /mnt/vdc 4; umount /mnt/vdc");
  const gone: string[] = [];
  vm.machine.events.on("DEVICE_DELETED", ({ device, path }) => void gone.push(`${device} ${path}`));
  await vm.deviceDel("p1");
  await untilInGuest(vm, "[ ! -e /sys/block/vdc ]");
  await vm.until("the device is gone", () => gone.length === 2, { timeoutMs: BOOT_LIMIT_MS });
  assertEquals(gone, ["undefined /machine/peripheral/p1/virtio-backend", "p1 /machine/peripheral/p1"]);
}

/** Both disks' writes hang for ten seconds; all the while the guest counts and answers. */
async function hang(vm: Vm): Promise<void> {
  const held = { ide: "sda", modern: "vdb" } as const;
  // Linux would reset the drive after 30 s; a slow machine's answers may take that long.
  await shell(vm, "echo 180 > /sys/block/sda/device/timeout");
  for (const drive of Object.keys(held)) await vm.qemuIo(drive, "break pwritev A");
  const writers = Object.values(held).map((disk) =>
    `((dd if=/bin/busybox of=/dev/${disk} bs=4k count=1 seek=24000 oflag=direct 2>/dev/null; echo done > /tmp/${disk}.done) &)`
  );
  await shell(vm, writers.join("; "));
  await shell(vm, "((n=0; while [ ! -e /tmp/enough ]; do n=$((n+1)); echo $n >> /tmp/count; done) &)");
  const counts: number[] = [];
  const start = performance.now();
  while (performance.now() - start < HANG_MS) {
    await new Promise((resolve) => setTimeout(resolve, HANG_MS / 5));
    counts.push(Number(await shell(vm, "wc -l < /tmp/count")));
  }
  assert(counts.every((count, at) => count > (counts[at - 1] ?? 0)), `the guest counted ${counts}`);
  assertEquals(await shell(vm, "ls /tmp/*.done 2>/dev/null"), "");
  for (const drive of Object.keys(held)) await vm.qemuIo(drive, "resume A");
  for (const disk of Object.values(held)) await untilInGuest(vm, `[ -e /tmp/${disk}.done ]`);
  await shell(vm, "touch /tmp/enough");
  for (const disk of Object.values(held)) {
    const sum = await shell(vm, `dd if=/dev/${disk} bs=4k count=1 skip=24000 iflag=direct 2>/dev/null | md5sum`);
    assertEquals(sum, await shell(vm, "head -c 4096 /bin/busybox | md5sum"), disk);
  }
  assertEquals(await shell(vm, "dmesg | grep -E 'frozen|timeout|I/O error' | grep -v sr0"), "");
}

Deno.test({
  name: "Linux on IDE, CD and virtio-blk: files, media, plugs, a backend that hangs; the host finds what was written",
  ignore: packages === undefined,
  fn: async (t) => {
    const step = async (name: string, work: () => Promise<void>) => {
      if (!await t.step(name, work)) throw new Error(`${name}: failed`);
    };
    await using temp = await TempFolder.make();
    const images = [...Object.values(DISKS), "plug"].map((name) => temp.file(`${name}.qcow2`));
    for (const image of images) await must("qemu-img", ["create", "-q", "-f", "qcow2", image, "96M"]);
    const [ide, legacy, modern, plug] = images;
    const media = [cdFiles(1), cdFiles(2)];
    const discs = await Promise.all(media.map((files, at) => temp.write(`${at}.iso`, buildIso(files))));
    {
      await using vm = await bootLinux(packages!, { initrd: await diskInitrd(temp, packages!) }, {
        cdrom: discs[0]!,
        drives: [
          `${HELD_DRIVE}${ide},if=ide,index=0,id=ide`,
          `file=${legacy},if=none,id=legacy`,
          `${HELD_DRIVE}${modern},if=none,id=modern`,
          `file=${plug},if=none,id=plug`,
        ],
        devices: ["virtio-blk-pci,drive=legacy,disable-modern=on", "virtio-blk-pci,drive=modern,disable-legacy=on"],
      });
      await shell(vm, "mkdir /mnt/cd");
      await step("mkfs, mount, write", async () => {
        for (const disk of Object.keys(DISKS)) {
          await makeFileSystem(vm, disk);
          assertMatch(await shell(vm, `writer /mnt/${disk} ${FILES}`), /written/);
          assertEquals(await guestSum(vm, `/mnt/${disk}`, FILES), sumOfFiles(packages!, FILES), disk);
          assertEquals(await shell(vm, `umount /mnt/${disk} && echo yes`), "yes\n");
        }
      });
      await step("a CD, another one, none", async () => {
        assertEquals(await sumsOfCd(vm), sumsOf(media[0]!));
        await vm.change("ide1-cd0", discs[1]!);
        assertEquals(await sumsOfCd(vm), sumsOf(media[1]!));
        await vm.eject("ide1-cd0");
        assertMatch(await shell(vm, "mount -t iso9660 -r /dev/sr0 /mnt/cd 2>&1"), /No medium found/);
        await vm.change("ide1-cd0", discs[0]!);
        assertEquals(await sumsOfCd(vm), sumsOf(media[0]!));
      });
      await step("a disk is plugged in and out", () => plugAndUnplug(vm));
      await step("writes hang for ten seconds, the CPU does not", () => hang(vm));
      await step("after a reset all is there", async () => {
        await vm.reset();
        await vm.serial.waitFor("moa# ", { timeoutMs: BOOT_LIMIT_MS });
        for (const disk of Object.keys(DISKS)) {
          const mount = `mkdir /mnt/${disk}; mount -t ext4 -r /dev/${disk} /mnt/${disk} && echo yes`;
          assertEquals(await shell(vm, mount), "yes\n");
          assertEquals(await guestSum(vm, `/mnt/${disk}`, FILES), sumOfFiles(packages!, FILES), disk);
          await shell(vm, `umount /mnt/${disk}`);
        }
      });
    }
    await step("e2fsck and debugfs agree", async () => {
      for (const image of [ide!, legacy!, modern!]) await checkImage(temp, packages!, image, FILES);
      await checkImage(temp, packages!, plug!, 4);
    });
  },
});
