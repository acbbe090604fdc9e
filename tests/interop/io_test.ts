/**
 * `moa io` and the real qemu-io side by side on equal images: outputs but for times, and exit status.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { type IoOutcome, runMoaIo } from "../support/moa_io.ts";
import { haveProgram, must, run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { BACKGROUND, ENDING, OPENING, REQUESTS, SET_UP, TYPED, USAGE } from "./io_rows.ts";

const ignore = !haveProgram("qemu-io");
const MOA = new URL("../../tools/moa.ts", import.meta.url).pathname;

/** Times differ; for zero writes in the background the real program forgets to take one. */
function level(text: string): string {
  return text.replaceAll(/; [\d:.]+(?: sec)? \([^)]*\)/g, "; TIME").replaceAll(/[\d.]+,[\d.]+,.*,[\d.]+$/gm, "VALUES")
    .replaceAll(/#block\d+/g, "#block")
    // getopt says what it was called; a test has its full name.
    .replaceAll("/usr/bin/qemu-io: ", "qemu-io: ");
}

function split(row: string): { args: string[]; typed: string } {
  const [words = "", typed = ""] = row.split(" << ");
  return { args: words.split("|").filter((word) => word !== ""), typed: typed.replaceAll("\\n", "\n") };
}

type RunOurs = (folder: string, rows: readonly string[]) => Promise<readonly IoOutcome[]>;

const inOneProcess: RunOurs = (folder, rows) => runMoaIo(rows.map((row) => ({ folder, ...split(row) })));

const inProcessesOfTheirOwn: RunOurs = async (folder, rows) => {
  const outcomes: IoOutcome[] = [];
  for (const row of rows) {
    const { args, typed } = split(row);
    const env = { MOA_ARGV0: "qemu-io", INIT_CWD: folder };
    outcomes.push(await run(Deno.execPath(), ["run", "-q", "-A", MOA, ...args], { cwd: folder, stdin: typed, env }));
  }
  return outcomes;
};

async function sideBySide(
  rows: readonly string[],
  sameData: readonly string[],
  how: { readonly runOurs?: RunOurs; readonly ownOutput?: boolean } = {},
): Promise<void> {
  await using ours = await TempFolder.make();
  await using theirs = await TempFolder.make();
  await must("sh", ["-ec", SET_UP], { cwd: theirs.path });
  await must("cp", ["-a", `${theirs.path}/.`, ours.path]);
  const mine = await (how.runOurs ?? inOneProcess)(ours.path, rows);
  const shown = (row: string, { code, stdout, stderr }: IoOutcome) =>
    `${row}\n${code}\n${how.ownOutput ? "" : level(stdout)}\n${level(stderr)}`;
  const expected: string[] = [];
  for (const row of rows) {
    const { args, typed } = split(row);
    expected.push(shown(row, await run("qemu-io", args, { cwd: theirs.path, stdin: typed, timeoutMs: 120_000 })));
  }
  assertEquals(mine.map((outcome, index) => shown(rows[index]!, outcome)), expected);
  for (const image of sameData) await must("qemu-img", ["compare", `${ours.path}/${image}`, `${theirs.path}/${image}`]);
}

Deno.test({
  name: "io: the command line, and opening",
  ignore,
  fn: () => sideBySide(OPENING, ["a", "r", "b", "over"]),
});

Deno.test({ name: "io: requests, and looking", ignore, fn: () => sideBySide(REQUESTS, ["a", "r", "b"]) });

Deno.test({
  name: "io: requests in the background, and breakpoints",
  ignore,
  fn: () => sideBySide(BACKGROUND, ["a", "r"]),
});

Deno.test({ name: "io: lines that are typed, and help", ignore, fn: () => sideBySide(TYPED, ["a", "over"]) });

Deno.test({ name: "io: usage and version", ignore, fn: () => sideBySide(USAGE, [], { ownOutput: true }) });

Deno.test({
  name: "io: signals",
  ignore,
  fn: () => sideBySide(ENDING, [], { runOurs: inProcessesOfTheirOwn }),
});

Deno.test("io: what nobody could end does not wait for ever", async () => {
  await using temp = await TempFolder.make();
  const [first, second] = await runMoaIo([
    "-f|raw|-c|wait_break A|-c|break write_aio A|-c|aio_write 0 4k|-c|wait_break B|blkdebug::r",
    "-f|raw|-c|break write_aio A|-c|aio_write 0 4k|-c|wait_break A|-c|aio_flush|blkdebug::r",
  ].map((row) => ({ folder: temp.path, ...split(row) })));
  assertEquals([first?.code, second?.code], [1, 1]);
  await temp.write("r", new Uint8Array(65536));
  const outcomes = await runMoaIo([
    "-f|raw|-c|wait_break A|-c|break write_aio A|-c|aio_write -q 0 4k|-c|wait_break B|blkdebug::r",
    "-f|raw|-c|break write_aio A|-c|aio_write -q 0 4k|-c|wait_break A|-c|aio_flush|blkdebug::r",
  ].map((row) => ({ folder: temp.path, ...split(row) })));
  assertEquals(outcomes.map(({ code, stdout }) => [code, stdout]), [
    [
      1,
      "No request is under way that could be suspended as 'A'\nblkdebug: Suspended request 'A'\n" +
      "No request is under way that could be suspended as 'B'\nblkdebug: Resuming request 'A'\n",
    ],
    [
      1,
      "blkdebug: Suspended request 'A'\nA suspended request does not end before it is resumed\n" +
      "blkdebug: Resuming request 'A'\n",
    ],
  ]);
});

Deno.test("io: as moa, an unknown command is told what was meant", async () => {
  await using temp = await TempFolder.make();
  const [outcome] = await runMoaIo([{ folder: temp.path, args: ["-c", "lenght"], typed: "" }], "moa");
  assertEquals(outcome?.stderr, `command "lenght" not found\nDid you mean 'length'?\n`);
});
