/**
 * The help of `moa img`.
 *
 * @module
 */
import { builtinDrivers } from "../../block/mod.ts";
import type { Program } from "../common/program.ts";

/** The version of QEMU that moa answers as, and the program behind it. */
export function versionText(program: Program): string {
  return program.strict ? `${program.name} version 7.2.0 (moa)\n` : "moa img, as qemu-img version 7.2.0\n";
}

/** Subcommands with their options, and the formats that are there. */
export async function helpText(program: Program): Promise<string> {
  const formats = builtinDrivers.names.toSorted().join(" ");
  return `${versionText(program)}usage: ${program.invocation} [standard options] command [command options]

Standard options:
  -h, --help     this text
  -V, --version  the version

Commands:
  check [-q] [-f FMT] [--output=human|json] [-r leaks|all] [-T CACHE] [-U] FILE
  create [-q] [-f FMT] [-b BACKING [-F FMT]] [-u] [-o OPTION=VALUE,...] FILE [SIZE]
  info [-f FMT] [--output=human|json] [--backing-chain] [-U] FILE
  snapshot [-q] [-U] [-l | -a NAME | -c NAME | -d NAME] FILE

FILE is a name, or with --image-opts a description (driver=qcow2,file.filename=NAME). SIZE takes the suffixes
k, M, G, T, P, E. 'create -f FMT -o help' lists what a format can be made with.

Supported formats: ${formats}
`;
}
