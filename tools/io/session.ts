/**
 * The image that is open in `moa io`, and the commands that open and close one.
 *
 * @module
 */
import { errnoText, isErrno } from "../../base/errno.ts";
import { OptionError, type OptionPair, QemuOpts } from "../../base/keyval.ts";
import {
  ALL_PERMISSIONS,
  BlockBackend,
  BlockError,
  type BlockGraph,
  type CacheMode,
  cacheMode,
  nestOptions,
  openDriveNode,
  type OptionTree,
} from "../../block/mod.ts";
import { type IoCall, type IoCommand, ioCommands, type IoContext, runIoLine, usage } from "../../monitor/io/mod.ts";
import type { Program } from "../common/program.ts";

/** How an image is opened. */
export interface OpenHow {
  readonly readOnly: boolean;
  readonly snapshot: boolean;
  readonly copyOnRead: boolean;
  readonly forceShare: boolean;
  readonly cache: CacheMode;
  readonly discard: boolean;
  readonly aio: Aio | undefined;
  readonly options: OptionTree;
}

/** Engines of files. */
export type Aio = "threads" | "native" | "io_uring";

const AIO: readonly string[] = ["threads", "native", "io_uring"];

/** A text that the program puts its name before; the command or the program ends. */
export class OpenRefusal extends Error {
  override readonly name = "OpenRefusal";
}

/** Options by the letters that the command line and `open` share. @throws {OpenRefusal} in QEMU's words. */
export function readHow(
  letters: readonly { readonly is: string; readonly value: string }[],
  options: OptionTree,
): OpenHow {
  let cache = cacheMode("writeback")!;
  let discard = true;
  let aio: Aio | undefined;
  for (const { is, value } of letters) {
    if (is === "n") cache = { ...cache, direct: true };
    if (is === "k") aio = "native";
    if (is === "t") {
      const mode = cacheMode(value);
      if (mode === undefined) throw new OpenRefusal(`Invalid cache option: ${value}`);
      cache = mode;
    }
    if (is === "d") {
      if (!["ignore", "off", "unmap", "on"].includes(value)) throw new OpenRefusal(`Invalid discard option: ${value}`);
      discard = value === "unmap" || value === "on";
    }
    if (is === "i") {
      if (!AIO.includes(value)) throw new OpenRefusal(`Invalid aio option: ${value}`);
      aio = value as Aio;
    }
  }
  const has = (letter: string) => letters.some(({ is }) => is === letter);
  return {
    readOnly: has("r"),
    snapshot: has("s"),
    copyOnRead: has("C"),
    forceShare: has("U"),
    cache,
    discard,
    aio,
    options,
  };
}

/** One run of the program. */
export class Session implements AsyncDisposable {
  readonly #program: Program;
  readonly #graph: BlockGraph;
  readonly #table: readonly IoCommand[];
  readonly #outstanding = new Set<Promise<void>>();
  #backend: BlockBackend;
  /** `quit` was said. */
  ended = false;
  /** A command failed. */
  failed = false;

