/**
 * The options of a command line that consist of named parts, by the group that QEMU has them in, and what each part is.
 *
 * Those who read a command line check it against these tables; the machine protocol tells them
 * (`query-command-line-options`). Groups without parts take whatever a device, an object or a structure has.
 *
 * Source: the answer of QEMU 7.2, in whose order they are.
 *
 * @module
 */
import type { QemuOptTable } from "../../base/keyval.ts";
import { DRIVE_OPTIONS } from "../../block/mod.ts";
import { CHARDEV_OPTIONS } from "../chardev/mod.ts";

export const OPTION_GROUPS = {
  "machine": {
    "type": "string",
    "accel": "string",
    "dump-guest-core": "bool",
    "mem-merge": "bool",
    "usb": "bool",
    "suppress-vmdesc": "bool",
  },
  "smbios": {},
  "acpi": {},
  "fw_cfg": { name: "string", file: "string", string: "string", gen_id: "string" },
  "icount": { shift: "string", align: "bool", sleep: "bool", rr: "string", rrfile: "string", rrsnapshot: "string" },
  "name": { "guest": "string", "process": "string", "debug-threads": "bool" },
  "object": {},
  "add-fd": { fd: "number", set: "number", opaque: "string" },
  "boot-opts": {
    "order": "string",
    "once": "string",
    "menu": "bool",
    "splash": "string",
    "splash-time": "number",
    "reboot-timeout": "number",
    "strict": "bool",
  },
  "smp-opts": {
    cpus: "number",
    sockets: "number",
    dies: "number",
    clusters: "number",
    cores: "number",
    threads: "number",
    maxcpus: "number",
  },
  "memory": { size: "size", slots: "number", maxmem: "size" },
  "accel": {},
  "option-rom": { bootindex: "number", romfile: "string" },
  "trace": { enable: "string", events: "string", file: "string" },
  "mon": { mode: "string", chardev: "string", pretty: "bool" },
  "global": { driver: "string", property: "string", value: "string" },
  "rtc": { base: "string", clock: "string", driftfix: "string" },
  "net": {},
  "nic": {},
  "netdev": {},
  "device": {},
  "chardev": CHARDEV_OPTIONS,
  "drive": DRIVE_OPTIONS,
} as const satisfies Readonly<Record<string, QemuOptTable>>;
