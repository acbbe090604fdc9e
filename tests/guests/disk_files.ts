/**
 * Files that Linux writes to its disks and the host can tell without it, and the host's own look at what came of them:
 * `qemu-img check` and `convert`, then `e2fsck` and `debugfs` on the raw image. Nothing of moa has a part in that look.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import type { MediaFiles, Vm } from "../../mod.ts";
import { haveProgram, must, run } from "../support/programs.ts";
import type { TempFolder } from "../support/temp.ts";
import {
  CD_MODULES,
  EXT4_MODULES,
  IDE_MODULES,
  initrd,
  type LinuxPackages,
  linuxPackages,
  shell,
  VIRTIO_MODULES,
} from "./linux.ts";

const E2FSCK = "/usr/sbin/e2fsck";
const DEBUGFS = "/usr/sbin/debugfs";
/** Each file is a piece of busybox, and the next one begins a step further on. */
const STEP_BYTES = 10_007;
const STEPS_PER_FILE = 30;

/** `write_file NUMBER FILE [OPERAND]` writes what file NUMBER holds. */
const WRITE_FILE = `#!/bin/sh
exec dd if=/bin/busybox bs=${STEP_BYTES} skip=$1 count=${STEPS_PER_FILE} of=$2 $3 2>/dev/null
`;

/** `writer FOLDER COUNT` writes COUNT files, with a `sync` after every eighth, and says that it has. */
const WRITER = `#!/bin/sh
n=0
while [ $n -lt $2 ]; do
  write_file $n $1/f$n
  n=$((n + 1))
  [ $((n % 8)) = 0 ] && sync
done
sync
echo "written: $1"
`;

/** Packages and programs that the tests of disks need; `undefined` where they are not there. */
export function diskTestPackages(): LinuxPackages | undefined {
  return haveProgram("e2fsck") && haveProgram("qemu-img") ? linuxPackages() : undefined;
}

/** An initial RAM disk with all drivers of disks, ext4, ISO 9660, the writer, and what is given; its path. */
export async function diskInitrd(temp: TempFolder, packages: LinuxPackages, files: MediaFiles = {}): Promise<string> {
  const modules = [...IDE_MODULES, ...VIRTIO_MODULES, ...CD_MODULES, ...EXT4_MODULES];
  const writers = {
    "bin/write_file": { bytes: WRITE_FILE, mode: 0o755 },
    "bin/writer": { bytes: WRITER, mode: 0o755 },
  };
  return await temp.write("initrd", initrd(packages, modules, { ...writers, ...files }));
}

/** What file `number` of the writer holds. */
export function contentOf({ busybox }: LinuxPackages, number: number): Uint8Array {
  const at = number * STEP_BYTES;
  return Deno.readFileSync(busybox).subarray(at, at + STEPS_PER_FILE * STEP_BYTES);
}

/** As `md5sum` says it. */
export function md5(bytes: Uint8Array | string): string {
  return createHash("md5").update(bytes).digest("hex");
}

/** What `cat FOLDER/f* | md5sum` says of `count` files of the writer, in the order of their numbers. */
export function sumOfFiles(packages: LinuxPackages, count: number): string {
  const hash = createHash("md5");
  for (let number = 0; number < count; number++) hash.update(contentOf(packages, number));
  return hash.digest("hex");
}

/** The checksum of `count` files as the guest reads them, from the disk. */
export async function guestSum(vm: Vm, folder: string, count: number): Promise<string> {
  const line = `n=0; while [ $n -lt ${count} ]; do cat ${folder}/f$n; n=$((n+1)); done | md5sum`;
  return (await shell(vm, `echo 3 > /proc/sys/vm/drop_caches; ${line}`)).split(" ")[0]!;
}

/** Makes ext2 on a disk and mounts it as `/mnt/DISK`. */
export async function makeFileSystem(vm: Vm, disk: string): Promise<void> {
  const line = `mke2fs /dev/${disk} > /tmp/mke2fs 2>&1 && mkdir -p /mnt/${disk} && ` +
    `mount -t ext4 /dev/${disk} /mnt/${disk} && echo mounted`;
  assertEquals(await shell(vm, line), "mounted\n");
}

/** The host's look at an image that no guest has mounted: no error in it, and files 0 to `count` - 1 of a folder as written. */
export async function checkImage(
  temp: TempFolder,
  packages: LinuxPackages,
  image: string,
  count: number,
  inFolder = "",
): Promise<void> {
  await must("qemu-img", ["check", "-q", image]);
  const raw = `${image}.raw`;
  await must("qemu-img", ["convert", "-O", "raw", image, raw]);
  const { code, stdout } = await run(E2FSCK, ["-fn", raw]);
  assertEquals(code, 0, stdout);
  const folder = temp.file("dump");
  await Deno.mkdir(folder);
  await must(DEBUGFS, ["-R", `rdump /${inFolder} ${folder}`, raw]);
  for (let number = 0; number < count; number++) {
    const bytes = await Deno.readFile(`${folder}/${inFolder}/f${number}`);
    assert(md5(bytes) === md5(contentOf(packages, number)), `file ${number} of ${image} is not as the guest wrote it`);
  }
  await Deno.remove(folder, { recursive: true });
  await Deno.remove(raw);
}
