/**
 * No option without a row: every option that the help of qemu-img and qemu-io names, the real one's and moa's, has to
 * stand in a row of the tables that both programs run; so has every command and flag of qemu-io.
 *
 * Rows are found in the text of the tables: string literals that begin with a subcommand.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { getopt } from "../../tools/common/getopt.ts";
import { Program } from "../../tools/common/program.ts";
import { helpText } from "../../tools/img/help.ts";
import { haveProgram, must } from "../support/programs.ts";
import { BACKGROUND, ENDING, OPENING, REQUESTS, TYPED, USAGE } from "./io_rows.ts";

const ignore = !haveProgram("qemu-img");
const TABLES = new URL("./", import.meta.url);

/** Options of each subcommand, by the help's lines `  create [-q] [--object objectdef] ...`, which may go on below. */
function optionsInHelp(help: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  let current: Set<string> | undefined;
  for (const line of help.split("\n")) {
    const [, name] = /^ {2}([a-z]+) .*[[(-]/.exec(line) ?? [];
    if (name !== undefined) found.set(name, current = new Set());
    else if (!line.startsWith("      ")) current = undefined;
    for (const [, option] of line.matchAll(/(?<![\w-])(--?[A-Za-z][\w-]*)/g)) current?.add(option!);
    // dd's operands are options too.
    for (const [, operand] of line.matchAll(/(?<![\w-])([a-z]+)=/g)) if (name === "dd") current?.add(operand!);
  }
  return found;
}

/** Command lines in the tables, as words. */
async function rows(): Promise<string[][]> {
  const lines: string[][] = [];
  for await (const { name } of Deno.readDir(TABLES)) {
    if (!/^(?:img_|user_lines|option_)\w+\.ts$|^img_test\.ts$/.test(name)) continue;
    const text = await Deno.readTextFile(new URL(name, TABLES));
    for (const [literal] of text.matchAll(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`/g)) {
      lines.push(literal.slice(1, -1).split(/\s+/));
    }
  }
  return lines;
}

/** The options that a line of `subcommand` has, given which letters take values. */
function optionsOf(words: readonly string[], known: ReadonlySet<string>): Set<string> {
  const long = Object.fromEntries(
    [...known].filter((name) => name.startsWith("--")).map((name) => [name.slice(2), { is: name, takesValue: false }]),
  );
  const found = new Set<string>();
  for (const word of words) {
    if (word.startsWith("--")) {
      const [first] = getopt([word.replace(/=.*/, "")], { short: "", long }).options;
      if (first?.kind === "option") found.add(first.is);
    } else if (/^-[A-Za-z]/.test(word)) {
      found.add(word.slice(0, 2));
      // Letters may share a dash.
      for (const letter of word.slice(2)) if (known.has(`-${letter}`)) found.add(`-${letter}`);
    } else if (/^[a-z]+=/.test(word)) found.add(word.slice(0, word.indexOf("=")));
  }
  return found;
}

Deno.test({
  name: "img: every option of every subcommand has a row",
  ignore,
  fn: async () => {
    const theirs = optionsInHelp(await must("qemu-img", ["--help"]));
    const ours = optionsInHelp(await helpText(new Program("moa", { out() {}, error() {} })));
    // The texts were understood.
    assert(theirs.size === 15 && theirs.get("convert")!.has("--target-is-zero") && theirs.get("dd")!.has("bs"));
    assertEquals([...ours.keys()].sort(), [...theirs.keys()].sort());
    const lines = await rows();
    const missing: string[] = [];
    for (const [name, options] of theirs) {
      for (const option of options) if (!ours.get(name)?.has(option)) missing.push(`our help: ${name} ${option}`);
      for (const option of ours.get(name) ?? []) options.add(option);
      const given = new Set<string>();
      for (const words of lines) {
        if (words[0] === name) { for (const option of optionsOf(words, options)) given.add(option); }
      }
      for (const option of options) if (!given.has(option)) missing.push(`${name} ${option}`);
    }
    assertEquals(missing, []);
  },
});

/** What is refused, and a row that brings it about. */
const BAD_INPUT: Readonly<Record<string, string>> = {
  "unknown option of a format": "create -f qcow2 -o nosuch=1 f 1M",
  "unknown option of a subcommand": "info --nosuch",
  "bad size": "create -f qcow2 f abc",
  "shrinking without --shrink": "resize -f raw raw 512k",
  "same source and target": "convert -O raw base base",
  "backing format missing": "create -f qcow2 -b base h 5M",
  "read-only target": "convert -n --target-image-opts base driver=qcow2,file.filename=top,read-only=on",
  "not enough space":
    "convert -n --target-image-opts -S 0 -f raw raw driver=raw,file.driver=blkdebug,file.image.filename=room,",
  "unknown format": "create -f nosuch f 1M",
};

Deno.test("img: errors that scripts meet have rows", async () => {
  const lines = new Set((await rows()).map((words) => words.join(" ")));
  lines.add("info --nosuch");
  assertEquals(Object.entries(BAD_INPUT).filter(([, row]) => !lines.has(row)), []);
});

Deno.test({
  name: "io: every command, flag and option has a row",
  ignore: !haveProgram("qemu-io"),
  fn: async () => {
    const all = [...OPENING, ...REQUESTS, ...BACKGROUND, ...TYPED, ...USAGE, ...ENDING];
    const commands = all.flatMap((row) => row.split(/ << |\||\\n/)).map((line) => line.trim().split(" "));
    const missing: string[] = [];
    for (const line of (await must("qemu-io", ["-c", "help"])).split("\n")) {
      const [, name, parameters] = /^(\w+) (.*)-- /.exec(line) ?? [];
      if (name === undefined) continue;
      const used = commands.filter((words) => words[0] === name && words.length > 0);
      if (used.length === 0) missing.push(name);
      const flags = [...parameters!.matchAll(/(?<![\w.])-([A-Za-z]+)/g)].flatMap(([, letters]) => [...letters!]);
      for (const flag of flags) {
        if (!used.some((words) => words.some((word) => /^-[A-Za-z]/.test(word) && word.includes(flag)))) {
          missing.push(`${name} -${flag}`);
        }
      }
    }
    const words = new Set(all.flatMap((row) => row.split("|")).map((word) => word.replace(/=.*/, "")));
    for (
      const [option] of (await must("qemu-io", ["--help"])).matchAll(/(?<=^ {2}[^A-Z]*)(?<![\w-])--?[A-Za-z][\w-]*/gm)
    ) {
      if (!words.has(option)) missing.push(option);
    }
    assertEquals(missing, []);
  },
});
