/**
 * Images whose bitmap extension, directory or tables are damaged: moa and the real qemu-img refuse the same with the same
 * words, and open the same.
 *
 * The image is small and its layout known: the offsets below are those that qemu-img gives it.
 *
 * @module
 */
import { haveProgram } from "../support/programs.ts";
import { sideBySide } from "../support/side_by_side.ts";

const ignore = !haveProgram("qemu-img") || !haveProgram("qemu-io");

/** The body of the header extension. */
const EXTENSION = 0x200;
const DIRECTORY = 917504;
/** The table of the first bitmap, and where its data is. */
const TABLE = 720896;
const DATA = 0xa0000n;
const OTHER_DATA = 0xc0000n;

type Patch = readonly [name: string, ...edits: (readonly [at: number, bytes: readonly number[]])[]];

function number(value: bigint, size: 4 | 8): number[] {
  return Array.from({ length: size }, (_, i) => Number(value >> BigInt((size - 1 - i) * 8) & 0xffn));
}

const int = (value: number) => number(BigInt(value), 4);
const long = (value: bigint | number) => number(BigInt(value), 8);
const text = (value: string) => [...new TextEncoder().encode(value)];

const PATCHES: readonly Patch[] = [
  ["length", [EXTENSION - 4, int(16)]],
  ["none", [EXTENSION, int(0)]],
  ["many", [EXTENSION, int(65536)]],
  ["more", [EXTENSION, int(3)]],
  ["fewer", [EXTENSION, int(1)]],
  ["reserved", [EXTENSION + 4, int(1)]],
  ["unaligned", [EXTENSION + 16, long(DIRECTORY + 512)]],
  ["beyond", [EXTENSION + 16, long(1n << 40n)]],
  ["empty", [EXTENSION + 8, long(0)]],
  ["huge", [EXTENSION + 8, long(1n << 40n)]],
  ["max", [EXTENSION + 8, long(67108864)]],
  ["short", [EXTENSION + 8, long(40)]],
  ["long", [EXTENSION + 8, long(72)]],
  ["table-none", [DIRECTORY, long(0)]],
  ["table-unaligned", [DIRECTORY, long(TABLE + 512)]],
  ["table-beyond", [DIRECTORY, long(1n << 40n)]],
  ["table-empty", [DIRECTORY + 8, int(0)]],
  ["table-two", [DIRECTORY + 8, int(2)]],
  ["table-huge", [DIRECTORY + 8, int(0xffffffff)]],
  ["flags", [DIRECTORY + 12, int(8)]],
  ["in-use", [DIRECTORY + 12, int(3)]],
  ["extra-flag", [DIRECTORY + 12, int(6)]],
  ["type", [DIRECTORY + 16, [2]]],
  ["fine", [DIRECTORY + 17, [8]]],
  ["coarse", [DIRECTORY + 17, [32]]],
  ["coarser", [DIRECTORY + 17, [31]]],
  ["nameless", [DIRECTORY + 18, [0, 0]]],
  ["long-name", [DIRECTORY + 18, [4, 0]]],
  ["same-name", [DIRECTORY + 32 + 24, text("b0")]],
  ["cut-name", [DIRECTORY + 24, text("b\0")]],
  ["shorter-name", [DIRECTORY + 18, [0, 1]]],
  ["extra", [DIRECTORY + 20, int(4)], [DIRECTORY + 24, text("EXTRb0")]],
  ["extra-compatible", [DIRECTORY + 12, int(6)], [DIRECTORY + 20, int(4)], [DIRECTORY + 24, text("EXTRb0")]],
  ["extra-huge", [DIRECTORY + 20, int(0xffffff00)]],
  ["padding", [DIRECTORY + 31, [1]]],
  ["entry-reserved", [TABLE, long(DATA | 2n)]],
  ["entry-reserved-high", [TABLE, long(DATA | 1n << 60n)]],
  ["entry-ones", [TABLE, long(1)]],
  ["entry-offset-and-ones", [TABLE, long(DATA | 1n)]],
  ["entry-unaligned", [TABLE, long(DATA + 512n)]],
  ["entry-beyond", [TABLE, long(1n << 40n)]],
  ["entry-shared", [TABLE, long(OTHER_DATA)]],
  ["disk-shorter", [24, long(1 << 19)]],
];

/** Patches after which the clusters that are freed are not those that are counted: messages tell of it. */
const FREES_ODDLY = ["table-beyond", "entry-beyond", "entry-shared"];

function patchLine([name, ...edits]: Patch): string {
  const lines = edits.map(([at, bytes]) => {
    const octal = bytes.map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
    return `printf '${octal}' | dd of=${name} bs=1 seek=${at} conv=notrunc status=none`;
  });
  return [`cp good ${name}`, ...lines].join("; ");
}

Deno.test({
  name: "damaged bitmaps are refused as QEMU refuses them",
  ignore,
  fn: () =>
    sideBySide({
      setUp: [
        "qemu-img create -q -f qcow2 good 1M; qemu-img bitmap --add good b0; qemu-img bitmap --add -g 512 good b1",
        "qemu-io -c 'write -q 0 4k' -c 'write -q 900k 1k' good",
        ...PATCHES.map(patchLine),
      ],
      rows: PATCHES.flatMap(([name]) => [
        `info ${name}`,
        `check ${name}`,
        `measure -O qcow2 ${name}`,
        ...(FREES_ODDLY.includes(name) ? [] : [`bitmap --clear ${name} b1`, `check -q ${name}`, `info ${name}`]),
      ]),
      verify: PATCHES.filter(([name]) => !FREES_ODDLY.includes(name)).map(([name]) => `info ${name}`),
    }),
});
