/**
 * `-help`: what this program does, by subject. Options that it refuses are named at the end.
 *
 * @module
 */
import type { Program } from "../common/program.ts";
import { OPTIONS } from "./option_table.ts";
import { versionText } from "./listings.ts";

const DONE = `usage: PROGRAM [options] [disk_image]

  PROGRAM disk.qcow2                                 the prompt over an image; 'help' there, 'quit' ends
  PROGRAM -S -snapshot -m 512 disk.qcow2             stopped, and nothing is written to the image
  PROGRAM -drive file=d.img,format=raw,cache=none -cdrom cd.iso
  PROGRAM -daemonize -pidfile p -monitor unix:m,server=on,wait=off disk.qcow2

Disks
  disk_image, -hda FILE     the first IDE disk; -hdb, -hdc, -hdd are the others
  -cdrom FILE               a CD in the third place
  -drive OPTIONS            file=,format=,if=ide|none,index=,media=,id=,cache=,aio=,snapshot=,readonly=,werror= ...
                            format=help lists formats
  -blockdev OPTIONS         a node: driver=,node-name= ..., or JSON
  -snapshot                 writes go to temporary files
Machine
  -machine pc, -M pc        help lists machines
  -accel v86, tcg           a 32-bit CPU, the default where there is something to boot
  -accel qtest              no CPU: a script plays the guest
  -icount shift=N,sleep=on|off   virtual time by instructions, 2^N ns each
  -seed N                   what is random is the same for the same N
  -kernel FILE, -initrd FILE, -append TEXT   a Linux kernel
  -L FOLDER                 where firmware is looked for first
  -m SIZE                   RAM in MiB, or with a suffix
  -smp N                    one CPU is what there is
  -device TYPE,OPTIONS      help lists types, TYPE,help their options
  -global TYPE.NAME=VALUE   another default for an option of a device type
  -boot order=,once=,menu=,strict=,splash=,splash-time=,reboot-timeout=   where the firmware looks
  -rtc base=,clock=         the real-time clock
  -bios FILE                firmware; "built-in" where there is no such file: moa's own instead of SeaBIOS
  -name, -uuid
  -fw_cfg NAME,file=|string=, -acpitable data=|file=   what the guest finds besides
  -option-rom FILE[,bootindex=N]                        code that the firmware starts before it boots
  -smbios type=N,...|file=  makers, serial numbers
  -no-acpi, -no-hpet        the board without them
Running
  -S                        wait for 'cont'
  -loadvm TAG               begin with a snapshot
  -no-reboot, -no-shutdown  a reset ends, a power-off does not
Monitor
  -monitor PLACE            stdio, unix:PATH,server=on,wait=off, tcp:HOST:PORT,..., none
  -serial PLACE             the same places for a serial port, and pty, /dev/ttyS0, udp:HOST:PORT, mon:PLACE
  -debugcon PLACE           what the guest writes to port E9
  -chardev ..., -mon ...    the same in two steps
  -display curses           the screen on this terminal; Alt-1 screen, Alt-2 monitor, Alt-3 serial port
  -nographic                serial port and monitor share standard input and output (Ctrl-a h)
Program
  -daemonize                go on in the background once the machine stands
  -pidfile FILE, -readconfig FILE, -nodefaults, -D FILE, -d ITEMS, -trace PATTERN
  -help, -version
What is not there may be declined: -display none, -vga none, -net none, -nic none, -serial none, -parallel none.
`;

/** The whole text. */
export function helpText(program: Program): string {
  const refused = [...OPTIONS].filter(([, row]) => row.kind === "refused").map(([name]) => `-${name}`);
  const lines: string[] = [];
  for (const name of refused.sort()) {
    const last = lines.at(-1);
    if (last === undefined || last.length + name.length > 110) lines.push(`  ${name}`);
    else lines[lines.length - 1] = `${last} ${name}`;
  }
  return `${versionText(program)}${DONE.replaceAll("PROGRAM", program.invocation)}
Options of QEMU's that are refused:
${lines.join("\n")}
`;
}
