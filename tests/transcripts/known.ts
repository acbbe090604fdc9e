/**
 * Answers in which moa differs from QEMU and is known to, each with its reason.
 *
 * The list only ever gets shorter: an answer that has become equal is taken out.
 *
 * @module
 */

/** A dialogue, a line typed in it (`undefined`: all that `argv` names), and why its answer differs. */
export interface KnownDifference {
  readonly file: string;
  readonly line: string;
  /** Only where the machine was started with this among its options. */
  readonly argv?: string;
  readonly why: string;
}

export const KNOWN: readonly KnownDifference[] = [
  { file: "memory_ports.txt", line: "xp /4xw 0xfffffff0", why: "there is no firmware without a CPU" },
  { file: "memory_ports.txt", line: "xp /16xb 0xfffffff0", why: "there is no firmware without a CPU" },
  { file: "memory_ports.txt", line: "x /2xb 0xfffffff0", why: "there is no firmware without a CPU" },
  {
    file: "cdrom.txt",
    line: "commit ide1-cd0",
    why: "a read-only image without backing file is refused for being read-only",
  },
  {
    file: "defaults.txt",
    line: "commit ide1-cd0",
    why: "a read-only image without backing file is refused for being read-only",
  },
  {
    file: "cdrom_none.txt",
    line: "info block",
    argv: "-device ide-cd",
    why: "a CD drive without a drive of its own is not listed",
  },
  {
    file: "cdrom_none.txt",
    line: "info block -v",
    argv: "-device ide-cd",
    why: "a CD drive without a drive of its own is not listed",
  },
  {
    file: "cdrom_none.txt",
    line: "change ide0-hd0 one.iso",
    why: "the image is not opened, and not warned about, before the refusal",
  },
  {
    file: "defaults.txt",
    line: "info block",
    argv: "-device ide-hd",
    why: "-device ide-hd does not yet take the place of the default CD drive",
  },
  {
    file: "defaults.txt",
    line: "info qtree",
    argv: "-device ide-hd",
    why: "-device ide-hd does not yet take the place of the default CD drive",
  },
  { file: "machine_bare.txt", line: "info mtree -o", why: "owners of memory regions are not kept" },
  {
    file: "machine_bare.txt",
    line: "info block",
    argv: "id=cd",
    why: "a CD drive without a drive of its own is not listed",
  },
  {
    file: "machine_bare.txt",
    line: "info block -v",
    argv: "id=cd",
    why: "a CD drive without a drive of its own is not listed",
  },
  {
    file: "names.txt",
    line: "info block",
    argv: "backing.node-name",
    why: "options of a backing file do not make the name a json: one",
  },
  {
    file: "names.txt",
    line: "info block -n",
    argv: "backing.node-name",
    why: "options of a backing file do not make the name a json: one",
  },
  {
    file: "qemu_io.txt",
    line: 'qemu-io ide0-hd0 "write -c 0 512"',
    why: "a compressed write that is no whole cluster is done",
  },
  {
    file: "objects.txt",
    line: "qom-list /objects",
    why: "the board's memory is no object of its own, and objects are told in order of making",
  },
  { file: "objects.txt", line: "qom-list /machine/peripheral", why: "devices are told in order of making" },
];

/** Lists of commands: moa's are QEMU's without those of subjects that moa does not have. */
export const SHORTER_LISTS: readonly string[] = ["help", "info", "?", "help info", "log help"];

/** A recorded command line whose answer differs and is known to. */
export interface KnownCommandLine {
  readonly argv: string;
  readonly why: string;
}

const PREFIX = "-nodefaults -display none -S -monitor stdio";
const FLASH = "there are no flash chips: refused by name";
const FORMATS = "the list is that of moa's own drivers";

/** The same for `command_line`; an entry whose answer has become equal makes the test fail. */
export const KNOWN_COMMAND_LINES: readonly KnownCommandLine[] = [
  { argv: `${PREFIX} -hda loop.qcow2`, why: "the loop is named as such, not as a lock that is taken" },
  { argv: `${PREFIX} -drive if=pflash,file=r.raw,format=raw`, why: FLASH },
  { argv: `${PREFIX} -pflash r.raw`, why: FLASH },
  { argv: `${PREFIX} -drive format=help`, why: FORMATS },
  { argv: "-drive format=help", why: FORMATS },
  { argv: `${PREFIX} -m 256 -smp 2 a.qcow2`, why: "a warning says that there is one CPU" },
];
