/**
 * What the machine and a disk's properties tell the firmware, by fw_cfg: what QEMU 7.2 gives for the same command line.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Vm } from "../../mod.ts";
import { ManualClock } from "../../base/clocks.ts";
import { SeededRandom } from "../../base/random.ts";
import { TraceEvents } from "../../base/trace.ts";
import { MiB } from "../../base/units.ts";
import { type FirmwareItems, guestBus, type Machine, type MachineWishes, wireMachine } from "../../machine/mod.ts";
import type { GuestBus } from "../../machine/guest/bus.ts";
import { firmwareDirectory, firmwareFile } from "../support/fw_cfg.ts";
import { standInKernel } from "../guests/stand_in.ts";
import { runMoaSystem } from "../support/moa_system.ts";
import { haveProgram, run } from "../support/programs.ts";
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

/** A machine at its prompt and as its guest sees it. */
interface Prompted {
  readonly bus: GuestBus;
  hmp(line: string): Promise<string>;
  reset(): Promise<void>;
}

/** What both machines answer to the same life: the order of booting that firmware finds, time and again. */
async function bootOrders({ bus, hmp, reset }: Prompted): Promise<string[]> {
  const unattached = await hmp("qom-list /machine/unattached");
  const floppies = /(device\[\d+\]) \(child<isa-fdc>\)/.exec(unattached)?.[1];
  const said: string[] = [];
  const look = async () => void said.push(new TextDecoder().decode(await firmwareFile(bus, "bootorder")));
  const act = async (line: string) => {
    said.push(`${line}: ${(await hmp(line.replace("FLOPPIES", floppies!))).trim()}`);
    await look();
    await reset();
    await look();
  };
  await look();
  await act("qom-set /machine/unattached/FLOPPIES bootindexA 4");
  await act("qom-set /machine/peripheral/h bootindex 9");
  await act("qom-set /machine/peripheral/h bootindex 5");
  await act("qom-set /machine/peripheral/v bootindex -1");
  await act("qom-set /machine/unattached/FLOPPIES bootindexB 2");
  await act("qom-set /machine/unattached/FLOPPIES bootindexB 4");
  await act("qom-set /machine/peripheral/v bootindex 4");
  await act("qom-set /machine/peripheral/v bootindex 6");
  await act("device_add virtio-blk-pci,drive=c,id=w,addr=9,bootindex=3");
  said.push(await hmp("device_del w"));
  await look();
  return said;
}

Deno.test({ name: "the order of booting follows the devices at each reset", ignore: !haveProgram(QEMU) }, async () => {
  const drives = ["a", "b", "c"].map((id) => `if=none,id=${id},driver=null-co,read-zeroes=on`);
  const devices = ["ide-hd,drive=a,id=h,bootindex=1", "virtio-blk-pci,drive=b,id=v,addr=8,bootindex=5"];
  const options = [...drives.flatMap((text) => ["-drive", text]), ...devices.flatMap((text) => ["-device", text])];
  await using there = await QemuGuest.start(options);
  await using here = await Vm.start({ nodefaults: true, memory: 16, drives, devices });
  assertEquals(
    await bootOrders({ bus: here.guest, hmp: (line) => here.monitor(line), reset: () => here.reset() }),
    await bootOrders({ bus: there, hmp: (line) => there.monitor(line), reset: () => there.reset() }),
  );
  // With the reset the device goes, and with it its line, of which QEMU keeps half.
  await here.reset();
  assertEquals(new TextDecoder().decode(await firmwareFile(here.guest, "bootorder")).split("\n").slice(0, 3), [
    "/pci@i0cf8/isa@1/fdc@03f0/floppy@1",
    "/pci@i0cf8/isa@1/fdc@03f0/floppy@0",
    "/pci@i0cf8/scsi@8/disk@0,0",
  ]);
});

Deno.test({ name: "fw_cfg's directory has QEMU's files in QEMU's sizes", ignore: !haveProgram(QEMU) }, async () => {
  await using there = await QemuGuest.start([]);
  await using here = await Vm.start({ nodefaults: true, memory: 16 });
  const theirs = await firmwareDirectory(there);
  const ours = await firmwareDirectory(here.guest);
  const rows = (files: typeof ours) => files.map(({ name, lengthBytes }) => `${lengthBytes} ${name}`);
  assertEquals(rows(ours), rows(theirs.filter(({ name }) => name !== ABSENT)));
});

const SMBIOS_FILES = ["etc/smbios/smbios-anchor", "etc/smbios/smbios-tables"];
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
      for (const file of SMBIOS_FILES) {
        assertEquals(await firmwareFile(here.guest, file), await firmwareFile(there, file));
      }
    });
  }
});

/** A machine whose firmware is told `firmwareItems`. */
async function machineWith(firmwareItems: FirmwareItems, devices: MachineWishes["devices"] = []): Promise<Machine> {
  const accelerator = { name: "qtest" } as const;
  const { machine } = await wireMachine({ ramBytes: 16 * MiB, accelerator, firmwareItems, devices }, {
    clocks: { realtime: new ManualClock(), host: new ManualClock() },
    random: new SeededRandom(1),
    trace: new TraceEvents(),
    warn: () => {},
    notice: () => {},
  });
  return machine;
}

Deno.test({ name: "SMBIOS 3.0 has another entry point and wider counts", ignore: !haveProgram(QEMU) }, async () => {
  await using there = await QemuGuest.start(["-machine", "smbios-entry-point-type=64"]);
  await using here = await machineWith({ smbios: { entryPointBits: 64 } });
  for (const file of SMBIOS_FILES) {
    assertEquals(await firmwareFile(guestBus(here), file), await firmwareFile(there, file));
  }
});

