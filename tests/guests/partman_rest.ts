/**
 * What partman-base, partman-auto and partman-target (Debian's partitioner, built from source by `.ci/partman`) take from
 * packages whose sources the mirrors at hand do not hold: drivers loaded, an empty partition table, swap and ext2 to
 * ext4 made, mounted and put into fstab. The partitioner's server, recipes, menus and steps are Debian's.
 *
 * Left out: menus for partitioning by hand, other file systems, mount options, labels.
 *
 * Source: Debian Installer internals, "Partman" (package debian-installer), chapters 3 to 5.
 *
 * @module
 */
import type { MediaContent } from "../../mod.ts";
import type { Component } from "./installer_files.ts";

/** `lib/disk-label.sh`: partman-auto calls both with the directories of disks. */
const DISK_LABEL = `prepare_new_labels () { :; }

create_new_label () {
	cd "$1"
	open_dialog NEW_LABEL msdos
	close_dialog
}
`;

/** Every partition that has a method, as \`dev path id\`; partman's dialogues do not nest, so the list comes first. */
const EACH = `#!/bin/sh
. /lib/partman/lib/base.sh
used_partitions () {
	for dev in $DEVICES/*; do
		[ -d "$dev" ] || continue
		cd "$dev"
		open_dialog PARTITIONS
		while { read_line num id size type fs path name; [ "$id" ]; }; do
			[ ! -f "$id/method" ] || echo "$dev $path $id"
		done
		close_dialog
	done
}
`;

const FORMAT = `${EACH}used_partitions >/tmp/used
while read -r dev path id <&7; do
	cd "$dev"
	[ -f "$id/format" ] || continue
	case "$(cat "$id/method")" in
	swap) log-output -t partman mkswap "$path" || exit 1 ;;
	format)
		db_progress START 0 1 partman-rest/progress
		log-output -t partman mke2fs -q -F -t "$(cat "$id/filesystem")" "$path" || exit 1
		db_progress STOP ;;
	*) continue ;;
	esac
	touch "$id/formatted"
done 7</tmp/used
`;

const FSTAB = `${EACH}used_partitions >/tmp/fstab-used
while read -r dev path id <&7; do
	cd "$dev"
	if [ "$(cat "$id/method")" = swap ]; then
		echo "$path none swap sw 0 0"
	elif [ -f "$id/mountpoint" ]; then
		mountpoint=$(cat "$id/mountpoint")
		[ "$mountpoint" = / ] && pass=1 || pass=2
		echo "$path $mountpoint $(cat "$id/filesystem") defaults 0 $pass"
	fi
done 7</tmp/fstab-used
`;

/** Its one argument is a line of fstab. */
const MOUNT = `#!/bin/sh
set -- $1
case "$3" in
swap) swapon "$1" && echo "swapoff $1" ;;
ext[234]) mount -t "$3" "$1" "/target$2" >&2 && echo "umount /target$2" ;;
*) exit 1 ;;
esac
`;

/** Arguments: the disk, the partition, and \`formatable\` or \`existing\`. */
const VALID = (type: string) =>
  `#!/bin/sh
cd "$1"
[ "$3" = formatable ] || grep -qx ${type} "$2/detected_filesystem" 2>/dev/null || exit 0
echo ${type}
`;

const TEMPLATES = `Template: partman-rest/progress
Type: text
Description: Partitions formatting
`;

/** What \`anna\` would fetch, and drivers \`modules\` in this order. */
const INIT = (modules: readonly string[]) =>
  `#!/bin/sh
for module in ${modules.join(" ")}; do insmod /lib/modules/$(uname -r)/kernel/$module.ko 2>/dev/null; done
udevadm settle
`;

/** The component; \`modules\` are names below the kernel's folder, in the order to load them in. */
export function partmanRest(modules: readonly string[]): Component {
  const script = (bytes: string): MediaContent => ({ bytes, mode: 0o755 });
  const types = ["ext2", "ext3", "ext4"];
  return {
    control: "Package: partman-rest\nVersion: 1\nDescription: What partman takes from other packages",
    scripts: { templates: TEMPLATES },
    files: {
      // Names of device files are given back as they are: devfs is long gone.
      "bin/mapdevfs": script('#!/bin/sh\necho "$1"\n'),
      "lib/partman/lib/disk-label.sh": DISK_LABEL,
      "lib/partman/init.d/02drivers": script(INIT(modules)),
      "lib/partman/commit.d/50format": script(FORMAT),
      "lib/partman/fstab.d/rest": script(FSTAB),
      "lib/partman/mount.d/ext": script(MOUNT),
      ...Object.fromEntries(types.map((type) => [`lib/partman/valid_filesystems/${type}`, script(VALID(type))])),
      ...Object.fromEntries(types.map((type) => [`lib/partman/parted_names/${type}`, `${type}\n`])),
      "var/lib/partman/loaded-extra": "",
    },
  };
}
