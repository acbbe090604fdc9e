/**
 * Debian for i386, from its installation CDs: the installer in text mode over the serial port, its answers (preseed) in
 * the initial RAM disk.
 *
 * No such CD was at hand when this was written. The tests run the installer's kernel, RAM disk and menu up to formatted
 * partitions; what follows that is taken from the installation guide. There is no network card: what a CD does not hold
 * is not installed.
 *
 * Source: Debian GNU/Linux Installation Guide (12), "Automating the installation using preseeding".
 *
 * @module
 */
import type { InstallerProfile, Step } from "../installer/profile.ts";

const ANSWERS = `# Answers for an unattended installation of the smallest system.
d-i debian-installer/locale string en_US.UTF-8
d-i keyboard-configuration/xkb-keymap select us
d-i netcfg/enable boolean false
d-i netcfg/get_hostname string moa
d-i hw-detect/load_firmware boolean false
d-i passwd/root-password password moa
d-i passwd/root-password-again password moa
d-i passwd/make-user boolean false
d-i clock-setup/utc boolean true
d-i clock-setup/ntp boolean false
d-i time/zone string Etc/UTC
d-i partman-auto/disk string /dev/sda
d-i partman-auto/method string regular
d-i partman-auto/choose_recipe select atomic
d-i partman-partitioning/confirm_write_new_label boolean true
d-i partman-partitioning/default_label string msdos
d-i partman/choose_partition select finish
d-i partman/confirm boolean true
d-i partman/confirm_nooverwrite boolean true
d-i apt-setup/cdrom/set-first boolean false
d-i apt-setup/use_mirror boolean false
d-i apt-setup/no_mirror boolean true
tasksel tasksel/first multiselect standard
popularity-contest popularity-contest/participate boolean false
d-i grub-installer/only_debian boolean true
d-i grub-installer/bootdev string /dev/sda
d-i debian-installer/add-kernel-opts string console=ttyS0
d-i finish-install/reboot_in_progress note
`;

/** From the start to formatted partitions, of whatever makes them: the tests go this far. */
export const UNTIL_FORMATTED: readonly Step[] = [
  { says: "the kernel has started, and the installer with it", waitFor: /Starting system log daemon/ },
  { says: "partitions are formatted", waitFor: /Partitions formatting/, minutes: 60 },
];

/** The profile. */
export const profile: InstallerProfile = {
  name: "Debian",
  memoryMiB: 512,
  async recognize(medium) {
    const bytes = await medium.readFile(".disk/info", 4096);
    const found = /^Debian GNU\/Linux (\S+) .*- (?:Official |Unofficial )*(\S+) /.exec(
      new TextDecoder().decode(bytes ?? new Uint8Array(0)),
    );
    if (found === null) return { kind: "other" };
    const [, version, arch] = found;
    if (arch === "i386") return { kind: "installable", version: version! };
    return {
      kind: "refused",
      reason: `this is Debian ${version} for ${arch}; moa's CPU runs 32-bit code only. CDs for i386 can be installed.`,
    };
  },
  kernel: "install.386/vmlinuz",
  initrd: "install.386/initrd.gz",
  // Environment variables of the installer go through the kernel's command line. The graphics driver only costs time.
  append: "console=ttyS0 quiet DEBIAN_FRONTEND=text TERM=dumb DEBCONF_DROP_TRANSLATIONS=1 auto=true " +
    "priority=critical modprobe.blacklist=bochs",
  answers: ANSWERS,
  floppy: () => ({}),
  initrdFiles: (answers) => ({ "preseed.cfg": answers }),
  dialogue: [
    ...UNTIL_FORMATTED,
    { says: "the base system is installed", waitFor: /Installing the base system/ },
    { says: "the boot loader is installed", waitFor: /GRUB/, minutes: 240 },
    { says: "the installation is finished", waitFor: /Finishing the installation/, minutes: 240 },
  ],
  failure: /Kernel panic|Installation step failed/,
  progress: /(\d+)%/,
  installed: /login:/,
};
