/**
 * What a disk's properties tell the firmware, by fw_cfg: the bytes that QEMU 7.2 gives for the same command line.
 */
import { assertEquals } from "@std/assert";
import { Vm } from "../../mod.ts";

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
