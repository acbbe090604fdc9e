/**
 * The same accesses to the ports of this folder and to QEMU's: what they read must agree.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { haveProgram } from "../../tests/support/programs.ts";
import { portsMachine } from "./testing.ts";

const QEMU = "qemu-system-x86_64";

/** `i PORT` reads a byte, `ih` and `iw` two and four; `o PORT VALUE` writes one. */
const DIALOGUES: Record<string, string> = {
  "serial at rest": `i 3f8, i 3f9, i 3fa, i 3fb, i 3fc, i 3fd, i 3fe, i 3ff, ih 3f8, iw 3fc
    o 3ff a5, i 3ff, o 3fc ff, i 3fc, i 3fe, o 3f9 ff, i 3f9, i 3fa, i 3fa, o 3fe ff, o 3fd 0, i 3fe, i 3fd
    o 3fb ff, i 3f8, i 3f9, o 3f8 34, o 3f9 12, i 3f8, i 3f9, o 3fb 3, i 3f8, i 3f9, i 3fb`,
  "serial loopback without FIFOs": `o 3fc 10, i 3fe, o 3f8 41, i 3fd, o 3f8 42, i 3fd, i 3fd, i 3f8, i 3fd
    o 3f9 1, o 3f8 43, i 3fa, i 3f8, i 3fa, o 3f9 4, o 3f8 44, o 3f8 45, i 3fa, i 3fd, i 3fa, i 3f8
    o 3f9 2, i 3fa, i 3fa, o 3f8 46, i 3fa, i 3fa, o 3f9 0, o 3f9 f, i 3fa, i 3f8, i 3fa, i 3fa
    o 3fc 11, i 3fe, o 3fc 12, i 3fe, o 3fc 14, i 3fe, o 3fc 18, i 3fe, o 3fc 1f, i 3fe, o 3fc 0, i 3fe, i 3fe`,
  "serial loopback with FIFOs": `o 3fc 1b, o 3fa 41, i 3fa, o 3f9 5
    o 3f8 1, o 3f8 2, o 3f8 3, i 3fa, i 3fd, o 3f8 4, i 3fa, i 3f8, i 3fa, i 3fd, i 3f8, i 3f8, i 3fd, i 3f8, i 3fd
    i 3f8, i 3fa, o 3fa c1, ${Array.from({ length: 17 }, (_, i) => `o 3f8 ${i + 0x20}`).join(", ")}
    i 3fd, i 3fd, i 3fa, i 3f8, i 3f8, i 3f8, i 3fa, i 3f8, o 3fa c3, i 3fd, i 3fa, i 3f8
    o 3f8 77, i 3fd, o 3fa 0, i 3fd, i 3fa, i 3f8, o 3fa 7, i 3fa, o 3f9 2, i 3fa, o 3fa 5, i 3fa, i 3fa`,
  "serial transmitter": `o 3f9 2, i 3fa, i 3fa, o 3f8 41, i 3fd, i 3fa, i 3fa, o 3fa 1, i 3fa, i 3fa, o 3f8 42, o 3f8 43
    i 3fd, i 3fa, i 3fa, o 3f9 0, o 3f8 44, i 3fa, o 3f9 2, i 3fa, o 3f9 3, i 3fa, o 3fb 80, o 3f8 0, o 3f9 0, o 3fb 0
    o 3f8 45, i 3fd`,
  "second serial port": `i 2f8, i 2fa, i 2fd, i 2fe, o 2ff 5a, i 2ff, i 3ff`,
  "debug console": `i e9, ih e9, iw e9, o e9 41, i e9, i ea`,
  "parallel": `i 378, i 379, i 37a, i 37b, i 37f, ih 378, iw 37c, o 378 55, i 378, o 37a ff, i 378, i 379, i 37a
    o 37a d, i 379, i 37a, o 37a c, i 379, i 379, i 379, o 37a 8, i 379, o 37a 5, i 379, o 37a 4, i 379
    o 37a 1d, i 379, o 37a 1c, i 379, i 379, i 379, o 379 ff, i 379, o 37a 2c, i 378, o 37b 1, i 37b`,
};

Deno.test({ name: "ports read as QEMU's do", ignore: !haveProgram(QEMU) }, async (t) => {
  for (const [name, text] of Object.entries(DIALOGUES)) {
    await t.step(name, async () => {
      const accesses = text.trim().split(/[,\n]+/).map((access) => parse(access.trim()));
      await using machine = await portsMachine();
      const here = accesses.flatMap(({ text, write, port, size, value }) => {
        if (!write) return [`${text} = ${machine.in(port, size).toString(16)}`];
        machine.out(port, value);
        return [];
      });
      assertEquals(here, await runThere(accesses));
    });
  }
});

interface Access {
  readonly text: string;
  readonly write: boolean;
  readonly port: number;
  readonly size: 1 | 2 | 4;
  readonly value: number;
}

const SIZES = { "": 1, h: 2, w: 4 } as const;

function parse(text: string): Access {
  const match = /^([io])([hw]?) ([0-9a-f]+)(?: ([0-9a-f]+))?$/.exec(text);
  if (match === null) throw new Error(`no access: ${text}`);
  const [, way, size = "", port = "", value = "0"] = match;
  return {
    text,
    write: way === "o",
    port: parseInt(port, 16),
    size: SIZES[size as "h"],
    value: parseInt(value, 16),
  };
}

async function runThere(accesses: readonly Access[]): Promise<string[]> {
  const lines = accesses.map(({ write, port, size, value }) => {
    const where = `/${{ 1: "b", 2: "h", 4: "w" }[size]} 0x${port.toString(16)}`;
    return write ? `o${where} 0x${value.toString(16)}` : `i${where}`;
  });
  const args =
    "-accel tcg -S -display none -monitor stdio -nodefaults -vga none -serial null -serial null -parallel null" +
    " -debugcon null";
  const child = new Deno.Command(QEMU, { args: args.split(" "), stdin: "piped", stdout: "piped", stderr: "null" })
    .spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`${lines.join("\n")}\nquit\n`));
  await writer.close();
  const output = new TextDecoder().decode((await child.output()).stdout);
  const values = [...output.matchAll(/^port[bwl]\[0x[0-9a-f]+\] = 0x([0-9a-f]+)/gm)].map((match) => match[1]!);
  return accesses.filter(({ write }) => !write)
    .map(({ text }, index) => `${text} = ${parseInt(values[index] ?? "", 16).toString(16)}`);
}
