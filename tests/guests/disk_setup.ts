/**
 * A step of the installer's menu that partitions and formats a disk, with the programs behind partman: parted and mke2fs.
 *
 * It stands where partman-base stands (menu item 4200) and is asked and answered through debconf, as partman is.
 *
 * @module
 */
import type { Component } from "./installer_files.ts";

const TEMPLATES = `Template: disk-setup/disk
Type: string
Description: Disk to partition:
 Everything on it is erased.

Template: disk-setup/confirm
Type: boolean
Default: false
Description: Write the changes to disk?

Template: disk-setup/progress
Type: text
Description: Partitions formatting

Template: debian-installer/disk-setup/title
Type: text
Description: Partition disks
`;

/** A step that loads `modules` in this order; exit status 1 brings the installer's menu. */
const POSTINST = (modules: readonly string[]) =>
  `#!/bin/sh
set -e
. /usr/share/debconf/confmodule
for module in ${modules.join(" ")}; do insmod /lib/modules/$(uname -r)/kernel/$module.ko 2>/dev/null || true; done
udevadm settle
db_input critical disk-setup/disk || true
db_input critical disk-setup/confirm || true
db_go
db_get disk-setup/confirm
[ "$RET" = true ] || exit 1
db_get disk-setup/disk
disk=$RET
db_progress START 0 3 disk-setup/progress
log-output -t disk-setup parted -s "$disk" mklabel msdos mkpart primary linux-swap 1MiB 33MiB \\
  mkpart primary ext4 33MiB 100% set 2 boot on
udevadm settle
db_progress STEP 1
log-output -t disk-setup mkswap "$disk"1
db_progress STEP 1
log-output -t disk-setup mke2fs -q -t ext4 -L target "$disk"2
db_progress STEP 1
mkdir -p /target
mount -t ext4 "$disk"2 /target
mkdir /target/etc
echo "$disk"2 / ext4 defaults 0 1 > /target/etc/fstab
umount /target
db_progress STOP
`;

/** The step. */
export function diskSetup(modules: readonly string[]): Component {
  return {
    control: "Package: disk-setup\nVersion: 1\nProvides: partitioned-harddrives\nDepends: cdebconf-udeb\n" +
      "Description: Partition disks\nInstaller-Menu-Item: 4200",
    scripts: { postinst: POSTINST(modules), templates: TEMPLATES },
    files: {},
  };
}
