/**
 * Replays one recorded dialogue with a machine of moa's, in a process of its own:
 * `deno run -P=test tests/transcripts/moa_vm.ts FILE` prints what differs, or with `--json` all of it as data.
 *
 * Here command lines become options of `Vm.start`; the command line itself is compared by `command_line_test.ts`.
 *
 * @module
 */
import { escapeValue } from "../../base/keyval.ts";
import { Vm, type VmOptions } from "../../monitor/mod.ts";
import { type Difference, readDialogue, replay, type Starter } from "./replay.ts";

/** Options that take no value, and those whose value says that something is not there. */
const WITHOUT_EFFECT = ["-net", "-parallel"];

type Draft = { -readonly [Name in keyof VmOptions]: VmOptions[Name] } & {
  drives: string[];
  devices: string[];
  blockdevs: string[];
};

/** The options that the recordings use. @throws for others */
export function optionsOf(argv: readonly string[]): VmOptions {
  const options: Draft = { paused: true, strict: true, drives: [], devices: [], blockdevs: [] };
  const words = [...argv];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "-nodefaults") options.nodefaults = true;
    else if (word === "-snapshot") options.snapshot = true;
    else if (!word.startsWith("-")) options.drives.push(disk(0, word));
    else {
      const value = words.shift() ?? "";
      if (word === "-m") options.memory = Number(value);
      else if (/^-hd[a-d]$/.test(word)) options.drives.push(disk("abcd".indexOf(word[3]!), value));
      else if (word === "-cdrom") options.drives.push(`index=2,media=cdrom,file=${escapeValue(value)}`);
      else if (word === "-drive") options.drives.push(value);
      else if (word === "-device") options.devices.push(value);
      else if (word === "-blockdev") options.blockdevs.push(value);
      else if (word === "-vga") options.vga = value === "none" ? "none" : "std";
      else if (word === "-serial") options.serial = [value];
      else if (word === "-loadvm") options.loadvm = value;
      else if (!WITHOUT_EFFECT.includes(word)) throw new Error(`no recording uses ${word}`);
    }
  }
  return options;
}

/** What `-hda` and the like stand for; written out, since drives are listed in the order of the command line. */
function disk(index: number, file: string): string {
  return `index=${index},media=disk,file=${escapeValue(file)}`;
}

const start: Starter = async (argv, folder) => {
  Deno.chdir(folder);
  let text = "";
  const warn = (line: string) => void (text += `qemu-system-x86_64: ${line}\n`);
  try {
    const vm = await Vm.start({ ...optionsOf(argv), warn });
    return {
      text,
      machine: { monitor: (line) => vm.monitor(line), [Symbol.asyncDispose]: () => vm[Symbol.asyncDispose]() },
    };
  } catch (error) {
    return { text: `${text}qemu-system-x86_64: ${(error as Error).message}\n`, machine: undefined };
  }
};

if (import.meta.main) {
  const home = Deno.cwd();
  const all: Record<string, Difference[]> = {};
  for (const file of Deno.args.filter((word) => !word.startsWith("-"))) {
    Deno.chdir(home);
    all[file] = await replay(await readDialogue(file), start);
  }
  if (Deno.args.includes("--json")) console.log(JSON.stringify(all));
  else {
    for (const [file, differences] of Object.entries(all)) {
      console.log(`${file}: ${differences.length} answers differ`);
      for (const { argv, line, expected, actual } of differences) {
        console.log(`argv: ${argv}\n(qemu) ${line}\n--- expected\n${expected}--- actual\n${actual}`);
      }
    }
  }
  Deno.exit(0);
}
