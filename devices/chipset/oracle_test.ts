/**
 * The same port accesses here and in QEMU with the clock standing still: every value that is read must agree.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { haveProgram } from "../../tests/support/programs.ts";
import { type Chips, chips } from "./testing.ts";

const QEMU = "qemu-system-x86_64";

/** `i PORT` reads, `o PORT VALUE` writes, in hexadecimal; sizes b (default), h, w. Accesses to each chip in turn. */
const DIALOGUES: Record<string, string> = {
  "interrupt controllers": `
    i 20, i 21, i a0, i a1, i 4d0, i 4d1
    o 21 ff, o a1 ff, i 21, i a1
    o 20 11, o 21 08, o 21 04, o 21 01, i 21, i 20
    o a0 11, o a1 70, o a1 02, o a1 01, o a1 fb, i a1
    o 4d0 ff, i 4d0, o 4d1 ff, i 4d1, o 4d0 0, o 4d1 0
    o 20 0b, i 20, o 20 0a, i 20, o 20 0c, i 20, i 20
    o 20 68, i 20, o 20 20, o 20 60, o 21 b8, i 21`,
  "interval timer": `
    o 43 30, o 40 34, o 40 12, i 40, i 40, i 40
    o 43 b6, o 42 78, o 42 56, o 43 80, i 42, i 42, o 43 e8, i 42
    o 43 92, o 42 45, i 42, i 42
    o 43 a6, o 42 12, i 42, i 43
    o 61 1, i 61, i 61, o 61 3, i 61, i 61, o 61 0, i 61`,
  "DMA controllers": `
    i 0, i 1, i 8, i 9, i a, i f, i 81, i 82, i 83, i 87, i c0, i d0, i d2, i 89, i 8a, i 8b, i 8f
    o c 0, o 4 34, o 4 12, o 5 ff, o 5 01, i 4, i 4, i 5, i 5
    o 81 5a, i 81, o 8b 77, i 8b
    o b 46, o a 2, i 9, o a 6, i 9, o f 5, i 9, o e 0, i 9, o d 0, i 9, i 8
    o d8 0, o c8 34, o c8 12, o ca ff, o ca 1, i c8, i c8, i ca, i ca`,
  "real-time clock": `
    i 70, o 70 a, i 71, o 70 b, i 71, o 70 d, i 71, o 70 e, i 71
    o 70 b, o 71 82, o 70 0, o 71 59, i 71, o 70 4, o 71 23, i 71, o 70 9, o 71 99, i 71
    o 70 32, o 71 19, i 71, o 70 37, i 71, o 70 50, o 71 a5, i 71, o 70 d0, i 71
    o 70 1, o 71 c0, i 71, o 70 a, o 71 a6, i 71, o 70 d, o 71 0, i 71`,
  "keyboard controller": `
    i 64, i 60, o 64 20, i 64, i 60, i 64, i 60
    o 64 aa, i 64, i 60, i 64
    o 64 a9, i 60, o 64 ab, i 60, o 64 d0, i 60, o 64 c0, i 60
    o 64 60, i 64, o 60 65, i 64, o 64 20, i 60, o 64 60, o 60 3, o 64 20, i 60
    o 64 d2, o 60 5a, i 64, i 60, o 64 d3, o 60 a5, i 64, i 60, i 64
    o 64 a7, o 64 20, i 60, o 64 a8, o 64 20, i 60, o 64 ad, o 64 20, i 60, o 64 ae, o 64 20, i 60`,
  "keyboard and mouse": `
    o 60 ee, i 64, i 60, i 64, o 60 f2, i 60, i 60, i 60, i 64
    o 60 ff, i 60, i 60, i 64, o 60 ed, i 60, o 60 7, i 60, i 64, o 60 f0, i 60, o 60 0, i 60, i 60, i 64
    o 64 d4, o 60 ff, i 64, i 60, i 60, i 60, i 64
    o 64 d4, o 60 f2, i 60, i 60, o 64 d4, o 60 e9, i 60, i 60, i 60, i 60
    o 64 d4, o 60 e8, i 60, o 64 d4, o 60 3, i 60, o 64 d4, o 60 f3, i 60, o 64 d4, o 60 c8, i 60
    o 64 d4, o 60 f3, i 60, o 64 d4, o 60 64, i 60, o 64 d4, o 60 f3, i 60, o 64 d4, o 60 50, i 60
    o 64 d4, o 60 f2, i 60, i 60, o 64 d4, o 60 f4, i 60, o 64 d4, o 60 e9, i 60, i 60, i 60, i 60
    o 64 d4, o 60 eb, i 60, i 60, i 60, i 60, i 60, i 64`,
  "system ports": `
    i 92, o 92 2, i 92, o 92 0, i 92, i 80, o 80 55, i 80, i f0, o f0 0, i f0, i b2, i b3, o b3 12, i b3`,
  "power management": `
    ow cf8 80000b40, ow cfc 601, ow cf8 80000b80, o cfc 1
    ih 600, ih 602, ih 604, iw 608, i 601, oh 602 21, ih 602, oh 600 ffff, ih 600, oh 604 1fff, ih 604
    o b2 f0, ih 604, o b2 f1, ih 604, i b2
    i afe0, o afe2 ff, i afe2, o afe0 ff, i afe0, iw afe0, iw ae00, iw ae10, i ae0c, i af00, i af01
    i b100, i b10d, o b10d ff, i b10d, o b103 5, i b103, o b104 a0, o b105 77, o b102 48, i b102, i b100, i b100
    o b100 ff, o b104 a1, o b102 48, i b100, i b100, i b105, o b100 ff, i b100
    o b104 11, o b102 48, i b100, i b100`,
  "firmware configuration": `
    i 511, i 511, oh 510 0, i 511, i 511, i 511, i 511, i 511, oh 510 1, i 511, i 511, oh 510 ffff, i 511
    iw 514, iw 518, i 514, i 51b`,
};

