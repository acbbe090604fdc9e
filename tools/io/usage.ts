/**
 * The help of `moa io`, and how its command line is read.
 *
 * @module
 */
import { PACKAGE_VERSION, qemuVersionText } from "../../base/version.ts";
import type { Program } from "../common/program.ts";

/** The options, as getopt takes them. */
export const SPEC = {
  short: "hVc:d:f:rsnCmki:t:T:U",
  long: {
    help: { is: "h", takesValue: false },
    version: { is: "V", takesValue: false },
    cmd: { is: "c", takesValue: true },
    format: { is: "f", takesValue: true },
    "read-only": { is: "r", takesValue: false },
    snapshot: { is: "s", takesValue: false },
    nocache: { is: "n", takesValue: false },
    "copy-on-read": { is: "C", takesValue: false },
    misalign: { is: "m", takesValue: false },
    "native-aio": { is: "k", takesValue: false },
    aio: { is: "i", takesValue: true },
    discard: { is: "d", takesValue: true },
    cache: { is: "t", takesValue: true },
    trace: { is: "T", takesValue: true },
    "force-share": { is: "U", takesValue: false },
    object: { is: "object", takesValue: true },
    "image-opts": { is: "image-opts", takesValue: false },
  },
};

/** The text of `-V`. */
export function versionText(program: Program): string {
  return program.strict
    ? `${program.name} version ${qemuVersionText()} (${PACKAGE_VERSION})\n`
    : `${PACKAGE_VERSION}, whose io answers as qemu-io version ${qemuVersionText()}\n`;
}

/** The text of `--help`. */
export function usageText(program: Program): string {
  return `Usage: ${program.invocation} [OPTIONS]... [-c COMMAND]... [FILE]
Reads, writes and looks at an image, command by command.

  -c, --cmd COMMAND       run COMMAND; without any, commands come from standard input
  -f, --format FMT        the image's format; by default it is guessed
  -r, --read-only         open for reading only
  -s, --snapshot          writes go to a temporary file
  -n, --nocache           bypass the host's cache, as -t none
  -t, --cache MODE        none, writeback, writethrough, directsync or unsafe
  -d, --discard MODE      ignore (or off), unmap (or on)
  -C, --copy-on-read      keep what is read from the backing file
  -m, --misalign          accepted; buffers are where they are
  -k, --native-aio        as -i native
  -i, --aio MODE          threads, native or io_uring
  -U, --force-share       leave the locks of others alone; with -r
  --image-opts            FILE is a description: driver=qcow2,file.filename=NAME
  --object OBJECT         an object, such as a secret that the image needs: secret,id=s0,file=F
  -T, --trace PATTERN     no trace event is known here
  -h, --help              this text
  -V, --version           the version

'help' among the commands lists them.
`;
}

/** What `help open` says further. */
export const OPEN_HELP = `
 opens a new file in the requested mode

 Example:
 'open -n -o driver=raw /tmp/data' - opens raw data file read-write, uncached

 Opens a file for subsequent use by all of the other qemu-io commands.
 -r, -- open file read-only
 -s, -- use snapshot file
 -C, -- use copy-on-read
 -n, -- disable host cache, short for -t none
 -U, -- force shared permissions
 -k, -- use kernel AIO implementation (Linux only, prefer use of -i)
 -i, -- use AIO mode (threads, native or io_uring)
 -t, -- use the given cache mode for the image
 -d, -- use the given discard mode for the image
 -o, -- options to be given to the block driver
`;
