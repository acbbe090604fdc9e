/**
 * What the machine and a disk's properties tell the firmware, by fw_cfg: what QEMU 7.2 gives for the same command line.
 */
import { assertEquals } from "@std/assert";
import { Vm } from "../../mod.ts";
import { haveProgram, run } from "../support/programs.ts";

const QEMU = "qemu-system-x86_64";
/** What moa has not: SMBIOS tables, and a ROM for accelerators that it does not have. */
const ABSENT = /etc\/smbios|genroms\/kvmvapic/;

/** Names and sizes of the files in fw_cfg's directory. */
function directory(read: (lengthBytes: number) => Uint8Array): string[] {
  const count = new DataView(read(4).buffer).getUint32(0);
  const bytes = read(4 + 64 * count);
  return Array.from({ length: count }, (_, index) => {
    const at = 4 + 64 * index;
    const name = new TextDecoder().decode(bytes.subarray(at + 8, at + 64)).replace(/\0+$/, "");
    return `${new DataView(bytes.buffer).getUint32(at)} ${name}`;
  });
}

/** A file of fw_cfg, read through its ports as firmware reads it. */
function firmwareFile(vm: Vm, wanted: string): string {
  const item = (key: number, lengthBytes: number) => {
    vm.qtest.out(0x510, key, 2);
    return Uint8Array.from({ length: lengthBytes }, () => vm.qtest.in(0x511));
  };
  const text = new TextDecoder();
  const count = new DataView(item(0x19, 4).buffer).getUint32(0);
  const directory = item(0x19, 4 + 64 * count);
  for (let at = 4; at < directory.length; at += 64) {
    const entry = new DataView(directory.buffer, at, 64);
    const name = text.decode(directory.subarray(at + 8, at + 64)).replace(/\0+$/, "");
    if (name === wanted) return text.decode(item(entry.getUint16(4), entry.getUint32(0)));
  }
  throw new Error(`there is no ${wanted}`);
}

Deno.test("bootindex and a logical geometry reach the firmware", async () => {
  await using vm = await Vm.start({
    nodefaults: true,
    drives: ["if=none,id=a,driver=null-co,read-zeroes=on", "if=none,id=b,driver=null-co,read-zeroes=on"],
    devices: [
      "ide-hd,drive=a,lcyls=10,lheads=4,lsecs=17,bootindex=2",
      "ide-hd,drive=b,lcyls=11,lheads=5,lsecs=18,bus=ide.1",
    ],
  });
  assertEquals(firmwareFile(vm, "bootorder"), "/pci@i0cf8/ide@1,1/drive@1/disk@0\0");
  assertEquals(
    firmwareFile(vm, "bios-geometry"),
    "/pci@i0cf8/ide@1,1/drive@1/disk@0 10 4 17\n/pci@i0cf8/ide@1,1/drive@1/disk@1 11 5 18\0",
  );
});

Deno.test({ name: "fw_cfg's directory has QEMU's files in QEMU's sizes", ignore: !haveProgram(QEMU) }, async () => {
  const options = "-accel tcg -S -display none -monitor stdio -nodefaults".split(" ");
  const bytes = 4 + 64 * 32;
  const stdin = ["o/h 0x510 0x19", ...new Array(bytes).fill("i/b 0x511"), "quit\n"].join("\n");
  const { stdout } = await run(QEMU, options, { stdin });
  const values = [...stdout.matchAll(/^portb\[0x0511\] = 0x([0-9a-f]+)/gm)].map((match) => parseInt(match[1]!, 16));
  const theirs = directory((length) => Uint8Array.from(values.slice(0, length)));
  await using vm = await Vm.start({ nodefaults: true, paused: true });
  const ours = directory((length) => {
    vm.qtest.out(0x510, 0x19, 2);
    return Uint8Array.from({ length }, () => vm.qtest.in(0x511));
  });
  assertEquals(ours, theirs.filter((file) => !ABSENT.test(file)));
});
