/**
 * `moa img` and the real qemu-img in equal folders: each command line is run by both, and what they say, how they end and
 * the images that result have to be equal.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { MEASURING_MS } from "./key_slots.ts";
import { type ImgRequest, runMoaImg } from "./moa_img.ts";
import { must, run } from "./programs.ts";
import { TempFolder } from "./temp.ts";

/** `text` without what hangs on the moment, on the file system or on how fast the machine is. */
export function levelled(text: string): string {
  return text
    .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "DATE TIME")
    .replaceAll(/"date-n?sec": \d+/g, '"date": 0')
    .replaceAll(/^disk size: .*$/gm, "disk size: SIZE")
    .replaceAll(/"actual-size": \d+/g, '"actual-size": 0')
    .replaceAll(/(?: {4}\(\d+\.\d\d\/100%\)\r)+/g, "PROGRESS\r")
    .replaceAll(/#block\d+/g, "#block")
    .replaceAll(/Run completed in .* seconds\./g, "Run completed in TIME seconds.");
}

/** The words of a command line; single quotes keep blanks. */
export function wordsOf(row: string): string[] {
  return [...row.matchAll(/(?:'[^']*'|\S)+/g)].map(([word]) => word.replaceAll("'", ""));
}

/** What is run. */
export interface SideBySide {
  /** Shell lines that fill both folders. */
  readonly setUp: readonly string[];
  /** Command lines for both programs; what begins with `$ ` is run by a shell in both folders, and has to succeed. */
  readonly rows: readonly string[];
  /** Run by the real program over both outcomes at the end: it has to say the same of both. */
  readonly verify?: readonly string[];
  /** Images that hold the same data in both folders at the end. */
  readonly sameData?: readonly string[];
  /** Files that are equal in both folders at the end, byte for byte. */
  readonly sameBytes?: readonly string[];
  /** The folder is set up twice rather than copied: a copy of a sparse file has other holes. */
  readonly setUpTwice?: boolean;
}

interface Answer {
  readonly row: string;
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs all of it and compares. */
export async function sideBySide(sides: SideBySide): Promise<void> {
  const { rows, verify = [], sameData = [], sameBytes = [] } = sides;
  await using ours = await TempFolder.make();
  await using theirs = await TempFolder.make();
  await setUp(sides, ours.path, theirs.path);
  const answer = (row: string, { code, stdout, stderr }: Omit<Answer, "row">): Answer => (
    { row, code, stdout: levelled(stdout), stderr: levelled(stderr) }
  );
  const isShell = (row: string) => row.startsWith("$ ");
  const requests = rows.map((row): ImgRequest =>
    isShell(row) ? { folder: ours.path, shell: row.slice(2) } : { folder: ours.path, args: wordsOf(row) }
  );
  const moa = await runMoaImg(requests);
  const real: Answer[] = [];
  for (const row of rows) {
    if (isShell(row)) await must("sh", ["-ec", row.slice(2)], { cwd: theirs.path });
    else real.push(answer(row, await run("qemu-img", wordsOf(row), { cwd: theirs.path })));
  }
  assertEquals(rows.map((row, index) => answer(row, moa[index]!)).filter(({ row }) => !isShell(row)), real);
  for (const row of verify) {
    const [mine, other] = await Promise.all(
      [ours.path, theirs.path].map(async (cwd) => answer(row, await run("qemu-img", wordsOf(row), { cwd }))),
    );
    assertEquals(mine, other);
  }
  for (const file of sameBytes) await must("cmp", [`${ours.path}/${file}`, `${theirs.path}/${file}`]);
  for (const image of sameData) await must("qemu-img", ["compare", `${ours.path}/${image}`, `${theirs.path}/${image}`]);
}

async function setUp(sides: SideBySide, ours: string, theirs: string): Promise<void> {
  const fill = async (cwd: string) => {
    for (const command of sides.setUp) await must("sh", ["-ec", command], { cwd, timeoutMs: MEASURING_MS });
  };
  if (sides.setUpTwice === true) return void await Promise.all([fill(ours), fill(theirs)]);
  await fill(theirs);
  await must("cp", ["-a", "--sparse=always", `${theirs}/.`, ours]);
}

/** {@link sideBySide} of `rows`, and the images `sameData` compared at the end. */
export function imgSideBySide(
  setUp: readonly string[],
  rows: readonly string[],
  sameData: readonly string[] = [],
): Promise<void> {
  return sideBySide({ setUp, rows, sameData });
}
