/**
 * Red Hat Enterprise Linux 5 and 6 for i386, and what is built like it (CentOS, Scientific Linux): anaconda in text mode
 * over the serial port, its answers (kickstart) on a floppy.
 *
 * No such medium was at hand when this was written: the order of what anaconda says is taken from its documentation, and
 * the tests hold the dialogue with a stand-in. What may not come is marked as optional.
 *
 * Source: Red Hat Enterprise Linux 5 and 6 Installation Guides, "Kickstart Installations", "Boot Options".
 *
 * @module
 */
import type { InstallerProfile } from "../installer/profile.ts";

const ANSWERS = `# Answers for an unattended installation of the smallest system.
install
cdrom
text
lang en_US.UTF-8
keyboard us
network --bootproto=dhcp --onboot=no
rootpw moa
firewall --disabled
selinux --disabled
authconfig --enableshadow
timezone --utc Etc/UTC
bootloader --location=mbr --append="console=ttyS0"
zerombr
clearpart --all --initlabel --drives=sda
autopart
reboot

%packages --nobase
@core
%end
`;

/** The profile. */
export const profile: InstallerProfile = {
  name: "Red Hat Enterprise Linux",
  memoryMiB: 1024,
  async recognize(medium) {
    const bytes = await medium.readFile(".treeinfo", 64 * 1024);
    if (bytes === undefined) return { kind: "other" };
    const text = new TextDecoder().decode(bytes);
    const value = (name: string) => new RegExp(`^\\s*${name}\\s*=\\s*(.*?)\\s*$`, "m").exec(text)?.[1];
    const family = value("family") ?? "";
    if (!/Red Hat Enterprise Linux|CentOS|Scientific Linux/i.test(family)) return { kind: "other" };
    const [version, arch] = [value("version") ?? "", value("arch") ?? ""];
    if (!/^i\d86$/.test(arch)) {
      return {
        kind: "refused",
        reason: `this is ${family} ${version} for ${arch || "an unknown CPU"}; moa's CPU runs 32-bit code only. ` +
          "Versions 5 and 6 for i386 can be installed.",
      };
    }
    if (!/^[56]\b/.test(version)) {
      return { kind: "refused", reason: `this is ${family} ${version}; versions 5 and 6 can be installed` };
    }
    return { kind: "installable", version };
  },
  kernel: "images/pxeboot/vmlinuz",
  initrd: "images/pxeboot/initrd.img",
  append: "ks=floppy text console=ttyS0,115200 noipv6",
  answers: ANSWERS,
  floppy: (answers) => ({ "ks.cfg": answers }),
  dialogue: [
    { says: "the kernel starts", waitFor: /Linux version|Running anaconda|Greetings/i },
    { says: "anaconda starts", waitFor: /Running anaconda|anaconda installer init|Welcome to/i },
    { says: "whether to test the medium: skipped", waitFor: /media test|Disc Found/i, answer: "\t\r", optional: true },
    {
      says: "whether to erase a disk without a table: yes",
      waitFor: /Re-?initialize|erasing ALL DATA/i,
      answer: "\r",
      optional: true,
    },
    { says: "file systems are made", waitFor: /Format(?:ting)?\b|Creating ext/i },
    {
      says: "packages are installed",
      waitFor: /Package Installation|Installing .*\.rpm|Packages? completed|Installation Starting/i,
    },
    { says: "the boot loader is installed", waitFor: /boot ?loader/i, minutes: 240 },
    { says: "the end: restarted", waitFor: /Congratulations|installation is complete/i, answer: "\r", optional: true },
    { says: "the installer ends", waitFor: /rebooting system|Restarting system|sending termination signals/i },
  ],
  failure: new RegExp(
    "Kernel panic|install exited abnormally|unhandled exception|found while parsing|An unknown error has occurred",
  ),
  progress: /(?:Packages completed:?|Installing package)\s+(\d+) of (\d+)/i,
  installed: /login:/,
};