Deno.test({ name: "what -boot says reaches the firmware", ignore: !haveProgram(QEMU) }, async () => {
  await using temp = await TempFolder.make();
  const picture = Uint8Array.fromHex("424d".padEnd(56, "0") + "1800".padEnd(64, "1"));
  const file = await temp.write("picture", picture);
  const words = `strict=on,splash-time=300,reboot-timeout=5000,splash=${file}`;
  await using there = await QemuGuest.start([
    ...["-boot", words, "-no-fd-bootchk", "-device", "ide-cd,bus=ide.0,bootindex=1"],
  ]);
  await using here = await machineWith({
    strictBoot: true,
    splashTimeMs: 300,
    rebootTimeoutMs: 5000,
    splash: { name: "bootsplash.bmp", content: picture },
    skipsFloppyCheck: true,
  }, [{
    pairs: Object.entries({ driver: "ide-cd", bus: "ide.0", bootindex: "1" }).map(([name, value]) => ({ name, value })),
  }]);
  for (const name of ["bootorder", "etc/boot-menu-wait", "etc/boot-fail-wait", "bootsplash.bmp"]) {
    assertEquals(await firmwareFile(guestBus(here), name), await firmwareFile(there, name), name);
  }
  const order = async (bus: GuestBus) => {
    await bus.out8(0x70, 0x38);
    return await bus.in8(0x71);
  };
  assertEquals(await order(guestBus(here)), await order(there));
  assertEquals(here.built.setBootOrder("dca"), undefined);
  await there.monitor("boot_set dca");
  assertEquals(await order(guestBus(here)), await order(there));
});

Deno.test(
  { name: "option ROMs are files of the firmware, with a place in the order", ignore: !haveProgram(QEMU) },
  async () => {
    await using temp = await TempFolder.make();
    const content = new Uint8Array(1024).fill(0x90);
    const file = await temp.write("my.rom", content);
    const cd = "ide-cd,bus=ide.0,bootindex=3";
    await using there = await QemuGuest.start(["-option-rom", file, "-device", cd, "-boot", "strict=on"]);
    const optionRoms = [{ name: "my.rom", content }];
    await using here = await Vm.start({ nodefaults: true, memory: 16, optionRoms, devices: [cd], strictBoot: true });
    assertEquals(await firmwareFile(here.guest, "genroms/my.rom"), await firmwareFile(there, "genroms/my.rom"));
    const files = async (bus: GuestBus) => (await firmwareDirectory(bus)).map(({ name }) => name);
    assertEquals(await files(here.guest), (await files(there)).filter((name) => name !== ABSENT));
    assertEquals(await firmwareFile(here.guest, "bootorder"), await firmwareFile(there, "bootorder"));

    await using placedThere = await QemuGuest.start(["-option-rom", `${file},bootindex=1`, "-device", cd]);
    const placed = optionRoms.map((one) => ({ ...one, bootIndex: 1 }));
    await using placedHere = await Vm.start({ nodefaults: true, memory: 16, optionRoms: placed, devices: [cd] });
    assertEquals(await firmwareFile(placedHere.guest, "bootorder"), await firmwareFile(placedThere, "bootorder"));
  },
);

Deno.test("a text of SMBIOS that would end early is refused", async () => {
  const error = await assertRejects(() => Vm.start({ smbios: ["type=1,serial=a\0b"] }), Error);
  assertEquals(error.message, "-smbios type=1,serial=a\0b: NUL cannot stand in a structure's text");
});

const SEABIOS = "/usr/share/seabios/bios.bin";

Deno.test({ name: "a kernel has the first place in the order of booting", ignore: !haveProgram(QEMU) }, async () => {
  await using temp = await TempFolder.make();
  const kernel = await temp.write("kernel", standInKernel());
  await using there = await QemuGuest.start(["-kernel", kernel, "-device", "ide-cd,bus=ide.0,bootindex=3"]);
  const bios = await Deno.readFile(SEABIOS);
  const options = { accel: "qtest", nodefaults: true, kernel, bios } as const;
  await using here = await Vm.start({ ...options, devices: ["ide-cd,bus=ide.0,bootindex=3"] });
  assertEquals(await firmwareFile(here.guest, "bootorder"), await firmwareFile(there, "bootorder"));
  const args = ["-nodefaults", "-display", "none", "-S", "-kernel", kernel, "-device", "ide-cd,bootindex=0"];
  const { stderr } = await run(QEMU, ["-accel", "tcg", ...args]);
  const [ours] = await runMoaSystem([{ folder: temp.path, name: QEMU, args: ["-accel", "qtest", ...args], stdin: "" }]);
  assertEquals(ours!.stderr, stderr);
});

Deno.test({ name: "info roms lists what QEMU lists", ignore: !haveProgram(QEMU) }, async () => {
  await using temp = await TempFolder.make();
  const kernel = await temp.write("kernel", standInKernel());
  const folder = temp.path;
  for (const more of [["-bios", SEABIOS], ["-bios", "./seabios", "-no-acpi", "-kernel", kernel, "-append", "a b"]]) {
    await Deno.copyFile(SEABIOS, temp.file("seabios"));
    const args = ["-nodefaults", "-display", "none", "-S", "-monitor", "stdio", ...more];
    const stdin = "info roms\nquit\n";
    const listed = (text: string) =>
      text.split(/\r?\n/).filter((line) => /size=0x/.test(line) && !line.includes(ABSENT));
    const theirs = await run(QEMU, ["-accel", "tcg", ...args], { stdin, cwd: folder });
    const [ours] = await runMoaSystem([{ folder, name: QEMU, args: ["-accel", "qtest", ...args], stdin }]);
    assertEquals(listed(ours!.stdout), listed(theirs.stdout));
    assert(listed(ours!.stdout).length > 0);
  }
});
