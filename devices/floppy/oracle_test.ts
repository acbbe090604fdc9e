/**
 * The same dialogues here and with QEMU's controller: every value that is read must agree, memory included.
 *
 * QEMU's virtual clock has to run for its floppy to, so its guest halts instead of standing still.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { haveProgram } from "../../tests/support/programs.ts";
import { FloppyRig, sectorBytes } from "./testing/rig.ts";

const QEMU = "qemu-system-x86_64";
/** Channel 2 for 1 KiB at 20000h: into memory, and out of it. */
const IN = "o c 0, o b 46, o 4 0, o 4 0, o 5 ff, o 5 3, o 81 2, o a 2";
const OUT = "o c 0, o b 4a, o 4 0, o 4 0, o 5 ff, o 5 3, o 81 2, o a 2";

/** `o PORT VALUE`, `i PORT`, `c BYTES` a command, `r N` bytes of result, `w` wait for it, `m ADDRESS` eight bytes. */
const DIALOGUES: Record<string, { kilobytes?: number; steps: string }> = {
  "registers and reset": {
    kilobytes: 1440,
    steps: `i 3f0, i 3f1, i 3f2, i 3f3, i 3f4, i 3f5, i 3f7
      o 3f2 0, o 3f2 c, c 8, r 2, c 8, r 2, c 8, r 2, c 8, r 2, c 8, i 3f4, r 1, i 3f4
      o 3f4 80, i 3f4, c 8, r 2, c 8, r 2, c 8, r 2, c 8, r 2, c 8, r 1
      o 3f2 8, i 3f2, i 3f4, i 3f2, o 3f2 c, c 8, r 1
      o 3f2 1c, i 3f1, i 3f2, o 3f2 2d, i 3f1, o 3f3 ff, i 3f3`,
  },
  "commands without data": {
    kilobytes: 1440,
    steps: `o 3f2 1c, i 3f7, c 3 af 2, i 3f4, c 7 0, i 3f4, i 3f7, c 8, r 2, i 3f4
      c f 0 5, i 3f7, c 8, r 2, c 4 0, i 3f4, r 1, i 3f4, c 4 4, r 1, c 4 1, r 1
      c 10, r 1, c 94, r 1, c 14, r 1, c 18, r 1, c 1f, r 1, i 3f4, c 12 80, i 3f4, c 13 0 57 0, i 3f4
      c 0, r 1, c 1, r 1, c 8f 0 3, c 8, r 2, c cf 0 1, c 8, r 2, c f 0 60, c 8, r 2`,
  },
  "reads by DMA": {
    kilobytes: 1440,
    steps: `o 3f2 1c, ${IN}, c e6 0 0 0 1 2 12 1b ff, w, i 3f4, r 7, i 3f4, m 20000, m 20200, m 203f8, i 4, i 4
      ${IN}, c e6 4 1 1 1 2 12 1b ff, w, r 7, m 20000, c 4 0, r 1, c 8, r 1
      ${IN}, c 46 0 0 0 12 2 12 1b ff, w, r 7, m 20000, ${IN}, c c6 0 0 0 12 2 12 1b ff, w, r 7, m 20000, m 20200
      ${IN}, c 46 4 0 1 12 2 12 1b ff, w, r 7, ${IN}, c c6 4 4f 1 12 2 12 1b ff, w, r 7
      ${IN}, c 42 0 0 0 1 2 12 1b ff, w, r 7, m 20200`,
  },
  "reads that fail": {
    kilobytes: 1440,
    steps: `o 3f2 1c, ${IN}, c e6 0 0 0 13 2 12 1b ff, w, r 7, c e6 1 0 0 1 2 12 1b ff, w, r 7
      o 3f7 2, c e6 0 0 0 1 2 12 1b ff, w, r 7, o 3f7 1, c e6 0 2 0 3 2 12 1b ff, w, r 7`,
  },
  "programmed I/O": {
    kilobytes: 1440,
    steps: `o 3f2 14, c 3 af 3, c 46 0 0 0 1 2 2 1b ff, w, i 3f4, r 508, i 3f4, r 4, w, i 3f4, r 512, w, i 3f4`,
  },
  "verify": {
    kilobytes: 1440,
    steps: `o 3f2 1c, c d6 0 0 0 1 2 12 1b ff, w, i 3f4, r 7, c f6 0 0 0 1 2 1 1b ff, w, r 7`,
  },
  "writes": {
    kilobytes: 1440,
    steps: `o 3f2 1c, ${IN}, c e6 0 0 0 1 2 12 1b ff, w, r 7, ${OUT}, c c5 0 3 0 4 2 12 1b ff, w, i 3f4, r 7
      ${IN}, c e6 0 3 0 6 2 12 1b ff, w, r 7, m 20000, ${IN}, c e6 0 3 0 4 2 12 1b ff, w, r 7, m 20000, m 20200`,
  },
  "no disk": { steps: `o 3f2 1c, c e6 0 0 0 1 2 12 1b ff, w, i 3f4, r 7, c 4 0, r 1, c f 0 5, c 8, r 2, i 3f7` },
  "a disk of 2.88 MB": {
    kilobytes: 2880,
    steps:
      `o 3f2 1c, ${IN}, c e6 0 0 0 1 2 24 1b ff, w, r 7, o 3f7 3, ${IN}, c e6 0 0 0 24 2 24 1b ff, w, r 7, m 20000`,
  },
  "a disk of 1.2 MB": {
    kilobytes: 1200,
    steps: `o 3f2 1c, c e6 0 0 0 10 2 f 1b ff, w, r 7, ${IN}, c e6 0 0 0 f 2 f 1b ff, w, r 7, m 20000`,
  },
  "a disk of 720 KB": {
    kilobytes: 720,
    steps: `o 3f2 1c, ${IN}, c e6 0 0 0 9 2 9 1b ff, w, r 7, o 3f7 2, ${IN}, c e6 0 1 0 9 2 9 1b ff, w, r 7, m 20000`,
  },
  "a disk of 360 KB": {
    kilobytes: 360,
    steps:
      `o 3f2 1c, o 3f7 2, ${IN}, c e6 0 0 0 1 2 9 1b ff, w, r 7, o 3f7 1, ${IN}, c e6 0 1 0 9 2 9 1b ff, w, r 7, m 20000`,
  },
};

