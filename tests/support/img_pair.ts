/**
 * Command lines for `moa img` and the real qemu-img in equal folders, compared: outputs, exit status, and what the real
 * program says of the images that result.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { type ImgRequest, runMoaImg } from "./moa_img.ts";
import { must, run } from "./programs.ts";
import { TempFolder } from "./temp.ts";

/** Dates are of the moment, and what a file takes may hang on when the file system wrote it. */
function level(text: string): string {
  return text
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "DATE TIME")
    .replaceAll(/"date-n?sec": \d+/g, '"date": 0')
    .replaceAll(/^disk size: .*$/gm, "disk size: SIZE")
    .replaceAll(/"actual-size": \d+/g, '"actual-size": 0');
}

function wordsOf(row: string): string[] {
  return [...row.matchAll(/(?:'[^']*'|\S)+/g)].map(([word]) => word.replaceAll("'", ""));
}

/** What is run: in a shell first, then by both programs (`$` rows in a shell, for both). */
export interface SideBySide {
  readonly setUp: readonly string[];
  readonly rows: readonly string[];
  /** Command lines of the real program, run over both outcomes at the end. */
  readonly verify?: readonly string[];
}

/** Runs all of it and compares. */
export async function sideBySide({ setUp, rows, verify = [] }: SideBySide): Promise<void> {
  await using ours = await TempFolder.make();
  await using theirs = await TempFolder.make();
  // In both, since a copy of a sparse file has other holes.
  await Promise.all([ours, theirs].map(async ({ path: cwd }) => {
    for (const command of setUp) await must("sh", ["-ec", command], { cwd });
  }));
  const requests = (folder: string): ImgRequest[] =>
    rows.map((row) => row.startsWith("$ ") ? { folder, shell: row.slice(2) } : { folder, args: wordsOf(row) });
  const moa = await runMoaImg(requests(ours.path));
  const real: { row: string; code: number; stdout: string; stderr: string }[] = [];
  for (const [index, request] of requests(theirs.path).entries()) {
    const result = "shell" in request
      ? await run("sh", ["-ec", request.shell], { cwd: request.folder })
      : await run("qemu-img", request.args, { cwd: request.folder });
    const { code, stdout, stderr } = result;
    real.push({ row: rows[index]!, code, stdout: level(stdout), stderr: level(stderr) });
  }
  const ourAnswers = moa.map(({ code, stdout, stderr }, index) => (
    { row: rows[index]!, code, stdout: level(stdout), stderr: level(stderr) }
  ));
  assertEquals(ourAnswers, real);
  for (const row of verify) {
    const [mine, other] = await Promise.all([ours.path, theirs.path].map(async (cwd) => {
      const { code, stdout, stderr } = await run("qemu-img", wordsOf(row), { cwd });
      return { row, code, stdout: level(stdout), stderr: level(stderr) };
    }));
    assertEquals(mine, other);
  }
}
