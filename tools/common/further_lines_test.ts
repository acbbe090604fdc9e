import { assertEquals } from "@std/assert";
import { furtherLine, nearestOption } from "./further_lines.ts";
import { Exit, Program } from "./program.ts";

Deno.test("mistyped options are told what was meant", () => {
  const long = ["output", "backing-chain", "force-share", "image-opts"];
  assertEquals(nearestOption("--ouput=json", long), "Did you mean '--output'?");
  assertEquals(nearestOption("--backing-chian", long), "Did you mean '--backing-chain'?");
  assertEquals([nearestOption("--zzz", long), nearestOption("-o", long)], [undefined, undefined]);
});

Deno.test("a second line is for people, and never said under a QEMU name", () => {
  for (const [name, further] of [["moa", 1], ["qemu-img", 0]] as const) {
    const said: string[] = [];
    const program = new Program(name, { out() {}, error: (text) => void said.push(text) });
    program.report("", new Error('Failed to get "write" lock\nIs another process using the image [a]?'));
    try {
      program.fail("Invalid cache mode");
    } catch (error) {
      assertEquals(error instanceof Exit, true);
    }
    try {
      program.getopt(["--ouput"], { short: "h", long: { output: { is: "output", takesValue: true } } });
    } catch (error) {
      assertEquals(error instanceof Exit, true);
    }
    const lines = said.join("").split("\n");
    assertEquals(lines.filter((line) => /^(?:With -U|Modes are|Did you mean)/.test(line)).length, further * 3);
  }
  assertEquals(furtherLine("No such file or directory"), undefined);
});
