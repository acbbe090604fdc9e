/**
 * The one entry of all tools: `moa img create ...`, or a QEMU name by which the same file was started.
 *
 * `MOA_ARGV0` carries that name (`qemu-img`, `qemu-system-x86_64`); a starter sets it. Each tool is loaded when it is
 * wanted, and file names count from `INIT_CWD` where that is set, since `deno task` runs in the repository.
 *
 * @module
 */
import { requirePermissions } from "../base/permissions.ts";
import { Exit, ProcessOutputs, Program } from "./common/program.ts";

/** A tool: how QEMU calls it, and what runs it. */
interface Tool {
  readonly qemuName: string;
  readonly about: string;
  run(program: Program, args: readonly string[]): Promise<number>;
}

const TOOLS: Readonly<Record<string, Tool>> = {
  system: {
    qemuName: "qemu-system-x86_64",
    about: "runs a machine",
    run: async (program, args) => await (await import("./system/main.ts")).main(program, args),
  },
  img: {
    qemuName: "qemu-img",
    about: "makes, shows and checks images",
    run: async (program, args) => await (await import("./img/main.ts")).main(program, args),
  },
  io: {
    qemuName: "qemu-io",
    about: "reads, writes and looks at an image, command by command",
    run: async (program, args) => await (await import("./io/main.ts")).main(program, args),
  },
};

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
  const name = argv0.slice(argv0.lastIndexOf("/") + 1);
  const byName = Object.values(TOOLS).find((tool) => tool.qemuName === name);
  const byWord = Object.hasOwn(TOOLS, args[0] ?? "") ? TOOLS[args[0]!] : undefined;
  const program = byName !== undefined
    ? new Program(name, outputs, { startFolder })
    : new Program("moa", outputs, { invocation: byWord === undefined ? "moa" : `moa ${args[0]}`, startFolder });
  try {
    if (byName !== undefined) return await byName.run(program, args);
    if (byWord !== undefined) return await byWord.run(program, args.slice(1));
    if (args[0] === "--help" || args[0] === "-h") {
      program.out("usage: moa TOOL [argument ...]\n\n");
      for (const [word, tool] of Object.entries(TOOLS)) {
        program.out(`  ${word.padEnd(8)}${tool.about} (${tool.qemuName})\n`);
      }
      program.out("\n  moa img create -f qcow2 disk.qcow2 10G\n  moa system disk.qcow2\n\n");
      program.out(
        "'moa TOOL --help' says more. Under its QEMU name, here or as MOA_ARGV0, a tool answers as QEMU 7.2.\n",
      );
      return 0;
    }
    return program.usage(args[0] === undefined ? "Not enough arguments" : `Tool not found: ${args[0]}`);
  } catch (error) {
    if (error instanceof Exit) return error.code;
    throw error;
  } finally {
    outputs.flush();
  }
}

if (import.meta.main) {
  requirePermissions(["img", "io"].includes(Deno.args[0] ?? "") ? "img" : "start");
  const startFolder = Deno.cwd();
  const folder = Deno.env.get("INIT_CWD");
  if (folder !== undefined) Deno.chdir(folder);
  const code = await moa(Deno.env.get("MOA_ARGV0") ?? "moa", Deno.args, new ProcessOutputs(), startFolder);
  Deno.exit(code);
}
