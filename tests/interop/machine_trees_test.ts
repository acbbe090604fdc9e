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
import { mtree, pciFunctions, qtree } from "../../machine/mod.ts";
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

async function theirs(args: readonly string[]): Promise<Trees> {
  const common = ["-accel", "tcg", "-S", "-display", "none", "-monitor", "stdio", "-vga", "none", "-net", "none"];
  const output = await must("qemu-system-x86_64", [...common, "-serial", "none", "-parallel", "none", ...args], {
    stdin: "info qtree\ninfo mtree\ninfo pci\nquit\n",
  });
  const parts = output.replaceAll("\r", "").split(/^\(qemu\) .*\n/m);
  const [, qtreeText = "", mtreeText = "", pciText = ""] = parts;
  return { qtree: qtreeText, mtree: sections(mtreeText), pci: pciText };
}

function sections(text: string): string[] {
  return text.split("\n\n").map((section) => section.trimEnd()).filter((section) => section !== "").sort();
}

async function ours(drives: readonly TestDrive[]): Promise<Trees> {
  await using pc = await testPc({ ramBytes: 128 * MiB, drives });
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
