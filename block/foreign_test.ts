/** Images of other formats are known by QEMU's rules, refused by name, and not written. */
import { assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../base/io_vector.ts";
import { haveProgram, must, run } from "../tests/support/programs.ts";
import { TempFolder } from "../tests/support/temp.ts";
import { BlockError } from "./errors.ts";
import { foreignFormat } from "./foreign.ts";
import { testGraph } from "./testing.ts";

const FORMATS = ["vmdk", "vdi", "qcow", "qed", "vpc", "vhdx", "parallels"];

function bytes(...parts: (string | number | number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => {
    if (typeof part === "number") return Array<number>(part).fill(0);
    return typeof part === "string" ? [...part].map((char) => char.charCodeAt(0)) : part;
  }));
}

/** First bytes that are near to a format's; qemu-img decides which of them are. */
const HEADS: readonly [name: string, head: Uint8Array][] = [
  ["descriptor", bytes("# Disk DescriptorFile\nversion=1\n")],
  ["descriptor with blanks", bytes("# x\n  \n# y\nversion=3\n")],
  ["descriptor with carriage returns", bytes("# x\r\nversion=2\r\n")],
  ["version alone", bytes("version=1\n", 600)],
  ["version 9", bytes("# x\nversion=9\n", 600)],
  ["version after an empty line", bytes("# x\n\nversion=1\n", 600)],
  ["version and a blank", bytes("# x\nversion=1 \n", 600)],
  ["COWD", bytes("COWD", 600)],
  ["qcow 0", bytes("QFI\xfb", [0, 0, 0, 0], 600)],
  ["qcow 1", bytes("QFI\xfb", [0, 0, 0, 1], 600)],
  ["luks 1", bytes("LUKS\xba\xbe", [0, 1], 600)],
  ["luks 2", bytes("LUKS\xba\xbe", [0, 2], 600)],
  ["parallels", bytes("WithoutFreeSpace", 600)],
  ["bochs 2", bytes("Bochs Virtual HD Image", 10, "Redolog", 9, "Growing", 9, [0, 0, 2, 0], 600)],
  ["bochs 3", bytes("Bochs Virtual HD Image", 10, "Redolog", 9, "Growing", 9, [0, 0, 3, 0], 600)],
  ["other bochs", bytes("Bochs Virtual HD Image", 10, "Redolog", 9, "Undoable", 8, [0, 0, 2, 0], 600)],
  ["cloop", bytes("#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n", 600)],
  ["short cloop", bytes("#!/bin/sh\n#V2.0 Format\nmodprobe cloop\n", 600)],
  ["zeroes", bytes(600)],
  ["archive.dmg", bytes(600)],
];

Deno.test({
  name: "foreign: what qemu-img takes for another format than raw is refused by name, and not written",
  ignore: !haveProgram("qemu-img"),
  async fn() {
    await using temp = await TempFolder.make();
    await Promise.all(
      FORMATS.map((format) => must("qemu-img", ["create", "-q", "-f", format, temp.file(format), "1M"])),
    );
    for (const format of FORMATS) {
      const path = temp.file(format);
      const before = await Deno.readFile(path);
      await using graph = testGraph();
      const error = await assertRejects(() => graph.openImage({ filename: path }), BlockError);
      assertEquals([error.message, error.help], [`Unknown driver '${format}'`, `moa has no driver '${format}' yet.`]);
      assertEquals(await Deno.readFile(path), before);
    }
  },
});

Deno.test({
  name: "foreign: first bytes are told apart as qemu-img does",
  ignore: !haveProgram("qemu-img"),
  async fn() {
    await using temp = await TempFolder.make();
    const theirs = await Promise.all(HEADS.map(async ([name, head]) => {
      const { code, stdout } = await run("qemu-img", ["info", await temp.write(name, head)]);
      return [name, code === 0 && stdout.includes("file format: raw") ? "raw" : "another"];
    }));
    const ours = HEADS.map(([name, head]) => [name, foreignFormat(head, name) === undefined ? "raw" : "another"]);
    assertEquals(ours, theirs);
  },
});

Deno.test("foreign: a raw image that was guessed cannot be made to look like another format", async () => {
  await using temp = await TempFolder.make();
  const path = await temp.write("disk", new Uint8Array(4096));
  await using graph = testGraph();
  const node = await graph.openImage({ filename: path });
  await assertRejects(() => node.write(0, IoVector.of(bytes("KDMV", 508))), BlockError, "Operation not permitted");
  await node.write(512, IoVector.of(bytes("KDMV", 508)));
});