function stepsOf(text: string): string[][] {
  return text.trim().split(/[,\n]+/).map((step) => step.trim().split(/\s+/));
}

Deno.test({ name: "the floppy controller answers as QEMU's does", ignore: !haveProgram(QEMU) }, async (t) => {
  for (const [name, { kilobytes, steps }] of Object.entries(DIALOGUES)) {
    await t.step(name, async () => {
      const parsed = stepsOf(steps);
      assertEquals(await runHere(parsed, kilobytes), await runThere(parsed, kilobytes));
    });
  }
});

async function runHere(steps: string[][], kilobytes: number | undefined): Promise<string[]> {
  await using rig = await FloppyRig.start([kilobytes === undefined ? {} : { kilobytes }]);
  const { machine } = rig;
  const lines: string[] = [];
  for (const [index, [what = "", ...words]] of steps.entries()) {
    const numbers = words.map((word) => parseInt(word, 16));
    const read: number[] = [];
    if (what === "o") machine.out(numbers[0]!, numbers[1]!);
    else if (what === "c") { for (const byte of numbers) machine.out(0x3f5, byte); }
    else if (what === "i") read.push(machine.in(numbers[0]!));
    else if (what === "r") { for (let i = 0; i < Number(words[0]); i++) read.push(machine.in(0x3f5)); }
    else if (what === "m") { for (let i = 0; i < 8; i++) read.push(machine.memory.readValue(numbers[0]! + i, 1)); }
    else await settled(rig);
    if (read.length > 0) lines.push(line(index, what, words, read));
  }
  return lines;
}

async function settled(rig: FloppyRig): Promise<void> {
  await rig.fdc.stop();
}

function line(index: number, what: string, words: string[], values: number[]): string {
  return `${index}: ${what} ${words.join(" ")} = ${values.map((value) => value.toString(16)).join(" ")}`;
}

/** An image of firmware that halts at once. */
function haltingFirmware(): Uint8Array {
  const image = new Uint8Array(64 * 1024).fill(0xf4);
  image.set([0xfa, 0xf4, 0xeb, 0xfd], 0xfff0); // cli; hlt; jmp to the hlt
  return image;
}

/** How long QEMU is given to carry a command out; it works at idle moments, ten milliseconds apart. */
const QEMU_PAUSE_MS = 60;

async function runThere(steps: string[][], kilobytes: number | undefined): Promise<string[]> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/halt.bin`, haltingFirmware());
    const drive = ["-device", "floppy"];
    if (kilobytes !== undefined) {
      const image = new Uint8Array(kilobytes * 1024);
      for (let sector = 0; sector < kilobytes * 2; sector++) image.set(sectorBytes(sector), sector * 512);
      await Deno.writeFile(`${folder}/disk.img`, image);
      drive.splice(0, 2, "-drive", `if=floppy,format=raw,file=${folder}/disk.img`);
    }
    const options = `-accel tcg -display none -monitor stdio -nodefaults -m 16 -bios ${folder}/halt.bin`.split(" ");
    const child = new Deno.Command(QEMU, {
      args: [...options, ...drive],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    })
      .spawn();
    const writer = child.stdin.getWriter();
    const output = child.output();
    for (const [what = "", ...words] of steps) {
      await writer.write(new TextEncoder().encode(commandsFor(what, words).map((text) => `${text}\n`).join("")));
      if (what === "w") await new Promise((resolve) => setTimeout(resolve, QEMU_PAUSE_MS));
    }
    await writer.write(new TextEncoder().encode("quit\n"));
    await writer.close();
    return answersOf(steps, new TextDecoder().decode((await output).stdout));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function commandsFor(what: string, words: string[]): string[] {
  const [first, second] = words;
  if (what === "o") return [`o/b 0x${first} 0x${second}`];
  if (what === "c") return words.map((byte) => `o/b 0x3f5 0x${byte}`);
  if (what === "i") return [`i/b 0x${first}`];
  if (what === "r") return new Array<string>(Number(first)).fill("i/b 0x3f5");
  if (what === "m") return [`xp/8bx 0x${first}`];
  return ["info version"];
}

function answersOf(steps: string[][], text: string): string[] {
  const found = [...text.matchAll(/^port[bwl]\[0x[0-9a-f]+\] = (0x[0-9a-f]+)|^[0-9a-f]{16}: (.*)$/gm)];
  const values = found.flatMap((match) =>
    (match[1] ?? match[2]!).trim().split(/\s+/).map((value) => parseInt(value, 16))
  );
  return steps.flatMap(([what = "", ...words], index) => {
    const count = what === "i" ? 1 : what === "r" ? Number(words[0]) : what === "m" ? 8 : 0;
    return count === 0 ? [] : [line(index, what, words, values.splice(0, count))];
  });
}
