/**
 * The image that is open in `moa io`, and the commands that open and close one.
 *
 * @module
 */
import { OptionError, QemuOpts } from "../../base/keyval.ts";
import {
  ALL_PERMISSIONS,
  BlockBackend,
  BlockError,
  type BlockGraph,
  findBreakpoints,
  nestOptions,
  openDriveNode,
} from "../../block/mod.ts";
import {
  IoBackground,
  type IoCommand,
  ioCommands,
  type IoContext,
  readPattern,
  runIoLine,
  usage,
} from "../../monitor/io/mod.ts";
import type { Program } from "../common/program.ts";
import { raise } from "./raise.ts";
import { lettersOf, type OpenHow, OpenRefusal, readHow } from "./open_how.ts";
import { OPEN_HELP } from "./usage.ts";

/** One run of the program. */
export class Session implements AsyncDisposable {
  readonly #program: Program;
  readonly #graph: BlockGraph;
  readonly #table: readonly IoCommand[];
  readonly #background = new IoBackground();
  /** Requests in the background are heard at any time: lines are typed, and the program waits between them. */
  readonly #attentive: boolean;
  #backend: BlockBackend;
  /** `quit` was said. */
  ended = false;
  /** A command failed. */
  failed = false;

  constructor(program: Program, graph: BlockGraph, how: { readonly typed?: boolean } = {}) {
    this.#program = program;
    this.#attentive = how.typed ?? false;
    this.#listen(this.#attentive);
    this.#graph = graph;
    this.#backend = new BlockBackend({ graph });
    const own = [this.#open(), this.#close(), this.#quit()];
    const names = own.map(({ name }) => name);
    this.#table = [...ioCommands().filter(({ name }) => !names.includes(name)), ...own]
      .sort((a, b) => a.name < b.name ? -1 : 1);
  }

  /** The commands' names. */
  get names(): readonly string[] {
    return this.#table.map(({ name }) => name);
  }

  /** Runs one line. */
  async run(line: string): Promise<void> {
    const name = line.split(" ").find((word) => word !== "");
    const command = this.#table.find((one) => one.name === name || one.alias === name);
    this.#listen(this.#attentive || command?.immediate !== true);
    try {
      await this.#runCommand(line, command);
      if (command === undefined && name !== undefined && !this.#program.strict) await this.#suggest(name);
    } finally {
      this.#listen(this.#attentive);
    }
  }

  async #runCommand(line: string, command: IoCommand | undefined): Promise<void> {
    if (command !== undefined && command.withoutImage !== true && !this.#backend.isInserted) {
      this.#program.line("no file open, try 'help open'");
      this.failed = true;
    } else if (!await runIoLine(this.#context(), line)) this.failed = true;
  }

  async #suggest(name: string): Promise<void> {
    const { suggest } = await import("../common/suggest.ts");
    const near = suggest(name, this.names);
    if (near !== undefined) this.#program.line(`Did you mean '${near}'?`);
  }

  #listen(now: boolean): void {
    this.#background.listen(now ? (text) => this.#program.out(text) : undefined);
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
        if (!how.readOnly && how.options["read-only"] === "on") {
          throw new BlockError({ kind: "state", text: "Block node is read-only" });
        }
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

  /** Waits for requests that were left running; those that are suspended nobody would resume any more. */
  async settle(): Promise<void> {
    this.#listen(true);
    findBreakpoints(this.#backend.node)?.clear();
    await this.#background.settled();
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
      background: this.#background,
      alone: true,
      output: {
        print: (text) => program.out(text),
        error: (text) => program.errorText(text),
        show: (text) => program.out(text),
        report: (text) => program.error(text),
      },
      readFile: readPattern,
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
          const given = call.value("o") === undefined ? undefined : QemuOpts.parse(call.value("o")!);
          for (const warning of given?.warnings ?? []) this.#program.error(`warning: ${warning}`);
          const how = readHow(lettersOf(call), nestOptions(given?.remaining ?? []));
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
      withoutImage: true,
      run: () => this.ended = true,
    };
  }
}
