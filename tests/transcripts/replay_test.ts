import { assertEquals } from "@std/assert";
import { haveProgram, must } from "../support/programs.ts";
import { KNOWN, SHORTER_LISTS } from "./known.ts";
import type { Difference } from "./replay.ts";

const HERE = new URL(".", import.meta.url).pathname;

/** Whether an answer may differ: for a reason that is written down, or because a list is shorter. */
function allowed(file: string, { line, argv, expected, actual }: Difference): boolean {
  // What a command line is told begins with the option that it is about; `command_line` compares that.
  if (line === "") return true;
  if (SHORTER_LISTS.includes(line)) {
    const theirs = expected.split("\n");
    return actual.split("\n").every((one) => theirs.includes(one));
  }
  return KNOWN.some((known) =>
    known.file === file && known.line === line && (known.argv === undefined || argv.includes(known.argv))
  );
}

// Set-up is made with qemu-img and qemu-io, so that moa does not judge its own images.
const ignore = !haveProgram("qemu-img") || !haveProgram("qemu-io");

for (const file of [...Deno.readDirSync(`${HERE}hmp`)].map(({ name }) => name).sort()) {
  Deno.test({
    name: `monitor: ${file} is answered as QEMU answers it`,
    ignore,
    fn: async () => {
      const path = `${HERE}hmp/${file}`;
      const output = await must(Deno.execPath(), ["run", "-q", "-A", `${HERE}moa_vm.ts`, "--json", path]);
      const all = JSON.parse(output.slice(output.lastIndexOf("\n{") + 1)) as Record<string, Difference[]>;
      const differences = all[path]!.filter((difference) => !allowed(file, difference));
      assertEquals(
        differences.map(({ argv, line, actual }) => [argv, line, actual]),
        differences.map(({ argv, line, expected }) => [argv, line, expected]),
      );
    },
  });
}
