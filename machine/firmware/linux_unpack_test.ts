import { assertEquals } from "@std/assert";
import { gzipSync, zstdCompressSync } from "node:zlib";
import "../../base/host/preload.ts";
import { layOutLinux } from "./linux.ts";
import { unpackKernel } from "./linux_unpack.ts";

const MIB = 1 << 20;
const ADDRESS = 16 * MIB;
const CODE = Uint8Array.from({ length: 5000 }, (_, index) => index * 7);
const DATA = new TextEncoder().encode("a segment of data");

interface Fake {
  readonly elf?: (view: DataView) => void;
  readonly pack?: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array;
  readonly header?: (view: DataView) => void;
}

const gzip = (bytes: Uint8Array) => gzipSync(bytes);
/** As the kernel's build does it: the size unpacked behind it. */
const zstd = (bytes: Uint8Array) => {
  const packed = zstdCompressSync(bytes);
  const all = new Uint8Array(packed.length + 4);
  all.set(packed);
  new DataView(all.buffer).setUint32(packed.length, bytes.length, true);
  return all;
};

/** An ELF file with two segments, by the specification's offsets. */
function elfFile(change: (view: DataView) => void = () => {}): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(0x1000 + CODE.length + DATA.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 3, true);
  view.setUint32(24, ADDRESS + 0x10, true);
  view.setUint32(28, 52, true);
  view.setUint16(42, 32, true);
  view.setUint16(44, 3, true);
  const segment = (index: number, fields: readonly number[]) =>
    fields.forEach((value, at) => view.setUint32(52 + 32 * index + 4 * at, value >>> 0, true));
  segment(0, [1, 0x1000, 0xc100_0000, ADDRESS, CODE.length, CODE.length, 5, 0x1000]);
  segment(1, [1, 0x1000 + CODE.length, 0xc100_2000, ADDRESS + 0x2000, DATA.length, 0x800, 6, 0x1000]);
  segment(2, [4, 0, 0, 0, 0, 0, 0, 4]);
  bytes.set(CODE, 0x1000);
  bytes.set(DATA, 0x1000 + CODE.length);
  change(view);
  return bytes;
}

/** A `bzImage` with one sector of setup code. */
function kernelFile({ elf, pack = gzip, header = () => {} }: Fake = {}): Uint8Array<ArrayBuffer> {
  const payload = pack(elfFile(elf));
  const bytes = new Uint8Array(1024 + 100 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0x1f1, 1);
  view.setUint32(0x202, 0x5372_6448, true);
  view.setUint16(0x206, 0x20f, true);
  view.setUint8(0x211, 1);
  view.setUint32(0x214, 0x10_0000, true);
  view.setUint32(0x22c, 0x7fff_ffff, true);
  view.setUint32(0x248, 100, true);
  view.setUint32(0x24c, payload.length, true);
  view.setBigUint64(0x258, BigInt(ADDRESS), true);
  view.setUint32(0x260, 8 * MIB, true);
  bytes.set(payload, 1024 + 100);
  header(view);
  return bytes;
}

for (const [name, pack] of Object.entries({ gzip, zstd })) {
  Deno.test(`a kernel packed by ${name} is laid out as its segments say`, async () => {
    const expected = new Uint8Array(0x2000 + DATA.length);
    expected.set(CODE);
    expected.set(DATA, 0x2000);
    assertEquals(await unpackKernel(kernelFile({ pack })), {
      address: ADDRESS,
      bytes: expected,
      entry: ADDRESS + 0x10,
      neededBytes: 8 * MIB,
    });
  });
}

Deno.test("what is not in every point as expected is left to the kernel", async () => {
  const left: Record<string, Fake> = {
    "an old protocol": { header: (view) => view.setUint16(0x206, 0x209, true) },
    "another payload": { header: (view) => view.setUint32(0x248, 99, true) },
    "a payload beyond the file": { header: (view) => view.setUint32(0x248, 0xffff_fff0, true) },
    "a payload cut short": { header: (view) => view.setUint32(0x24c, 40, true) },
    "a damaged payload": { pack: (bytes) => gzip(bytes).map((byte, at) => at === 20 ? byte ^ 0xff : byte) },
    "a size that is not so": {
      pack: (bytes) => zstd(bytes).map((byte, at, all) => at === all.length - 4 ? byte ^ 1 : byte),
    },
    "no ELF file": { elf: (view) => view.setUint8(0, 0) },
    "64 bits": { elf: (view) => view.setUint8(4, 2) },
    "another machine": { elf: (view) => view.setUint16(18, 62, true) },
    "an entry outside": { elf: (view) => view.setUint32(24, ADDRESS - 1, true) },
    "a segment below": { elf: (view) => view.setUint32(52 + 12, ADDRESS - 4096, true) },
    "a segment beyond what is needed": { elf: (view) => view.setUint32(52 + 32 + 12, ADDRESS + 8 * MIB - 0x7ff, true) },
    "a place where the loader's own pieces lie": {
      header: (view) => view.setBigUint64(0x258, 0x1_0000n, true),
      elf: (view) => {
        view.setUint32(24, 0x1_0010, true);
        for (const [index, at] of [0x1_0000, 0x1_2000].entries()) view.setUint32(52 + 32 * index + 12, at, true);
      },
    },
    "a segment beyond the file": { elf: (view) => view.setUint32(52 + 4, 0xffff_0000, true) },
    "segments beyond the file": { elf: (view) => view.setUint16(44, 0xffff, true) },
  };
  for (const [name, fake] of Object.entries(left)) {
    assertEquals(await unpackKernel(kernelFile(fake)), undefined, name);
  }
  assertEquals(await unpackKernel(new Uint8Array(0)), undefined);
});

Deno.test("with too little room for it unpacked a kernel unpacks itself", async () => {
  const kernel = kernelFile();
  const files = { kernelName: "k", kernel, commandLine: "", unpacked: await unpackKernel(kernel) };
  const layOut = (ramEnd: number, initrdBytes = 0) => {
    const image = layOutLinux({ ...files, initrd: new Uint8Array(initrdBytes) }, ramEnd, { longMode: false });
    return [image.kernelAddress, new DataView(image.setup.buffer).getUint32(0x214, true)];
  };
  assertEquals(layOut(32 * MIB), [ADDRESS, ADDRESS + 0x10]);
  assertEquals(layOut(32 * MIB, 6 * MIB), [ADDRESS, ADDRESS + 0x10]);
  assertEquals(layOut(32 * MIB, 9 * MIB), [MIB, MIB]);
  assertEquals(layOut(24 * MIB), [MIB, MIB]);
});
