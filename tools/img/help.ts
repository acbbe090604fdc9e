/**
 * The help of `moa img`.
 *
 * @module
 */
import { PACKAGE_VERSION, qemuVersionText } from "../../base/version.ts";
import { builtinDrivers } from "../../block/mod.ts";
import type { Program } from "../common/program.ts";

/** The version of QEMU that moa answers as, and the program behind it. */
export function versionText(program: Program): string {
  return program.strict
    ? `${program.name} version ${qemuVersionText()} (${PACKAGE_VERSION})\n`
    : `${PACKAGE_VERSION}, whose img answers as qemu-img version ${qemuVersionText()}\n`;
}

/** What the real program does not have. */
const OWN = `
Of moa's own, with every command that draws progress:
  --progress=jsonl       an object a line on standard error, at most ten a second
  --progress=bar         a bar with rate and time left: what -p draws on a terminal
`;

/** Subcommands with their options, and the formats that are there. */
export async function helpText(program: Program): Promise<string> {
  const formats = builtinDrivers.names.toSorted().join(" ");
  return `${versionText(program)}usage: ${program.invocation} [standard options] command [command options]

Standard options:
  -h, --help     this text
  -V, --version  the version

Commands:
  amend [--object OBJECT] [--image-opts] [-q] [-p] [-f FMT] [-t CACHE] [--force] -o OPTION=VALUE,... FILE
  bench [-c COUNT] [-d DEPTH] [-f FMT] [-i threads|native|io_uring] [-n] [-o OFFSET] [-s SIZE] [-S STEP] [-t CACHE]
        [-w [--pattern=BYTE] [--flush-interval=COUNT] [--no-drain]] [-q] [-U] FILE
  bitmap (--add [-g SIZE] | --remove | --clear | --enable | --disable | --merge NAME [-b FILE [-F FMT]])...
         [--object OBJECT] [--image-opts] [-f FMT] FILE NAME
  check [--object OBJECT] [--image-opts] [-q] [-f FMT] [--output=human|json] [-r leaks|all] [-T CACHE] [-U] FILE
  commit [--object OBJECT] [--image-opts] [-q] [-p] [-f FMT] [-t CACHE] [-b BASE] [-d] [-r RATE] FILE
  compare [--object OBJECT] [--image-opts] [-q] [-p] [-s] [-f FMT] [-F FMT] [-T CACHE] [-U] FILE1 FILE2
  convert [--object OBJECT] [--image-opts] [-c] [-p] [-q] [-n] [-f FMT] [-O FMT] [-o OPTION=VALUE,...]
          [-B BACKING -F FMT] [-l SNAPSHOT] [-S SIZE] [-m COUNT] [-r RATE] [-t CACHE] [-T CACHE] [-C] [-U] [-W]
          [--salvage] [--bitmaps [--skip-broken-bitmaps]] [--target-is-zero] [--target-image-opts]
          FILE [FILE2 ...] TARGET
  create [--object OBJECT] [-q] [-f FMT] [-b BACKING [-F FMT]] [-u] [-o OPTION=VALUE,...] FILE [SIZE]
  dd [--image-opts] [-f FMT] [-O FMT] [-U] [bs=SIZE] [count=BLOCKS] [skip=BLOCKS] if=FILE of=TARGET
  info [--object OBJECT] [--image-opts] [-f FMT] [--output=human|json] [--backing-chain] [-U] FILE
  map [--object OBJECT] [--image-opts] [-f FMT] [--start-offset=OFFSET] [--max-length=SIZE] [--output=human|json] [-U]
      FILE
  measure [--output=human|json] [-O FMT] [-o OPTION=VALUE,...]
          [--size SIZE | [--object OBJECT] [--image-opts] [-f FMT] [-l SNAPSHOT] [-U] FILE]
  rebase [--object OBJECT] [--image-opts] [-q] [-p] [-u] [-U] [-f FMT] [-t CACHE] [-T CACHE] -b BACKING [-F FMT] FILE
  resize [--object OBJECT] [--image-opts] [-q] [-f FMT] [--preallocation=off|metadata|falloc|full] [--shrink] FILE
         [+|-]SIZE
  snapshot [--object OBJECT] [--image-opts] [-q] [-U] [-l | -a NAME | -c NAME | -d NAME] FILE
${program.strict ? "" : OWN}
FILE is a name, or with --image-opts a description (driver=qcow2,file.filename=NAME). OBJECT is what an image needs
to be opened: secret,id=s0,file=NAME. SIZE takes the suffixes
k, M, G, T, P, E. 'create -f FMT -o help' lists what a format can be made with.

Supported formats: ${formats}
`;
}
