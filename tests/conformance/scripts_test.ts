/**
 * The scripts as a user runs them: their status, and what they say where something is missing or wrong.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const SCRIPT = `${ROOT}scripts/snapshot-regression.ts`;

function deno(...args: string[]) {
  return run(Deno.execPath(), args, { cwd: ROOT });
}

Deno.test("snapshot-regression finds every sector as it must be", async () => {
  const { code, stdout, stderr } = await deno("run", "-q", "--no-prompt", "-P=script", SCRIPT, "--sectors", "60");
  assertEquals([code, stderr], [0, ""]);
  assertEquals(stdout.match(/"equal"/g)?.length, 8);
});

Deno.test("snapshot-regression ends with 1 at the first difference", async () => {
  await using temp = await TempFolder.make();
  // The same script with its memory of the snapshot taken away: it must find that the disk went back.
  const text = (await Deno.readTextFile(SCRIPT)).replace("    model.set(atSnapshot);\n", "")
    .replaceAll("../mod.ts", `${ROOT}mod.ts`);
  const script = await temp.write("forgetful.ts", text);
  const { code, stderr } = await deno(
    "run",
    "-q",
    "--no-prompt",
    "--no-lock",
    `--config=${ROOT}deno.json`,
    "-P=script",
    script,
  );
  assertEquals(code, 1);
  assertMatch(
    stderr,
    /^snapshot-regression: loadvm brings the disk back: sector \d+, byte \d+: expected \d+, found \d+$/m,
  );
});

Deno.test("a bare script without a terminal prints the one line to type and ends with 2", async () => {
  const { code, stdout, stderr } = await deno("run", "-q", SCRIPT);
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(stderr, "deno run -P=script scripts/snapshot-regression.ts\n");
  assert(!stderr.includes("    at "), stderr);
});

Deno.test("wrong arguments are refused with 2", async () => {
  const { code, stderr } = await deno("run", "-q", "--no-prompt", "-P=script", SCRIPT, "--sectors", "many");
  assertEquals([code, stderr], [2, "snapshot-regression: --sectors wants a whole number above 0, not 'many'\n"]);
});
