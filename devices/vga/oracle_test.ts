/**
 * The same accesses to this card and to QEMU's: registers, memory and pictures must agree.
 *
 * QEMU's side runs over its qtest protocol, which needs no CPU.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { SeededRandom } from "../../base/random.ts";
import { haveProgram } from "../../tests/support/programs.ts";
import { picture, textScreen, visibleSize } from "./picture.ts";
import {
  type Access,
  BYTES_MODE,
  EGA_MODE,
  FOUR_COLOUR_MODE,
  MONO_TEXT_MODE,
  PLANAR_MODE,
  play,
  setPalette,
  TEXT_MODE,
  TWO_COLOUR_MODE,
  vgaMachine,
  WIDE_TEXT_MODE,
} from "./testing.ts";

const QEMU = "qemu-system-x86_64";
const ignore = !haveProgram(QEMU);

const out = (at: number, value: number): Access => ({ kind: "out", at, value });
const out16 = (at: number, value: number): Access => ({ kind: "out16", at, value });
const store = (at: number, value: number): Access => ({ kind: "store", at, value });
const dispi = (...pairs: (readonly [index: number, value: number])[]): Access[] =>
  pairs.flatMap(([index, value]) => [out16(0x1ce, index), out16(0x1cf, value)]);

/** All registers, by index ports. */
const READS: readonly (readonly [index: number, count: number, data: number])[] = [
  [0x3c4, 8, 0x3c5],
  [0x3ce, 16, 0x3cf],
  [0x3d4, 32, 0x3d5],
];

/** What to do, and from where to read memory afterwards. */
interface Case {
  readonly accesses: readonly Access[];
  readonly memory?: readonly [number, number];
  /** The mode makes no sense: only registers are compared. */
  readonly hasNoPicture?: boolean;
}

const CASES: Record<string, Case> = {
  "all ones": {
    hasNoPicture: true,
    accesses: [
      out(0x3c2, 0xff),
      ...[0x3c4, 0x3ce, 0x3d4].flatMap((port) =>
        Array.from({ length: 32 }, (_, i) => i).flatMap((i) =>
          port === 0x3d4 && i === 0x11 ? [] : [out(port, i), out(port + 1, 0xff)]
        )
      ),
      ...Array.from({ length: 0x15 }, (_, i) => i).flatMap((i) => [out(0x3c0, i), out(0x3c0, 0xff)]),
      out(0x3da, 0xff),
    ],
  },
  "text": {
    accesses: [...TEXT_MODE, ...setPalette(), ...font(), ...text()],
    memory: [0xb8000, 256],
  },
  // QEMU draws neither blinking, panning nor underlines, and begins with the cursor shown.
  "text of 40 columns, its cursor": {
    accesses: [
      ...WIDE_TEXT_MODE,
      ...setPalette(),
      ...font(),
      ...text(),
      ...crtc([10, 13], [11, 14], [14, 0], [15, 45]),
    ],
  },
  "monochrome text": {
    accesses: [...MONO_TEXT_MODE, ...setPalette(), ...font(), ...run(0xb0000, 4000, (i) => (i & 1) === 0 ? i >> 1 : i)],
  },
  "text whose lower part is memory's beginning, a cursor in both": {
    accesses: [
      ...TEXT_MODE,
      ...setPalette(),
      ...font(),
      ...text(),
      ...crtc([13, 80], [24, 100], [7, 15], [9, 15], [10, 13], [11, 14], [14, 0], [15, 85]),
    ],
  },
  "CGA, four colours": { accesses: [...FOUR_COLOUR_MODE, ...setPalette(), ...noise()] },
  "CGA, two colours, split": {
    accesses: [...TWO_COLOUR_MODE, ...setPalette(), ...noise(), ...crtc([24, 51], [7, 15], [9, 0x81])],
  },
  "EGA": { accesses: [...EGA_MODE, ...setPalette(), ...planes()] },
  "four colours out of four planes, one of them off, every line thrice and split": {
    accesses: [
      ...EGA_MODE,
      ...[...Array(16).keys()].flatMap((plane) => [
        ...[out(0x3c4, 2), out(0x3c5, plane)],
        ...run(0xa0000 + 97 * plane, 700, (i) => i * (2 * plane + 3)),
      ]),
      ...setPalette(),
      ...[out(0x3ce, 5), out(0x3cf, 0x20)],
      ...crtc([9, 2], [0x17, 0xe1], [24, 77], [7, 15]),
    ],
  },
  "planar graphics": { accesses: [...PLANAR_MODE, ...setPalette(), ...planes()], memory: [0xa0000, 512] },
  "bytes": {
    accesses: [...BYTES_MODE, ...setPalette(), ...run(0xa0000, 4000, (i) => i * 7)],
    memory: [0xa0000, 256],
  },
  "display interface, 8 bits": {
    accesses: [
      ...BYTES_MODE,
      ...setPalette(),
      ...dispi([1, 320], [2, 240], [3, 8], [4, 0x41]),
      ...run(0xa0000, 4000, (i) => i * 3),
      ...dispi([5, 1]),
      ...run(0xa0000, 300, (i) => i),
    ],
    memory: [0xa0000, 64],
  },
  "display interface, 16 bits": {
    accesses: [...TEXT_MODE, ...dispi([1, 328], [2, 200], [3, 16], [4, 1]), ...run(0xa0000, 4000, (i) => i * 29)],
  },
  "display interface, 15 bits": {
    accesses: [...TEXT_MODE, ...dispi([1, 320], [2, 200], [3, 15], [4, 1]), ...run(0xa0000, 4000, (i) => i * 31)],
  },
  "display interface, 32 bits, panned": {
    accesses: [
      ...TEXT_MODE,
      ...dispi([1, 320], [2, 200], [3, 32], [4, 1], [6, 400], [8, 10], [9, 3]),
      ...run(0xa0000, 20000, (i) => i * 13),
    ],
  },
  "display interface, 24 bits": {
    accesses: [...TEXT_MODE, ...dispi([1, 320], [2, 200], [3, 24], [4, 1]), ...run(0xa0000, 4000, (i) => i * 17)],
  },
};

