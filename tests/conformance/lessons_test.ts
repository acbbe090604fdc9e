/** Each lesson shows the numbers that it promises, is listed, and fails when they are others. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const FOLDER = `${ROOT}scripts/lessons`;

/** Lessons are named in words with hyphens, their parts are not. */
const LESSONS = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => /-.*\.ts$/.test(name)).sort();

function lesson(script: string) {
  const args = ["run", "-q", "--no-prompt", "--no-lock", `--config=${ROOT}deno.json`, "-P=script", script];
  return run(Deno.execPath(), args, { cwd: ROOT });
}

Deno.test("the lessons are all in their README", async () => {
  const readme = await Deno.readTextFile(`${FOLDER}/README.md`);
  assert(LESSONS.length >= 3);
  for (const name of LESSONS) assertStringIncludes(readme, `\`${name}\``);
});

for (const name of LESSONS) {
  Deno.test(`lesson ${name} shows what it promises`, async () => {
    const { code, stdout, stderr } = await lesson(`${FOLDER}/${name}`);
    assertEquals([code, stderr], [0, ""], stdout);
    assertStringIncludes(await Deno.readTextFile(`${FOLDER}/${name}`), `scripts/lessons/${name}\n`);
  });
}

Deno.test("a lesson whose numbers are others ends with 1 and says which", async () => {
  await using temp = await TempFolder.make();
  const text = (await Deno.readTextFile(`${FOLDER}/first-writes.ts`))
    .replace('row("raw", "another cluster", 1,', 'row("raw", "another cluster", 2,')
    .replaceAll("../../mod.ts", `${ROOT}mod.ts`).replaceAll('"./', `"${FOLDER}/`);
  const { code, stderr } = await lesson(await temp.write("other-numbers.ts", text));
  assertEquals(code, 1);
  assertStringIncludes(stderr, 'not as expected, from row 4 on: {"format":"raw","what":"another cluster","writes":2');
});