Deno.test({ name: "registers read as QEMU's do", ignore: !haveProgram(QEMU) }, async (t) => {
  for (const [name, text] of Object.entries(DIALOGUES)) {
    await t.step(name, async () => {
      const accesses = text.trim().split(/[,\n]+/).map((access) => access.trim());
      const machine = await chips();
      const here: string[] = [];
      for (const access of accesses) here.push(...runHere(machine, access));
      assertEquals(here, await runThere(accesses));
    });
  }
});

const SIZES = { "": 1, b: 1, h: 2, w: 4 } as const;

function parse(access: string): { write: boolean; size: 1 | 2 | 4; port: number; value: number } {
  const match = /^([io])([bhw]?) ([0-9a-f]+)(?: ([0-9a-f]+))?$/.exec(access);
  if (match === null) throw new Error(`no access: ${access}`);
  const [, way, size = "", port = "", value = "0"] = match;
  return { write: way === "o", size: SIZES[size as "b"], port: parseInt(port, 16), value: parseInt(value, 16) };
}

function runHere(machine: Chips, access: string): string[] {
  const { write, size, port, value } = parse(access);
  if (!write) return [`${access} = ${machine.in(port, size).toString(16)}`];
  // There is no host bridge here: the one dialogue that needs it gets its function's registers directly.
  if (port === 0xcf8) configAddress = value & 0xff;
  else if (port === 0xcfc) machine.pm.writeConfig(configAddress, size, value);
  else machine.out(port, value, size);
  return [];
}

let configAddress = 0;

async function runThere(accesses: readonly string[]): Promise<string[]> {
  const commands = accesses.map((access) => {
    const { write, size, port, value } = parse(access);
    const format = { 1: "b", 2: "h", 4: "w" }[size];
    return write ? `o/${format} 0x${port.toString(16)} 0x${value.toString(16)}` : `i/${format} 0x${port.toString(16)}`;
  });
  const options = "-accel tcg -S -display none -monitor stdio -nodefaults -vga none -net none".split(" ");
  const child = new Deno.Command(QEMU, { args: options, stdin: "piped", stdout: "piped", stderr: "null" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`${commands.join("\n")}\nquit\n`));
  await writer.close();
  const output = new TextDecoder().decode((await child.output()).stdout);
  const values = [...output.matchAll(/^port[bwl]\[0x[0-9a-f]+\] = 0x([0-9a-f]+)/gm)].map((match) => match[1]!);
  const reads = accesses.filter((access) => access.startsWith("i"));
  return reads.map((access, index) => `${access} = ${parseInt(values[index] ?? "", 16).toString(16)}`);
}