  constructor(program: Program, graph: BlockGraph) {
    this.#program = program;
    this.#graph = graph;
    this.#backend = new BlockBackend({ graph });
    const own = [this.#open(), this.#close(), this.#quit(), this.#reopen()];
    const names = own.map(({ name }) => name);
    this.#table = [...ioCommands().filter(({ name }) => !names.includes(name)), ...own]
      .sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** Runs one line. */
  async run(line: string): Promise<void> {
    const name = line.split(" ").find((word) => word !== "");
    const command = this.#table.find((one) => one.name === name || one.alias === name);
    if (command !== undefined && command.withoutImage !== true && !this.#backend.isInserted) {
      this.#program.line("no file open, try 'help open'");
      this.failed = true;
    } else if (!await runIoLine(this.#context(), line)) this.failed = true;
  }

  /** Opens an image; says why where that fails. */
  async open(filename: string | undefined, how: OpenHow): Promise<boolean> {
    if (this.#backend.isInserted) {
      this.#program.error("file open already, try 'help close'");
      return false;
    }
    try {
      const backend = new BlockBackend({
        graph: this.#graph,
        used: 0,
        shared: ALL_PERMISSIONS,
        writeCache: how.cache.writeback,
      });
      const node = await openDriveNode(this.#graph, {
        filename,
        aio: how.aio,
        options: {
          "read-only": how.readOnly,
          discard: how.discard ? "unmap" : "ignore",
          cache: { direct: how.cache.direct, "no-flush": how.cache.noFlush },
          ...(how.forceShare ? { "force-share": true } : {}),
          ...how.options,
        },
        snapshot: how.snapshot,
        copyOnRead: how.copyOnRead,
        detectZeroes: "off",
      });
      try {
        if (how.copyOnRead && node.readOnly) {
          throw new BlockError({ kind: "state", text: "Can't use copy-on-read on read-only device" });
        }
        await backend.insertMedium(node);
      } finally {
        await this.#graph.release(node);
      }
      this.#backend = backend;
      return true;
    } catch (error) {
      if (!(error instanceof BlockError) && !(error instanceof OptionError)) throw error;
      this.#program.report(`can't open${filename === undefined ? "" : ` device ${filename}`}: `, error);
      return false;
    }
  }

  /** Waits for requests that were left running. */
  async settle(): Promise<void> {
    while (this.#outstanding.size > 0) await Promise.all(this.#outstanding);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.settle();
    await this.#backend[Symbol.asyncDispose]();
  }

  #context(): IoContext {
    const program = this.#program;
    return {
      backend: this.#backend,
      clock: this.#graph.clocks.realtime,
      table: this.#table,
      outstanding: this.#outstanding,
      output: {
        print: (text) => program.out(text),
        error: (text) => program.errorText(text),
        show: (text) => program.out(text),
        report: (text) => program.error(text),
      },
      readFile,
      raise: (signal) => {
        program.flush();
        raise(signal);
      },
    };
  }

  #open(): IoCommand {
    return {
      name: "open",
      alias: "o",
      parameters: "[-rsCnkU] [-t cache] [-d discard] [-o options] [path]",
      help: "open the file specified by path",
      longHelp: OPEN_HELP,
      minArguments: 1,
      options: "snCro:ki:t:d:U",
      withoutImage: true,
      run: async (io, call) => {
        try {
          const pairs = call.value("o") === undefined ? [] : QemuOpts.parse(call.value("o")!).remaining;
          const how = readHow(lettersOf(call), nestOptions(pairs as OptionPair[]));
          if (call.words.length > 1) return usage(io, call);
          return await this.open(call.words[0], how);
        } catch (error) {
          if (!(error instanceof OpenRefusal) && !(error instanceof OptionError)) throw error;
          this.#program.report("", error);
          return false;
        }
      },
    };
  }

  #close(): IoCommand {
    return {
      name: "close",
      alias: "c",
      help: "close the current open file",
      minArguments: 0,
      maxArguments: 0,
      run: async () => {
        await this.settle();
        await this.#backend[Symbol.asyncDispose]();
        this.#backend = new BlockBackend({ graph: this.#graph });
        return true;
      },
    };
  }

  #quit(): IoCommand {
    return {
      name: "quit",
      alias: "q",
      help: "exit the program",
      minArguments: 0,
      maxArguments: 0,
      withoutImage: true,
      run: () => this.ended = true,
    };
  }

  #reopen(): IoCommand {
    const known = ioCommands().find(({ name }) => name === "reopen")!;
    return { ...known, run: (io, call) => this.#changeFlags(io, call) };
  }

  /** `reopen`: read-only or not, and the cache mode. */
  async #changeFlags(io: IoContext, call: IoCall): Promise<boolean> {
    const backend = this.#backend;
    const node = backend.node!;
    const fail = (text: string) => {
      this.#program.error(text);
      return false;
    };
    let cache = { writeback: backend.writeCacheEnabled, direct: node.cacheDirect, noFlush: node.cacheNoFlush };
    if (call.has("r") && call.has("w")) return fail("Only one -r/-w option may be given");
    const mode = call.value("c");
    if (mode !== undefined) {
      const found = cacheMode(mode);
      if (found === undefined) return fail(`Invalid cache option: ${mode}`);
      cache = found;
    }
    if (call.words.length > 0) return usage(io, call);
    const option = call.value("o");
    if (option !== undefined) {
      const [first] = QemuOpts.parse(option).remaining;
      if (first?.name === "read-only" && (call.has("r") || call.has("w"))) {
        return fail("Cannot set both -r/-w and 'read-only'");
      }
      if (first !== undefined) return fail(`Cannot change the option '${first.name}'`);
    }
    const readOnly = call.has("r") || (!call.has("w") && node.readOnly);
    try {
      await this.#graph.reopen(node, { readOnly, cacheDirect: cache.direct, cacheNoFlush: cache.noFlush });
      backend.writeCacheEnabled = cache.writeback;
      return true;
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
      this.#program.report("", error);
      return false;
    }
  }
}

function lettersOf(call: IoCall): { is: string; value: string }[] {
  return call.letters.map((is) => ({ is, value: call.value(is) ?? "" }));
}

/** @throws an error whose message is strerror's */
async function readFile(filename: string): Promise<Uint8Array> {
  try {
    return await Deno.readFile(filename);
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    throw new Error(isErrno(String(code)) ? errnoText(String(code) as "EIO") : String(error));
  }
}

const SIGNALS = (
  "SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2 SIGPIPE SIGALRM SIGTERM"
).split(" ") as Deno.Signal[];

/** Ends the process as a signal would, or sends itself one. */
function raise(signal: number | "abort"): void {
  const name = signal === "abort" ? "SIGABRT" : SIGNALS[signal - 1];
  if (name !== undefined) Deno.kill(Deno.pid, name);
}

const OPEN_HELP = `
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
