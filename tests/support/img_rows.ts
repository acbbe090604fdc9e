/**
 * `moa img` and the real qemu-img on equal folders: each command line is run by both, and what they say has to be equal.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { type ImgRequest, runMoaImg } from "./moa_img.ts";
import { must, run } from "./programs.ts";
import { TempFolder } from "./temp.ts";

/** What hangs on the moment, on the file system or on how fast the machine is. */
export function levelled(text: string): string {
  return text
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "DATE TIME")
    .replaceAll(/^disk size: .*$/gm, "disk size: SIZE")
    .replaceAll(/(?: {4}\(\d+\.\d\d\/100%\)\r)+/g, "PROGRESS\r")
    .replaceAll(/#block\d+/g, "#block")
    .replaceAll(/Run completed in .* seconds\./g, "Run completed in TIME seconds.");
}

/**
 * Runs `rows` with both (those that begin with `$ ` in a shell) in folders that `setUp` filled, and compares; in the end
 * the images `sameData` have to read the same.
 */
export async function imgSideBySide(
  setUp: readonly string[],
  rows: readonly string[],
  sameData: readonly string[] = [],
): Promise<void> {
  await using ours = await TempFolder.make();
  await using theirs = await TempFolder.make();
  for (const command of setUp) await must("sh", ["-ec", command], { cwd: theirs.path });
  await must("cp", ["-a", "--sparse=always", `${theirs.path}/.`, ours.path]);
  const requests = (folder: string): ImgRequest[] =>
    rows.map((row) => row.startsWith("$ ") ? { folder, shell: row.slice(2) } : { folder, args: wordsOf(row) });
  const moa = await runMoaImg(requests(ours.path));
  const answers: string[] = [];
  const expected: string[] = [];
  for (const [index, request] of requests(theirs.path).entries()) {
    const real = "shell" in request
      ? await run("sh", ["-ec", request.shell], { cwd: request.folder })
      : await run("qemu-img", request.args, { cwd: request.folder });
    const row = rows[index]!;
    if ("shell" in request && real.code !== 0) throw new Error(`${row}: ${real.stderr}`);
    const { code, stdout, stderr } = moa[index]!;
    if ("shell" in request) continue;
    expected.push(`${row}\n${real.code}\n${levelled(real.stdout)}\n${levelled(real.stderr)}`);
    answers.push(`${row}\n${code}\n${levelled(stdout)}\n${levelled(stderr)}`);
  }
  assertEquals(answers, expected);
  for (const image of sameData) await must("qemu-img", ["compare", `${ours.path}/${image}`, `${theirs.path}/${image}`]);
}

function wordsOf(row: string): string[] {
  return [...row.matchAll(/(?:'[^']*'|\S)+/g)].map(([word]) => word.replaceAll("'", ""));
}
