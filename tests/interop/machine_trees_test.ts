/**
 * The trees of a pc, line by line, against qemu-system-x86_64 in the same configuration.
 *
 * QEMU orders address spaces by where they lie in its own memory, so the sections of `info mtree` are compared as a set.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { MiB } from "../../base/units.ts";
import { type TestDrive, testPc } from "../../machine/testing.ts";
import { type DeviceRequestOptions, mtree, pciFunctions, qtree } from "../../machine/mod.ts";
import { infoMtree, infoPci, infoQtree } from "../../monitor/commands/tree.ts";
import type { HmpOutput } from "../../monitor/schema/command.ts";
import { haveProgram, must } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const ignore = !haveProgram("qemu-system-x86_64") || !haveProgram("qemu-img");

interface Trees {
  readonly qtree: string;
  readonly mtree: readonly string[];
  readonly pci: string;
}

/** A write to configuration space. */
interface ConfigWrite {
  readonly address: number;
  readonly width: 1 | 2 | 4;
  readonly value: number;
}

const SUFFIX = { 1: "b", 2: "h", 4: "w" } as const;

/** The same as the monitor's commands. */
function asCommands(writes: readonly ConfigWrite[]): string {
  return writes.map(({ address, width, value }) =>
    `o /w 0xcf8 0x${((0x80000000 | (address & ~3)) >>> 0).toString(16)}\n` +
    `o /${SUFFIX[width]} 0x${(0xcfc + (address & 3)).toString(16)} 0x${value.toString(16)}\n`
  ).join("");
}

async function theirs(args: readonly string[], writes: readonly ConfigWrite[] = []): Promise<Trees> {
  const common = ["-accel", "tcg", "-S", "-display", "none", "-monitor", "stdio", "-vga", "none", "-net", "none"];
  const output = await must("qemu-system-x86_64", [...common, "-serial", "none", "-parallel", "none", ...args], {
    stdin: `${asCommands(writes)}info qtree\ninfo mtree\ninfo pci\nquit\n`,
  });
  const parts = output.replaceAll("\r", "").split(/^\(qemu\) .*\n/m);
  const [qtreeText = "", mtreeText = "", pciText = ""] = parts.slice(1 + 2 * writes.length);
  return { qtree: qtreeText, mtree: sections(mtreeText), pci: pciText };
}

function sections(text: string): string[] {
  return text.split("\n\n").map((section) => section.trimEnd()).filter((section) => section !== "").sort();
}

async function ours(
  drives: readonly TestDrive[],
  writes: readonly ConfigWrite[] = [],
  devices: readonly DeviceRequestOptions[] = [],
): Promise<Trees> {
  await using pc = await testPc({ ramBytes: 128 * MiB, drives });
  for (const device of devices) await pc.machine.addDevice(device);
  for (const { address, width, value } of writes) {
    pc.qtest.out(0xcf8, (0x80000000 | (address & ~3)) >>> 0, 4);
    pc.qtest.out(0xcfc + (address & 3), value, width);
  }
  return {
    qtree: printed(infoQtree, qtree(pc.machine)),
    mtree: sections(printed(infoMtree, mtree(pc.machine))),
    pci: printed(infoPci, pciFunctions(pc.machine)),
  };
}

/** What a command's HMP twin makes of `data`. These print from their data alone. */
function printed<Data>(
  command: { readonly hmp?: { print?(output: HmpOutput, data: Data, values: never, context: never): void } },
  data: Data,
): string {
  let text = "";
  const output: HmpOutput = { print: (more) => void (text += more), host() {}, hostError() {} };
  command.hmp?.print?.(output, data, {} as never, {} as never);
  return text;
}

const CD: TestDrive = { name: "ide1-cd0", at: { interface: "ide", bus: 1, unit: 0, media: "cdrom" } };
const FLOPPY: TestDrive = { name: "floppy0", at: { interface: "floppy", bus: 0, unit: 0, media: "disk" } };

Deno.test({
  name: "a pc without defaults has QEMU's trees",
  ignore,
  fn: async () => assertEquals(await ours([]), await theirs(["-nodefaults"])),
});