function run(start: number, count: number, value: (i: number) => number): Access[] {
  return Array.from({ length: count }, (_, i) => store(start + i, value(i) & 0xff));
}

/** CRTC registers. */
function crtc(...pairs: (readonly [index: number, value: number])[]): Access[] {
  return pairs.flatMap(([index, value]) => [out(0x3d4, index), out(0x3d5, value)]);
}

/** CGA's memory full of nothing in particular. */
function noise(): Access[] {
  const random = new SeededRandom(3);
  return run(0xb8000, 0x4000, () => random.uint32());
}

/** Glyphs in plane 2, written as a BIOS does. */
function font(): Access[] {
  const open = [[0x3c4, 2], [0x3c5, 4], [0x3c4, 4], [0x3c5, 6], [0x3ce, 4], [0x3cf, 2], [0x3ce, 5], [0x3cf, 0]];
  const close = [[0x3c4, 2], [0x3c5, 3], [0x3c4, 4], [0x3c5, 2], [0x3ce, 4], [0x3cf, 0], [0x3ce, 5], [0x3cf, 0x10]];
  const glyphs = run(0xa0000, 256 * 32, (i) => (i >> 5) ^ (i * 37));
  const both = [...open, [0x3ce, 6], [0x3cf, 4]].map(([at, value]) => out(at!, value!));
  return [...both, ...glyphs, ...[...close, [0x3ce, 6], [0x3cf, 0x0e]].map(([at, value]) => out(at!, value!))];
}

/** Every character with every look, without a cursor. */
function text(): Access[] {
  return [...run(0xb8000, 4000, (i) => (i & 1) === 0 ? i >> 1 : (i * 11) >> 1), out(0x3d4, 0x0a), out(0x3d5, 0x20)];
}

/** Each write mode and function with latches. */
function planes(): Access[] {
  const random = new SeededRandom(7);
  const accesses = run(0xa0000, 2000, (i) => i * 5);
  for (let step = 0; step < 400; step++) {
    const [index, mask] = [[0, 15], [1, 15], [2, 15], [3, 0x1f], [4, 3], [5, 3], [7, 15], [8, 255]][random.below(8)]!;
    accesses.push(out(0x3ce, index!), out(0x3cf, random.uint32() & mask!));
    if (random.below(4) === 0) accesses.push(out(0x3c4, 2), out(0x3c5, random.below(16)));
    accesses.push(store(0xa0000 + random.below(512), random.below(256)));
  }
  // Read mode 0 of plane 0 at the end.
  return [...accesses, out(0x3ce, 5), out(0x3cf, 0), out(0x3ce, 4), out(0x3cf, 0)];
}

