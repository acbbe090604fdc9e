/** L2 entries in all their forms: what they mean, and what is said of those that mean nothing. */
import { assertEquals } from "@std/assert";
import { haveProgram } from "../../../tests/support/programs.ts";
import type { BlockError } from "../../errors.ts";
import { copiedRange, isWritten, linked } from "./copy_on_write.ts";
import { EntryFormat, type Mapping, subclusterRange } from "./mapping.ts";
import { createTestImage, fileNode, MemoryFile, openTestImage, runProgram } from "./testing.ts";

const CLUSTER_BITS = 16;

function bytesOf(words: readonly number[]): DataView {
  const view = new DataView(new ArrayBuffer(words.length * 4));
  words.forEach((word, i) => view.setUint32(i * 4, word));
  return view;
}

Deno.test("an extended entry's bitmaps say what each subcluster is, and come back as they were", () => {
  const format = new EntryFormat({ clusterBits: CLUSTER_BITS, extended: true, external: false });
  const host = 0x50000;
  // [QCOW2] "Extended L2 Entries": bits 32 to 63 of the bitmap are zeroes, bits 0 to 31 allocation.
  const rows: [words: number[], mapping: Mapping][] = [
    [[0, 0, 0, 0], { kind: "unallocated" }],
    [[0x8000_0000, host, 0, 0], { kind: "mixed", host, copied: true, data: 0, zero: 0 }],
    [[0x8000_0000, host, 0, 0xffff_ffff], { kind: "data", host, copied: true }],
    [[0, host, 0xffff_ffff, 0], { kind: "zero", host, copied: false }],
    [[0, 0, 0xffff_ffff, 0], { kind: "zero", host: 0, copied: false }],
    [[0, 0, 0x10, 0], { kind: "mixed", host: 0, copied: false, data: 0, zero: 0x10 }],
    [[0x8000_0000, host, 0x8000_0000, 1], { kind: "mixed", host, copied: true, data: 1, zero: 0x8000_0000 }],
    [[0x4000_0000, 0x50200, 0, 0], { kind: "compressed", host: 0x50200, length: 512 }],
  ];
  for (const [words, mapping] of rows) {
    assertEquals(format.decode(bytesOf(words), 0), mapping);
    const view = new DataView(new ArrayBuffer(32));
    format.encode(view, 1, mapping);
    assertEquals([16, 20, 24, 28].map((at) => view.getUint32(at)), words);
  }
  for (const words of [[0x8000_0000, host, 3, 2], [0, 0, 0, 1]]) {
    assertEquals(format.decode(bytesOf(words), 0).kind, "invalid");
  }
});

Deno.test("with an external data file offset 0 is a place, if the mark says so", () => {
  const format = new EntryFormat({ clusterBits: CLUSTER_BITS, extended: false, external: true });
  const plain = new EntryFormat({ clusterBits: CLUSTER_BITS, extended: false, external: false });
  const marked = bytesOf([0x8000_0000, 0]);
  assertEquals(format.decode(marked, 0), { kind: "data", host: 0, copied: true });
  assertEquals(plain.decode(marked, 0), { kind: "unallocated" });
  assertEquals(format.decode(bytesOf([0, 0]), 0), { kind: "unallocated" });
  assertEquals(format.hasHost({ kind: "zero", host: 0, copied: true }), false);
  const view = new DataView(new ArrayBuffer(8));
  format.encode(view, 0, { kind: "data", host: 0, copied: true });
  assertEquals(view.getUint32(0), 0x8000_0000);
});

Deno.test("subclusters are counted from the lowest bit", () => {
  assertEquals(subclusterRange(0, 31), 0xffff_ffff);
  assertEquals(subclusterRange(0, 0), 1);
  assertEquals(subclusterRange(31, 31), 0x8000_0000);
  assertEquals(subclusterRange(3, 5), 0b111000);
});

