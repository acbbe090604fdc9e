/**
 * The one entry of all tools: `moa img create ...`, or a QEMU name by which the same file was started.
 *
 * `MOA_ARGV0` carries that name (`qemu-img`, `qemu-system-x86_64`); a starter sets it. Each tool is loaded when it is
 * wanted, and file names count from `INIT_CWD` where that is set, since `deno task` runs in the repository.
 *
 * @module
 */
import { hostReason } from "../base/errno.ts";
import { requirePermissions } from "../base/permissions.ts";
import { Exit, ProcessOutputs, Program } from "./common/program.ts";

/** A tool: how QEMU calls it, and what runs it. */
interface Tool {
  readonly qemuName: string;
  readonly about: string;
  /** What of `deno.json` it runs with. */
  readonly permissions: "start" | "img";
  run(program: Program, args: readonly string[]): Promise<number>;
}

const TOOLS: Readonly<Record<string, Tool>> = {
  system: {
    qemuName: "qemu-system-x86_64",
    about: "runs a machine",
    permissions: "start",
    run: async (program, args) => await (await import("./system/main.ts")).main(program, args),
  },
  img: {
    qemuName: "qemu-img",
    about: "makes, shows and checks images",
    permissions: "img",
    run: async (program, args) => await (await import("./img/main.ts")).main(program, args),
  },
  io: {
    qemuName: "qemu-io",
    about: "reads, writes and looks at an image, command by command",
    permissions: "img",
    run: async (program, args) => await (await import("./io/main.ts")).main(program, args),
  },
  nbd: { qemuName: "qemu-nbd", about: "not yet there", permissions: "img", run: absent("qemu-nbd") },
  "storage-daemon": {
    qemuName: "qemu-storage-daemon",
    about: "disks without a machine, and QMP over them",
    permissions: "start",
    run: async (program, args) => await (await import("./storage_daemon/main.ts")).main(program, args),
  },
};

/** Stands for a tool that moa does not have; it may be started under its name all the same. */
function absent(qemuName: string): Tool["run"] {
  return (program) => Promise.resolve(program.fail(`moa does not do what ${qemuName} does yet`));
}

/** The tool that goes by a QEMU name, or by the first word behind `moa`. */
function toolOf(name: string, word: string | undefined): { byName: Tool | undefined; byWord: Tool | undefined } {
  return {
    byName: Object.values(TOOLS).find((tool) => tool.qemuName === name),
    byWord: word !== undefined && Object.hasOwn(TOOLS, word) ? TOOLS[word] : undefined,
  };
}

/**
 * Runs what `args` ask for under the name `argv0`; resolves to the exit status. `startFolder` is where the process was
 * started, if it is one that could be started again.
 */
export async function moa(
  argv0: string,
  args: readonly string[],
  outputs: ProcessOutputs,
  startFolder?: string,
): Promise<number> {
  const name = baseName(argv0);
  const { byName, byWord } = toolOf(name, args[0]);
  const program = byName !== undefined
    ? new Program(name, outputs, { startFolder })
    : new Program("moa", outputs, { invocation: byWord === undefined ? "moa" : `moa ${args[0]}`, startFolder });
  try {
    if (byName !== undefined) return await byName.run(program, args);
    if (byWord !== undefined) return await byWord.run(program, args.slice(1));
    if (args[0] === "--help" || args[0] === "-h") {
      program.out("usage: moa TOOL [argument ...]\n\n");
      for (const [word, tool] of Object.entries(TOOLS)) {
        program.out(`  ${word.padEnd(16)}${tool.about} (${tool.qemuName})\n`);
      }
      program.out("\n  moa img create -f qcow2 disk.qcow2 10G\n  moa system disk.qcow2\n\n");
      program.out(
        "'moa TOOL --help' says more. Under its QEMU name, here or as MOA_ARGV0, a tool answers as QEMU 7.2.\n",
      );
      return 0;
    }
    if (args[0] === undefined) return program.usage("Not enough arguments");
    return await unknownTool(program, args[0]);
  } catch (error) {
    if (error instanceof Exit) return error.code;
    throw error;
  } finally {
    outputs.flush();
  }
}

/** A word that is no tool: one of `moa img` perhaps, or nearly a tool. */
async function unknownTool(program: Program, word: string): Promise<number> {
  const { suggest } = await import("./common/suggest.ts");
  const near = suggest(word, Object.keys(TOOLS));
  if (near === undefined) return program.usage(`Tool not found: ${word}`);
  return program.fail(`Tool not found: ${word}\nDid you mean '${near}'?`);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

if (import.meta.main) {
  // Without the permission to look, the name is not known; which permissions are missing is told below.
  const mayLook = Deno.permissions.querySync({ name: "env", variable: "MOA_ARGV0" }).state === "granted";
  const { byName, byWord } = toolOf(baseName((mayLook ? Deno.env.get("MOA_ARGV0") : undefined) ?? ""), Deno.args[0]);
  requirePermissions((byName ?? byWord)?.permissions ?? "start");
  const startFolder = Deno.cwd();
  const folder = Deno.env.get("INIT_CWD");
  if (folder !== undefined) Deno.chdir(folder);
  const outputs = new ProcessOutputs();
  const code = await moa(Deno.env.get("MOA_ARGV0") ?? "moa", Deno.args, outputs, startFolder);
  // QEMU's programs do not look.
  const isLost = outputs.lost !== undefined && byName === undefined;
  if (isLost) outputs.error(`moa: standard output could not be written: ${hostReason(outputs.lost)}\n`);
  Deno.exit(isLost ? code || 1 : code);
}
