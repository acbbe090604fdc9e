/**
 * What the machine and a disk's properties tell the firmware, by fw_cfg: what QEMU 7.2 gives for the same command line.
 */
import { assertEquals } from "@std/assert";
import { Vm } from "../../mod.ts";
import { firmwareDirectory, firmwareFile } from "../support/fw_cfg.ts";
import { haveProgram } from "../support/programs.ts";
import { QemuGuest } from "../support/qemu_guest.ts";
import { TempFolder } from "../support/temp.ts";

const QEMU = "qemu-system-x86_64";
/** What moa has not: a ROM for accelerators that it does not have. */
const ABSENT = "genroms/kvmvapic.bin";

Deno.test("bootindex and a logical geometry reach the firmware", async () => {
  await using vm = await Vm.start({
    nodefaults: true,
    drives: ["if=none,id=a,driver=null-co,read-zeroes=on", "if=none,id=b,driver=null-co,read-zeroes=on"],
    devices: [
      "ide-hd,drive=a,lcyls=10,lheads=4,lsecs=17,bootindex=2",
      "ide-hd,drive=b,lcyls=11,lheads=5,lsecs=18,bus=ide.1",
    ],
  });
  const bus = vm.guest;
  const textOf = async (name: string) => new TextDecoder().decode(await firmwareFile(bus, name));
  assertEquals(await textOf("bootorder"), "/pci@i0cf8/ide@1,1/drive@1/disk@0\0");
  assertEquals(
    await textOf("bios-geometry"),
    "/pci@i0cf8/ide@1,1/drive@1/disk@0 10 4 17\n/pci@i0cf8/ide@1,1/drive@1/disk@1 11 5 18\0",
  );
});

Deno.test({ name: "fw_cfg's directory has QEMU's files in QEMU's sizes", ignore: !haveProgram(QEMU) }, async () => {
  await using there = await QemuGuest.start([]);
  await using here = await Vm.start({ nodefaults: true, memory: 16 });
  const theirs = await firmwareDirectory(there);
  const ours = await firmwareDirectory(here.guest);
  const rows = (files: typeof ours) => files.map(({ name, lengthBytes }) => `${lengthBytes} ${name}`);
  assertEquals(rows(ours), rows(theirs.filter(({ name }) => name !== ABSENT)));
});

const UUID = "12345678-9abc-def0-1234-56789abcdef0";
/** Structures as `-smbios file=` takes them: a baseboard, and one that nobody knows. */
const BASEBOARD = Uint8Array.fromHex("020f341201020000000000000000" + "00" + "666f6f00" + "62617200" + "00");
const UNKNOWN = Uint8Array.fromHex("80050100aa" + "0000");

Deno.test({ name: "SMBIOS tables are QEMU's, byte for byte", ignore: !haveProgram(QEMU) }, async (t) => {
  await using temp = await TempFolder.make();
  const baseboard = await temp.write("baseboard", BASEBOARD);
  const unknown = await temp.write("unknown", UNKNOWN);
  const oem = await temp.write("oem", "from a file\n");
  const device = "piix3-ide,id=second";
  const cases: Record<
    string,
    { readonly memory?: number; readonly uuid?: string; readonly smbios: readonly string[] }
  > = {
    "defaults": { memory: 16, smbios: [] },
    "a UUID, and RAM on both sides of the hole": { memory: 4000, uuid: UUID, smbios: [] },
    "system, baseboard, chassis": {
      smbios: [
        "type=0,vendor=V,version=W,date=01/02/2026,release=3.260,uefi=on",
        "type=1,manufacturer=m,product=p,version=v,serial=s,sku=k,family=f,uuid=" + UUID,
        "type=1,serial=another",
        "type=2,manufacturer=m,product=p,version=v,serial=s,asset=a,location=l",
        "type=3,manufacturer=m,version=v,serial=s,asset=,sku=k",
      ],
    },
    "processor, ports, memory, devices, strings": {
      smbios: [
        "type=0,release=1.2,uefi=on",
        "type=0",
        "type=2",
        "type=4,max-speed=10,processor-id=1",
        "type=17,speed=10",
        "type=4,sock_pfx=S,manufacturer=m,version=v,serial=s,asset=a,part=p,max-speed=3000,current-speed=2500," +
        "processor-id=0x1122334455667788",
        "type=8,internal_reference=i,external_reference=e,connector_type=3,port_type=300",
        "type=8",
        `type=11,value=a,value=,path=${oem}`,
        "type=11,value=b",
        "type=17,loc_pfx=L,bank=b,manufacturer=m,serial=s,asset=a,part=p,speed=3200",
        "type=41",
        "type=41,designation=d,kind=pata,instance=300,pcidev=second",
      ],
    },
    "processor and speeds of nothing": {
      smbios: ["type=4,processor-id=0,max-speed=0", "type=11", "type=17,speed=70000"],
    },
    "structures from files": {
      smbios: [`file=${unknown}`, `file=${baseboard}`, `file=${baseboard}`, "type=1,serial=x"],
    },
  };
  for (const [name, { memory = 16, uuid, smbios }] of Object.entries(cases)) {
    await t.step(name, async () => {
      await using there = await QemuGuest.start([
        ...["-m", String(memory), "-device", device],
        ...uuid === undefined ? [] : ["-uuid", uuid],
        ...smbios.flatMap((text) => ["-smbios", text]),
      ]);
      await using here = await Vm.start({
        nodefaults: true,
        memory,
        devices: [device],
        smbios,
        ...(uuid === undefined ? {} : { uuid }),
      });
      for (const file of ["etc/smbios/smbios-anchor", "etc/smbios/smbios-tables"]) {
        assertEquals(await firmwareFile(here.guest, file), await firmwareFile(there, file));
      }
    });
  }
});