Deno.test({
  name: "a pc with defaults and a disk has QEMU's trees",
  ignore,
  async fn() {
    await using temp = await TempFolder.make();
    const file = temp.file("a.qcow2");
    await must("qemu-img", ["create", "-q", "-f", "qcow2", file, "64M"]);
    const expected = await theirs(["-hda", file]);
    const disk: TestDrive = { name: "ide0-hd0", file, at: { interface: "ide", bus: 0, unit: 0, media: "disk" } };
    assertEquals(await ours([disk, CD, FLOPPY]), expected);
  },
});

Deno.test({
  name: "a pc with a disk and a CD has QEMU's trees",
  ignore,
  async fn() {
    await using temp = await TempFolder.make();
    const file = temp.file("a.qcow2");
    await must("qemu-img", ["create", "-q", "-f", "qcow2", file, "20G"]);
    const cd = await temp.write("c.iso", new Uint8Array(1 * MiB));
    const expected = await theirs(["-nodefaults", "-hda", file, "-cdrom", cd]);
    const disk: TestDrive = { name: "ide0-hd0", file, at: { interface: "ide", bus: 0, unit: 0, media: "disk" } };
    assertEquals(await ours([disk, { ...CD, file: cd, format: "raw", readOnly: true }]), expected);
  },
});

/** What firmware does: BARs, command registers, interrupt lines, PAM, SMRAM, power management's ports. */
const SETUP: readonly ConfigWrite[] = [
  { address: 0x920, width: 4, value: 0xc000 },
  { address: 0x904, width: 2, value: 0x05 },
  { address: 0x93c, width: 1, value: 14 },
  { address: 0x059, width: 1, value: 0x30 },
  { address: 0x05a, width: 1, value: 0x12 },
  { address: 0x05e, width: 1, value: 0x33 },
  { address: 0x072, width: 1, value: 0x4a },
  { address: 0xb40, width: 4, value: 0x600 },
  { address: 0xb80, width: 1, value: 0x01 },
  { address: 0xb3c, width: 1, value: 9 },
  { address: 0xb04, width: 2, value: 0x07 },
];

Deno.test({
  name: "a pc that firmware has set up has QEMU's trees",
  ignore,
  fn: async () => assertEquals(await ours([], SETUP), await theirs(["-nodefaults"], SETUP)),
});

/** virtio's BARs, as firmware might place them: I/O, messages, structures above 4 GiB. */
const VIRTIO_SETUP: readonly ConfigWrite[] = [
  { address: 0x1010, width: 4, value: 0xc000 },
  { address: 0x1014, width: 4, value: 0xfebf_0000 },
  { address: 0x1018, width: 4, value: 0xc100 },
  { address: 0x1020, width: 4, value: 0x0080_0000 },
  { address: 0x1024, width: 4, value: 0x0000_0080 },
  { address: 0x1004, width: 2, value: 0x07 },
  { address: 0x103c, width: 1, value: 11 },
];

for (
  const [type, properties] of [
    ["virtio-blk-pci", ""],
    ["virtio-blk-pci", "disable-modern=on,serial=a,logical_block_size=4096,physical_block_size=4096"],
    ["virtio-blk-pci", "disable-legacy=on,num-queues=4,page-per-vq=on,modern-pio-notify=on,class=0x0180"],
    ["virtio-blk-pci", "vectors=0,discard=off,write-zeroes=off,bootindex=3,werror=stop"],
    ["virtio-blk-pci-transitional", "packed=on"],
    ["virtio-blk-pci-non-transitional", "addr=02.0,vectors=200"],
  ] as const
) {
  Deno.test({
    name: `a pc with ${type},${properties} has QEMU's trees`,
    ignore,
    async fn() {
      await using temp = await TempFolder.make();
      const file = await temp.write("a.raw", new Uint8Array(1 * MiB));
      const drive = ["-nodefaults", "-drive", `if=none,file=${file},format=raw,id=d`];
      const expected = await theirs([...drive, "-device", `${type},drive=d,id=v,${properties}`], VIRTIO_SETUP);
      const texts = properties.split(",").filter((text) => text !== "").map((text) =>
        text.split("=") as [string, string]
      );
      const device = { driver: type, id: "v", properties: [["drive", "d"], ...texts] as [string, string][] };
      assertEquals(await ours([{ name: "d", file, format: "raw" }], VIRTIO_SETUP, [device]), expected);
    },
  });
}
