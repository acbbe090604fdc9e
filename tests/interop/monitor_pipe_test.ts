/**
 * A script's commands through a pipe: moa's output equals the real program's, echo and line ends included.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { serveChannel, Vm } from "../../mod.ts";
import { haveProgram, must, run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const LINES = [
  "info status",
  "info block",
  "info  status   x",
  " info status",
  'qemu-io ide0-hd0 "write -q -P 7 0 64k"',
  'qemu-io ide0-hd0 "map"',
  'qemu-io ide0-hd0 "info"',
  'qemu-io ide0-hd0 "read -q -P 7 0 64k"',
  'info block "x',
  "eject nope",
  "eject -x ide0-hd0",
  "savevm a",
  "loadvm b",
  "",
  "   ",
  "foo\x7f\x7foo bar",
  "xa\x01b\x05c\x02d\x04",
  "\x1b[A\x1b[A\x1b[B",
  "in \x17info name",
  "i /b 0x1f7\x1b[D\x1b[D\x1b[3~",
  "xp /4xb 0",
  "xp",
  "print /c 65",
  "p 1+2*3",
  "i 0x",
  "sum 0 16",
  "info hist\t",
  "trace-event ide_exec_c\t on",
  "help quit",
  "help nope",
  "é",
  "quit",
];

/** Node numbers are random. */
function level(text: string): string {
  return text.replaceAll(/#block\d+/g, "#blockNNN");
}

Deno.test({
  name: "piped commands come back byte for byte as from qemu-system-x86_64",
  ignore: !haveProgram("qemu-system-x86_64") || !haveProgram("qemu-img"),
  async fn() {
    await using temp = await TempFolder.make();
    const input = LINES.map((line) => `${line}\n`).join("");
    const image = temp.file("a.qcow2");
    await must("qemu-img", ["create", "-q", "-f", "qcow2", image, "1M"]);
    const machine = ["-accel", "tcg", "-S", "-nodefaults", "-display", "none", "-m", "16"];
    const real = await run("qemu-system-x86_64", [...machine, "-monitor", "stdio", "-hda", image], { stdin: input });
    await must("qemu-img", ["create", "-q", "-f", "qcow2", image, "1M"]);
    await using vm = await Vm.start({ nodefaults: true, memory: 16, hda: image, paused: true, strict: true });
    let out = "";
    await serveChannel({
      readable: new Blob([input]).stream(),
      write: (bytes) => {
        out += new TextDecoder().decode(bytes);
        return Promise.resolve();
      },
      close() {},
      outputs: { out: (text) => void (out += text), error() {} },
    }, vm.hmp);
    assertEquals(level(out).split("\n"), level(real.stdout).split("\n"));
  },
});
