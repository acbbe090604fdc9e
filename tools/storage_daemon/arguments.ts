/**
 * Cuts a command line into options as glibc's getopt_long does where order matters: each option with the words that it
 * was written in, operands in between.
 *
 * Source: getopt_long(3); behaviour of qemu-storage-daemon 7.2.
 *
 * @module
 */
import { CommandLineError } from "../system/arguments.ts";

/** Long options; whether each takes a value. */
const LONG: Readonly<Record<string, boolean>> = {
  blockdev: true,
  chardev: true,
  daemonize: false,
  export: true,
  help: false,
  monitor: true,
  "nbd-server": true,
  object: true,
  pidfile: true,
  trace: true,
  version: false,
};
const SHORT: Readonly<Record<string, string>> = { h: "help", T: "trace", V: "version" };

/** One option as it was written, or a word that is none (`name` is empty then). */
export interface DaemonOption {
  readonly name: string;
  readonly value: string;
  /** What messages begin with: `--blockdev null-co`. */
  readonly origin: string;
}

/** All options in order. @throws {CommandLineError} at the first that is none */
export function readArguments(args: readonly string[]): DaemonOption[] {
  const words = [...args];
  const options: DaemonOption[] = [];
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === "--") options.push(...words.splice(0).map(operand));
    else if (word.startsWith("--")) options.push(longOption(word, words));
    else if (word.startsWith("-") && word !== "-") options.push(...shortOptions(word, words));
    else options.push(operand(word));
  }
  return options;
}

function operand(word: string): DaemonOption {
  return { name: "", value: word, origin: word };
}

function longOption(word: string, words: string[]): DaemonOption {
  const [, typed = "", joined] = /^--([^=]*)(?:=([\s\S]*))?$/.exec(word)!;
  const names = Object.hasOwn(LONG, typed) ? [typed] : Object.keys(LONG).filter((name) => name.startsWith(typed));
  const [name, ...others] = names;
  if (name === undefined) throw new CommandLineError(`unrecognized option '${word}'`);
  if (others.length > 0) {
    const all = names.map((one) => `'--${one}'`).join(" ");
    throw new CommandLineError(`option '${word}' is ambiguous; possibilities: ${all}`);
  }
  if (!LONG[name]) {
    if (joined !== undefined) throw new CommandLineError(`option '--${name}' doesn't allow an argument`);
    return { name, value: "", origin: word };
  }
  if (joined !== undefined) return { name, value: joined, origin: word };
  const value = words.shift();
  if (value === undefined) throw new CommandLineError(`option '--${name}' requires an argument`);
  return { name, value, origin: `${word} ${value}` };
}

function shortOptions(word: string, words: string[]): DaemonOption[] {
  const found: DaemonOption[] = [];
  for (let at = 1; at < word.length; at++) {
    const letter = word[at]!;
    const name = SHORT[letter];
    if (name === undefined) throw new CommandLineError(`invalid option -- '${letter}'`);
    if (!LONG[name]) {
      found.push({ name, value: "", origin: word });
      continue;
    }
    const joined = word.slice(at + 1);
    const value = joined === "" ? words.shift() : joined;
    if (value === undefined) throw new CommandLineError(`option requires an argument -- '${letter}'`);
    found.push({ name, value, origin: joined === "" ? `${word} ${value}` : word });
    break;
  }
  return found;
}
