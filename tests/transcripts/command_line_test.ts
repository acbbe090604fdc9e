/**
 * Recorded command lines of qemu-system-x86_64: both outputs and the exit status have to be equal, row by row.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { haveProgram, must } from "../support/programs.ts";
import { KNOWN_COMMAND_LINES } from "./known.ts";
import type { ComparedLine } from "./moa_command_line.ts";

const HERE = new URL(".", import.meta.url).pathname;
const FILES = [...Deno.readDirSync(`${HERE}command_line`)].map(({ name }) => name).sort();

Deno.test({
  name: "command lines are answered as QEMU answers them",
  ignore: !haveProgram("qemu-img"),
  fn: async (t) => {
    const paths = FILES.map((file) => `${HERE}command_line/${file}`);
    // In a process of its own: file names count from the current folder, which all tests of a process share.
    const script = `${HERE}moa_command_line.ts`;
    const output = await must(Deno.execPath(), ["run", "-q", "-A", script, "--json", ...paths], { env: { TZ: "UTC" } });
    const all = JSON.parse(output.slice(output.lastIndexOf("\n{") + 1)) as Record<string, ComparedLine[]>;
    const rows = Object.values(all).flat();
    assert(rows.length > 180, "recordings are missing");
    for (const { argv, expected, actual } of rows) {
      const known = KNOWN_COMMAND_LINES.find((row) => row.argv === argv);
      await t.step(argv + (known === undefined ? "" : ` (differs: ${known.why})`), () => {
        if (known === undefined) assertEquals(actual, expected);
        else assert(actual !== expected, "it is equal now: take it out of known.ts");
      });
    }
    const names = rows.map(({ argv }) => argv);
    assertEquals(KNOWN_COMMAND_LINES.map(({ argv }) => argv).filter((argv) => !names.includes(argv)), []);
  },
});
