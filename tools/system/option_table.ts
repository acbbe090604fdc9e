/**
 * Every option of qemu-system-x86_64 7.2: whether it takes a value, and what becomes of it here.
 *
 * Source: the option list of QEMU 7.2's manual page, "OPTIONS".
 *
 * @module
 */

/** `reason` is said after the option's name when it is refused. */
export type OptionRow =
  | { readonly takesValue: boolean; readonly kind: "done" }
  | { readonly takesValue: boolean; readonly kind: "refused"; readonly reason: string };

const DONE_WITH_VALUE = [
  "M accel add-fd acpitable append bios blockdev boot cdrom chardev cpu d D debugcon device display drive echr fda fdb fw_cfg global hda hdb hdc hdd icount initrd k kernel L loadvm m",
  "machine mon monitor mtdblock name net netdev nic object option-rom parallel pflash pidfile qmp qmp-pretty readconfig rtc",
  "sd seed serial smbios smp trace uuid vga",
].join(" ").split(" ");

const DONE = [
  "S daemonize enable-kvm h help no-acpi no-fd-bootchk no-hpet no-reboot no-shutdown no-user-config nodefaults nographic snapshot version",
].join(" ").split(" ");

const NO_CPU = "the CPU here has no such switch";
const NO_DISPLAY = "there is no display";
const NO_QMP = "the machine protocol here has no such switch";
const NO_FIRMWARE = "it is not handed to the firmware";
const NO_MIGRATION = "machines do not migrate yet";
const NO_DEVICE = "there is no such device";
const HOST = "a machine here is an ordinary process; set it up around it";

const REFUSED_WITH_VALUE: Readonly<Record<string, string>> = {
  "action": "actions are chosen by -no-reboot, -no-shutdown and werror=",
  "audio": NO_DEVICE,
  "audiodev": NO_DEVICE,
  "chroot": HOST,
  "compat": NO_QMP,
  "dfilter": NO_CPU,
  "dtb": NO_FIRMWARE,
  "dump-vmstate": NO_MIGRATION,
  "fsdev": NO_DEVICE,
  "gdb": NO_CPU,
  "incoming": NO_MIGRATION,
  "iscsi": "there is no iSCSI yet",
  "mem-path": "RAM is anonymous memory here",
  "msg": "messages have one form here",
  "numa": "there is one node",
  "overcommit": HOST,
  "plugin": NO_CPU,
  "rotate": NO_DISPLAY,
  "runas": HOST,
  "sandbox": "Deno's permissions confine the process: see deno run --help",
  "set": "give the option where the object is made",
  "spice": NO_DISPLAY,
  "tpmdev": NO_DEVICE,
  "usbdevice": "there is no USB yet",
  "virtfs": NO_DEVICE,
  "vnc": NO_DISPLAY,
  "watchdog-action": NO_DEVICE,
  "xen-attach": "there is no Xen",
  "xen-domid": "there is no Xen",
  "xen-domid-restrict": "there is no Xen",
};

const REFUSED: Readonly<Record<string, string>> = {
  "async-teardown": HOST,
  "audio-help": NO_DEVICE,
  "enable-sync-profile": "there is no such profile",
  "full-screen": NO_DISPLAY,
  "mem-prealloc": "RAM is allocated as it is used",
  "only-migratable": NO_MIGRATION,
  "portrait": NO_DISPLAY,
  "preconfig": NO_QMP,
  "s": NO_CPU,
  "singlestep": NO_CPU,
  "usb": "there is no USB yet",
  "win2k-hack": "the disk never fills up as that workaround needs it",
};

/** All options by name, without their dash. */
export const OPTIONS: ReadonlyMap<string, OptionRow> = new Map<string, OptionRow>([
  ...DONE_WITH_VALUE.map((name): [string, OptionRow] => [name, { takesValue: true, kind: "done" }]),
  ...DONE.map((name): [string, OptionRow] => [name, { takesValue: false, kind: "done" }]),
  ...Object.entries(REFUSED_WITH_VALUE).map(
    ([name, reason]): [string, OptionRow] => [name, { takesValue: true, kind: "refused", reason }],
  ),
  ...Object.entries(REFUSED).map(
    ([name, reason]): [string, OptionRow] => [name, { takesValue: false, kind: "refused", reason }],
  ),
]);