Deno.test("a write copies the rest of its subclusters, and of a cluster that it replaces the data", async () => {
  const file = await createTestImage({ extended_l2: true, size: 1 << 20 });
  await using open = await openTestImage(file);
  const { image } = open.driver;
  const touched = { at: 0x10000 + 5000, end: 0x10000 + 6000 };
  const target = (first: Mapping, kept: boolean) => ({ start: 0x10000, clusters: 1, first, last: first, kept });
  const nothing: Mapping = { kind: "unallocated" };
  assertEquals(copiedRange(image, target(nothing, false), touched), { at: 0x10000 + 4096, end: 0x10000 + 6144 });
  const some: Mapping = { kind: "mixed", host: 0x50000, copied: false, data: 0x8000_0002, zero: 0x10 };
  assertEquals(copiedRange(image, target(some, false), touched), { at: 0x10000 + 2048, end: 0x20000 });
  assertEquals(copiedRange(image, target(some, true), touched), { at: 0x10000 + 4096, end: 0x10000 + 6144 });
  const there: Mapping = { kind: "mixed", host: 0x50000, copied: true, data: 4, zero: 0 };
  assertEquals(copiedRange(image, target(there, true), touched), touched);
  assertEquals(isWritten(image, there, 0x10000, touched), true);
  assertEquals(isWritten(image, there, 0x10000, { at: 0x10000, end: 0x10000 + 6000 }), false);
  const packed: Mapping = { kind: "compressed", host: 0x50000, length: 512 };
  assertEquals(copiedRange(image, target(packed, false), touched), { at: 0x10000, end: 0x20000 });
  assertEquals(linked(image, some, 0x10000, 0x60000, { at: 0x10000 + 8192, end: 0x10000 + 12288 }), {
    kind: "mixed",
    host: 0x60000,
    copied: true,
    data: 0x8000_0032,
    zero: 0,
  });
});

/** An entry of an image that was made and filled, overwritten. */
interface Lie {
  readonly name: string;
  readonly external: boolean;
  readonly at: number;
  readonly words: readonly number[];
  readonly command: string;
}

const LIES: Lie[] = [
  { name: "both bits", external: false, at: 8, words: [1, 3], command: "read 0 4k" },
  { name: "both bits, write", external: false, at: 8, words: [1, 3], command: "write 8k 4k" },
  { name: "data without a cluster", external: false, at: 0, words: [0, 0, 0, 3], command: "read 0 4k" },
  { name: "data without a cluster, write", external: false, at: 0, words: [0, 0, 0, 3], command: "write 0 4k" },
  { name: "unaligned", external: false, at: 0, words: [0x8000_0000, 0x50200], command: "read 0 4k" },
  { name: "elsewhere in the data file", external: true, at: 8, words: [0x8000_0000, 0x50000], command: "read 64k 4k" },
  { name: "compressed", external: true, at: 8, words: [0x4000_0000, 0x50000], command: "read 64k 4k" },
  { name: "compressed, write", external: true, at: 8, words: [0x4000_0000, 0x50000], command: "write 64k 4k" },
];

Deno.test({
  name: "entries that cannot be end in an error, the mark in the header, and qemu-io's words",
  ignore: !haveProgram("qemu-io"),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      for (const { name, external, at, words, command } of LIES) {
        const path = `${folder}/q`;
        const options = external ? `data_file=${folder}/d` : "extended_l2=on";
        await runProgram("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, path, "1M");
        await runProgram("qemu-io", "-c", "write 0 4k", "-c", "write 64k 64k", path);
        const bytes = await Deno.readFile(path);
        const view = new DataView(bytes.buffer);
        const l2 = Number(view.getBigUint64(Number(view.getBigUint64(40))) & 0xff_ffff_ffff_fe00n);
        words.forEach((word, i) => view.setUint32(l2 + at + i * 4, word));
        await Deno.writeFile(path, bytes);
        const { stderr } = await runProgram("qemu-io", "-c", command, path);
        const file = new MemoryFile(bytes);
        const open = await openTestImage(file, { dataNode: fileNode(new MemoryFile(), "data") });
        const [verb, start] = command.split(" ");
        const offset = parseInt(start!) * 1024;
        const request = verb === "read" ? open.read(offset, 4096) : open.write(offset, new Uint8Array(4096));
        const errno = await request.then(() => "none", (error) => (error as BlockError).errno);
        await open[Symbol.asyncDispose]();
        const theirs = stderr.split("\n").filter((line) => line.startsWith("qcow2:"));
        assertEquals([name, ...open.warnings], [name, ...theirs]);
        assertEquals(errno, "EIO", name);
        assertEquals(file.content()[79]! & 2, 2, `${name}: corrupt bit`);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
