/**
 * Records dialogues with the real program: `deno run -P=test tests/transcripts/record.ts [FILE...]`, by hand.
 *
 * Each file is read for its set-up, command line and commands; its answers are replaced by what qemu-system-x86_64
 * says. Look at the difference before committing it.
 *
 * @module
 */
import { must, run } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";
import { type Dialogue, mark, normalise, parseDialogue, printDialogue } from "./format.ts";
import { RealMachine } from "./qemu.ts";
import { words } from "./replay.ts";

const here = new URL(".", import.meta.url).pathname;

async function recordMonitor(dialogue: Dialogue): Promise<void> {
  await using temp = await TempFolder.make();
  let machine: RealMachine | undefined;
  try {
    for (const step of dialogue.steps) {
      if (step.kind === "shell") await must("sh", ["-ec", step.command], { cwd: temp.path });
      else if (step.kind === "argv") {
        await machine?.[Symbol.asyncDispose]();
        machine = await RealMachine.start(words(step.argv), temp.path);
        step.answer = normalise(machine.startText, temp.path);
      } else step.answer = normalise(await machine!.monitor(step.line), temp.path);
    }
  } finally {
    await machine?.[Symbol.asyncDispose]();
  }
}

async function recordCommandLines(dialogue: Dialogue): Promise<void> {
  await using temp = await TempFolder.make();
  for (const step of dialogue.steps) {
    if (step.kind === "shell") await must("sh", ["-ec", step.command], { cwd: temp.path });
    if (step.kind !== "argv") continue;
    const result = await run("qemu-system-x86_64", ["-accel", "tcg", ...words(step.argv)], {
      cwd: temp.path,
      stdin: "quit\n",
      env: { TZ: "UTC" },
    });
    const text = mark("1> ", result.stdout) + mark("2> ", result.stderr) + `exit ${result.code}\n`;
    step.answer = normalise(text, temp.path);
  }
}

if (import.meta.main) {
  const files = Deno.args.length > 0
    ? Deno.args
    : ["hmp", "command_line"].flatMap((folder) =>
      [...Deno.readDirSync(here + folder)].map(({ name }) => `${here}${folder}/${name}`)
    );
  for (const file of files.filter((name) => name.endsWith(".txt")).sort()) {
    const dialogue = parseDialogue(await Deno.readTextFile(file));
    await (file.includes("command_line/") ? recordCommandLines(dialogue) : recordMonitor(dialogue));
    await Deno.writeTextFile(file, printDialogue(dialogue));
    console.log(file);
  }
}