Deno.test({ name: "the card does as QEMU's", ignore }, async (t) => {
  for (const [name, { accesses, memory, hasNoPicture }] of Object.entries(CASES)) {
    await t.step(name, async () => {
      const machine = await vgaMachine();
      play(machine, accesses);
      const there = await runThere(accesses, memory);
      const here: number[] = [machine.in(0x3cc)];
      for (const [index, count, data] of READS) {
        for (let i = 0; i < count; i++) {
          machine.out(index, i);
          here.push(machine.in(data));
        }
      }
      for (let i = 0; i <= 10; i++) {
        machine.out(0x1ce, i, 2);
        here.push(machine.in(0x1cf, 2));
      }
      const [start, length] = memory ?? [0, 0];
      for (let i = 0; i < length; i++) here.push(machine.memory.readValue(start + i, 1));
      assertEquals(here, there.values);
      if (hasNoPicture) return;
      const shown = picture(machine.vga);
      assertEquals([shown.width, shown.height], [there.width, there.height]);
      if (textScreen(machine.vga) === undefined) {
        assertEquals(visibleSize(machine.vga), { width: there.width, height: there.height });
      }
      const wrong = shown.pixels.findIndex((part, at) => part !== there.pixels[at]);
      assert(wrong < 0, `pixel ${Math.floor(wrong / 3)}: ${shown.pixels[wrong]} is ${there.pixels[wrong]} in QEMU`);
    });
  }
});

interface Seen {
  readonly values: number[];
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

async function runThere(accesses: readonly Access[], memory: readonly [number, number] | undefined): Promise<Seen> {
  const folder = await Deno.makeTempDir();
  try {
    const lines = accesses.map(({ kind, at, value }) =>
      kind === "store" ? `writeb 0x${at.toString(16)} ${value}` : `${kind === "out" ? "outb" : "outw"} ${at} ${value}`
    );
    lines.push("inb 972");
    for (const [index, count, data] of READS) {
      for (let i = 0; i < count; i++) lines.push(`outb ${index} ${i}`, `inb ${data}`);
    }
    for (let i = 0; i <= 10; i++) lines.push(`outw ${0x1ce} ${i}`, `inw ${0x1cf}`);
    if (memory !== undefined) {
      for (let i = 0; i < memory[1]; i++) lines.push(`readb ${memory[0] + i}`);
    }
    const dump = `${folder}/screen.ppm`;
    const output = await qtest(folder, lines, dump);
    const values = output.split("\n").filter((line) => /^OK 0x/.test(line)).map((line) => Number(line.slice(3)));
    const ppm = await Deno.readFile(dump);
    const header = /^P6\n(\d+) (\d+)\n255\n/.exec(new TextDecoder("latin1").decode(ppm.subarray(0, 40)))!;
    return { values, width: Number(header[1]), height: Number(header[2]), pixels: ppm.subarray(header[0].length) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs qtest commands, then takes a screendump. */
async function qtest(folder: string, lines: readonly string[], dump: string): Promise<string> {
  const [test, qmp] = [`${folder}/qtest`, `${folder}/qmp`];
  const listener = Deno.listen({ transport: "unix", path: test });
  const control = Deno.listen({ transport: "unix", path: qmp });
  const args = ["-accel", "tcg", "-S", "-display", "none", "-nodefaults", "-vga", "std"];
  const child = new Deno.Command(QEMU, {
    args: [...args, "-qtest", `unix:${test}`, "-qtest-log", "none", "-qmp", `unix:${qmp}`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    using commands = await listener.accept();
    using monitor = await control.accept();
    listener.close();
    control.close();
    const answers = readAll(commands, lines.length);
    await write(commands, `${lines.join("\n")}\n`);
    const output = await answers;
    const replies = readAll(monitor, 3);
    const dumping = { execute: "screendump", arguments: { filename: dump } };
    await write(monitor, `{"execute":"qmp_capabilities"}${JSON.stringify(dumping)}`);
    await replies;
    return output;
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}

async function write(connection: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** Reads `count` lines. */
async function readAll(connection: Deno.Conn, count: number): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65536);
  let text = "";
  let seen = 0;
  while (seen < count) {
    const length = await connection.read(buffer);
    if (length === null) throw new Error("QEMU has gone");
    const part = decoder.decode(buffer.subarray(0, length));
    seen += part.split("\n").length - 1;
    text += part;
  }
  return text;
}
