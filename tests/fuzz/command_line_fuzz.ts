/**
 * Command lines at random: QEMU's options with values that are meant for others, broken, or no text at all.
 *
 * They are understood, or refused with an error that names itself; nothing else is thrown.
 *
 * Left out: `-readconfig`; what building the machine makes of the settings.
 *
 * @module
 */
import type { SeededRandom } from "../../base/random.ts";
import { readArguments } from "../../tools/system/arguments.ts";
import { OPTIONS } from "../../tools/system/option_table.ts";
import { readSettings } from "../../tools/system/read_settings.ts";
import { defaultSettings } from "../../tools/system/settings.ts";
import { pick } from "../support/pick.ts";
import { type Finding, type Seeds, trySeeds } from "./seeds.ts";

/** How it is run. */
export interface CommandLineFuzz extends Seeds {
  /** Reads a command line, instead of moa's own reader. */
  readonly read?: (args: readonly string[]) => void;
}

const NAMES = [...OPTIONS.keys()].filter((name) => name !== "readconfig");
const KEYS = [
  ...["id", "file", "if", "format", "drive", "driver", "index", "media", "bus", "addr", "size", "type", "uuid"],
  ...["node-name", "path", "backend", "host", "port", "server", "wait", "data", "qom-type", "maxmem", "slots", "cpus"],
  ...["order", "splash", "base", "clock", "kernel", "sig", "rev", "name", "string", "cache", "aio", "bps", "shift"],
  ...["a.b.c", "file.driver", "file.filename", "0", "", "__proto__", "mode", "fd", "set", "opaque", "events", "enable"],
];
const VALUES = [
  ...["", "x", "on", "off", "0", "-1", "1", "2G", "1e30", "9".repeat(40), "0x", "null-co://", "ide", "virtio", "none"],
  ...["disk", "cdrom", "help", "?", "/nonexistent/x", "utc", "2020-01-01", "9999-99-99T99:99:99", "d0", "null-co"],
  ...["raw", "unsafe", ",,", "a,,b", '"', "'", "\\", "{", "json:{}", 'json:{"driver":"null-co"}', "\0", "\u{1f600}"],
  ...[
    "=",
    "__proto__",
    "toString",
    "1:2:3",
    "unix:/x",
    "tcp::0",
    "mon:x",
    "vc",
    "null",
    "ide-hd",
    "pc",
    "v86",
    "secret",
  ],
];
/** What JavaScript throws by itself: nobody meant it to be read. */
const BUGS = ["Error", "TypeError", "RangeError", "ReferenceError", "SyntaxError", "URIError", "AssertionFailure"];

/** Runs with seeds from `seed` on. */
export function fuzzCommandLines({ read = readAll, ...seeds }: CommandLineFuzz): Promise<Finding[]> {
  return trySeeds(seeds, ({ random, told }) => {
    const args = commandLine(random);
    told.push(JSON.stringify(args));
    try {
      read(args);
    } catch (error) {
      const { name, message } = error as Error;
      if (BUGS.includes(name) || message.trim() === "") throw error;
    }
    return Promise.resolve();
  });
}

function readAll(args: readonly string[]): void {
  readSettings(readArguments(args), defaultSettings());
}

function commandLine(random: SeededRandom): string[] {
  const args: string[] = [];
  for (let n = 1 + random.below(4); n > 0; n--) {
    args.push(`${random.below(5) === 0 ? "--" : "-"}${pick(random, NAMES)}`);
    if (random.below(8) > 0) args.push(value(random));
  }
  return args;
}

function value(random: SeededRandom): string {
  const parts = Array.from(
    { length: random.below(5) },
    () => random.below(4) === 0 ? pick(random, VALUES) : `${pick(random, KEYS)}=${pick(random, VALUES)}`,
  );
  return (random.below(3) === 0 ? [pick(random, VALUES), ...parts] : parts).join(",");
}
