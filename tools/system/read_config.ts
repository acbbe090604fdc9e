/**
 * Files of `-readconfig`: groups of options, each with lines `name = "value"`.
 *
 * ```
 * [drive "d0"]
 *   file = "a.qcow2"
 *   if = "none"
 * ```
 *
 * Source: QEMU's docs/config, which are such files.
 *
 * @module
 */
import { escapeValue } from "../../base/keyval.ts";
import { fileProblem, FileTooLargeError, readFileSync } from "../../base/read_file.ts";
import { MiB } from "../../base/units.ts";
import { CommandLineError, type WrittenOption } from "./arguments.ts";

const MAX_BYTES = 16 * MiB;

/** Groups and the options that they stand for. */
const GROUPS: Readonly<Record<string, string>> = {
  "drive": "drive",
  "device": "device",
  "blockdev": "blockdev",
  "machine": "machine",
  "memory": "m",
  "name": "name",
  "smp-opts": "smp",
  "boot-opts": "boot",
  "rtc": "rtc",
  "chardev": "chardev",
  "mon": "mon",
  "global": "global",
  "accel": "accel",
  "object": "object",
  "netdev": "netdev",
};

/** The options in a file. @throws CommandLineError with the file's name and line */
export function readConfigFile(filename: string, origin: string): WrittenOption[] {
  let text: string;
  try {
    text = new TextDecoder().decode(readFileSync(filename, MAX_BYTES));
  } catch (error) {
    const attempted = error instanceof Deno.errors.IsADirectory || error instanceof FileTooLargeError
      ? "Cannot read config file"
      : `Could not open '${filename}'`;
    throw new CommandLineError(`${attempted}: ${fileProblem(error)}`, origin);
  }
  const options: { name: string; parts: string[]; line: number }[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const fail = (message: string) => new CommandLineError(message, `${CONFIG_MARK}${filename}:${index + 1}`);
    const group = /^\[\s*([^\s"\]]+)(?:\s+"([^"]*)")?\s*\]$/.exec(line);
    if (group !== null) {
      const name = GROUPS[group[1]!];
      if (name === undefined) throw fail(`There is no option group '${group[1]}'`);
      options.push({ name, parts: group[2] === undefined ? [] : [`id=${escapeValue(group[2])}`], line: index + 1 });
      continue;
    }
    const pair = /^([A-Za-z0-9_.-]+)\s*=\s*"([^"]*)"$/.exec(line);
    const current = options.at(-1);
    if (current === undefined) throw fail("no group defined");
    if (pair === null) throw fail("parse error");
    current.parts.push(`${pair[1]}=${escapeValue(pair[2]!)}`);
  }
  return options.map(({ name, parts, line }) => ({
    name,
    value: parts.join(","),
    origin: `${CONFIG_MARK}${filename}:${line}`,
  }));
}

/** Marks places in a file: QEMU writes them straight after the program's name, without a blank. */
export const CONFIG_MARK = "\0";
