/**
 * Debian's i386 kernel with a busybox of its own: what they are made from, and a machine that boots them.
 *
 * The files are those of the packages `linux-image-686` and `busybox-static` of Debian's i386 architecture, unpacked
 * below the folder that `MOA_GUESTS` names.
 *
 * @module
 */
import { buildCpio, type MediaFiles, Vm, type VmOptions } from "../../mod.ts";

/** What the packages hold. */
export interface LinuxPackages {
  readonly kernel: string;
  readonly busybox: string;
  /** The folder of the kernel's modules. */
  readonly modules: string;
}

/** Where the packages are unpacked; `undefined` where they are not. */
export function linuxPackages(): LinuxPackages | undefined {
  const folder = Deno.env.get("MOA_GUESTS");
  if (folder === undefined) return undefined;
  const name = (path: string) => [...Deno.readDirSync(`${folder}/${path}`)].map(({ name }) => name);
  try {
    const kernel = name("boot").find((file) => file.startsWith("vmlinuz-"))!;
    const release = kernel.slice("vmlinuz-".length);
    return {
      kernel: `${folder}/boot/${kernel}`,
      busybox: `${folder}/bin/busybox`,
      modules: `${folder}/lib/modules/${release}`,
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** A PIIX3's disks as `/dev/sda` and so on. */
export const IDE_MODULES: readonly string[] = [
  "crypto/crct10dif_common",
  "crypto/crct10dif_generic",
  "lib/crc-t10dif",
  "lib/crc64",
  "lib/crc64-rocksoft",
  "block/t10-pi",
  "drivers/scsi/scsi_common",
  "drivers/scsi/scsi_mod",
  "drivers/scsi/sd_mod",
  "drivers/ata/libata",
  "drivers/ata/ata_piix",
];

/** A virtio-blk as `/dev/vda` and so on. */
export const VIRTIO_MODULES: readonly string[] = [
  "drivers/virtio/virtio",
  "drivers/virtio/virtio_ring",
  "drivers/virtio/virtio_pci_modern_dev",
  "drivers/virtio/virtio_pci_legacy_dev",
  "drivers/virtio/virtio_pci",
  "drivers/block/virtio_blk",
];

/** A CD as `/dev/sr0`, and ISO 9660 on it; {@link IDE_MODULES} come before. */
export const CD_MODULES: readonly string[] = ["drivers/cdrom/cdrom", "drivers/scsi/sr_mod", "fs/isofs/isofs"];

/** The file systems ext2, ext3 and ext4. */
export const EXT4_MODULES: readonly string[] = [
  "crypto/crc32c_generic",
  "lib/crc16",
  "fs/mbcache",
  "fs/jbd2/jbd2",
  "fs/ext4/ext4",
];

/** Mounts what a shell needs, loads the modules of `/modules` in order; a line that is echoed must not be wrapped. */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in /modules/*; do [ -f "$module" ] && insmod "$module"; done
echo 1 > /proc/sys/kernel/printk
stty columns 4096 < /dev/ttyS0
PS1='moa# ' exec setsid cttyhack sh
`;

/** An initial RAM disk with busybox, the modules in the order that they are loaded in, and further files. */
export function initrd(
  { busybox, modules }: LinuxPackages,
  moduleNames: readonly string[] = [],
  files: MediaFiles = {},
): Uint8Array {
  const folders = ["bin", "dev", "proc", "sys", "mnt", "tmp", "modules"];
  const loaded = moduleNames.map((path, index): [string, Uint8Array] => [
    `modules/${String(index).padStart(2, "0")}-${path.replaceAll("/", "-")}`,
    Deno.readFileSync(`${modules}/kernel/${path}.ko`),
  ]);
  return buildCpio({
    ...Object.fromEntries(folders.map((name) => [name, { folder: true }])),
    "dev/console": { device: [5, 1] },
    "bin/busybox": { bytes: Deno.readFileSync(busybox), mode: 0o755 },
    "init": { bytes: INIT, mode: 0o755 },
    ...Object.fromEntries(loaded),
    ...files,
  });
}

/** A kernel's words; without tests of its own ciphers, which are three quarters of the instructions up to a shell. */
export const QUICK_BOOT = "console=ttyS0 quiet panic=-1 cryptomgr.notests=1";

/** What a wait for the guest may take: machines vary in speed. */
export const BOOT_LIMIT_MS = 180_000;

/** Starts the kernel with an initial RAM disk; resolves at the shell's prompt. */
export async function bootLinux(
  packages: LinuxPackages,
  image: { readonly initrd: string; readonly append?: string },
  options: VmOptions = {},
): Promise<Vm> {
  const vm = await Vm.start({
    memory: 128,
    serial: ["script"],
    ...options,
    kernel: packages.kernel,
    initrd: image.initrd,
    append: [QUICK_BOOT, image.append ?? []].flat().join(" "),
  });
  try {
    await vm.serial.waitFor("moa# ", { timeoutMs: BOOT_LIMIT_MS });
    return vm;
  } catch (error) {
    await vm[Symbol.asyncDispose]();
    throw error;
  }
}

/** Runs one line in the guest's shell; what it printed. */
export async function shell(vm: Vm, line: string): Promise<string> {
  await vm.serial.send(`${line}\n`);
  await vm.serial.waitFor("\n", { timeoutMs: BOOT_LIMIT_MS });
  const { before } = await vm.serial.waitFor("moa# ", { timeoutMs: BOOT_LIMIT_MS });
  return before.replaceAll("\r\n", "\n");
}
