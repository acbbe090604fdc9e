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
import { hostReason } from "../../base/errno.ts";
import { FileTooLargeError, readFileSync } from "../../base/read_file.ts";
import { MiB } from "../../base/units.ts";
import { CommandLineError, type WrittenOption } from "./arguments.ts";

const MAX_BYTES = 16 * MiB;

/** Groups that are not named as the option that they stand for is. */
const RENAMED: Readonly<Record<string, string>> = {
  "acpi": "acpitable",
  "boot-opts": "boot",
  "memory": "m",
  "smp-opts": "smp",
};
/**
 * The others. QEMU 7.2 reads `smbios` and `acpi` and makes nothing of them; here they do what they say. It has no group
 * `blockdev`.
 */
const SAME_NAME = [
  "accel action add-fd blockdev chardev device drive fsdev fw_cfg global icount iscsi machine mon msg name net netdev nic",
  "numa object option-rom overcommit plugin rtc sandbox smbios spice tpmdev trace virtfs vnc",
].join(" ").split(" ");
const GROUPS: ReadonlyMap<string, string> = new Map([
  ...Object.entries(RENAMED),
  ...SAME_NAME.map((name) => [name, name] as const),
]);

/** The options in a file. @throws CommandLineError with the file's name and line */
export function readConfigFile(filename: string, origin: string): WrittenOption[] {
  let text: string;
  try {
    text = new TextDecoder().decode(readFileSync(filename, MAX_BYTES));
  } catch (error) {
    const attempted = error instanceof Deno.errors.IsADirectory || error instanceof FileTooLargeError
      ? "Cannot read config file"
      : `Could not open '${filename}'`;
    throw new CommandLineError(`${attempted}: ${hostReason(error)}`, origin);
  }
  const options: { name: string; parts: string[]; line: number }[] = [];
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const fail = (message: string) => new CommandLineError(message, `${CONFIG_MARK}${filename}:${index + 1}`);
    const group = /^\[\s*([^\s"\]]+)(?:\s+"([^"]*)")?\s*\]$/.exec(line);
    if (group !== null) {
      const name = GROUPS.get(group[1]!);
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
