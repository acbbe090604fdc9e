/**
 * Where `log` and trace events write: standard error, or the file that `logfile` names.
 *
 * @module
 */
import { MonitorError } from "./errors.ts";

/** An item of `log`, with what it would log. */
export interface LogItem {
  readonly name: string;
  readonly help: string;
}

/** QEMU's items in its order. Those of its translator are accepted and log nothing: no CPU is translated here. */
export const LOG_ITEMS: readonly LogItem[] = [
  { name: "out_asm", help: "show generated host assembly code for each compiled TB" },
  { name: "in_asm", help: "show target assembly code for each compiled TB" },
  { name: "op", help: "show micro ops for each compiled TB" },
  { name: "op_opt", help: "show micro ops after optimization" },
  { name: "op_ind", help: "show micro ops before indirect lowering" },
  { name: "int", help: "show interrupts/exceptions in short format" },
  { name: "exec", help: "show trace before each executed TB (lots of logs)" },
  { name: "cpu", help: "show CPU registers before entering a TB (lots of logs)" },
  { name: "fpu", help: "include FPU registers in the 'cpu' logging" },
  { name: "mmu", help: "log MMU-related activities" },
  { name: "pcall", help: "x86 only: show protected mode far calls/returns/exceptions" },
  { name: "cpu_reset", help: "show CPU state before CPU resets" },
  { name: "unimp", help: "log unimplemented functionality" },
  {
    name: "guest_errors",
    help: "log when the guest OS does something invalid (eg accessing a\nnon-existent register)",
  },
  { name: "page", help: "dump pages at beginning of user mode emulation" },
  { name: "nochain", help: 'do not chain compiled TBs so that "exec" and "cpu" show\ncomplete traces' },
  { name: "plugin", help: "output from TCG plugins\n" },
  { name: "strace", help: "log every user-mode syscall, its input, and its result" },
  { name: "tid", help: "open a separate log file per thread; filename must contain '%d'" },
];

/** How the log reaches a file; lines are whole, with their newline. */
export interface LogFile {
  write(text: string): void;
  close(): void;
}

/** What a log needs of the host. */
export interface LogHost {
  /** Where lines go while no file is named. */
  readonly standardError: (text: string) => void;
  /** Makes `filename`, empty. @throws an operating error whose message is strerror's */
  readonly open: (filename: string) => LogFile;
  /** For `%d` in a file's name. */
  readonly processId: number;
}

/** The log of one process. */
export class MonitorLog implements Disposable {
  readonly #host: LogHost;
  #items = new Set<string>();
  #filename: string | undefined;
  #file: LogFile | undefined;

  constructor(host: LogHost) {
    this.#host = host;
  }

  /** Items that are on. */
  get items(): ReadonlySet<string> {
    return this.#items;
  }

  get filename(): string | undefined {
    return this.#filename;
  }

  setItems(items: Iterable<string>): void {
    this.#items = new Set(items);
  }

  /** Writes to `filename` from the next line on. @throws MonitorError */
  setFile(filename: string): void {
    const conversions = filename.match(/%d/g)?.length ?? 0;
    if (conversions > 1 || /%(?!d)/.test(filename)) {
      throw new MonitorError(`Bad logfile template: ${filename}`);
    }
    const name = filename.replace("%d", String(this.#host.processId));
    let file: LogFile;
    try {
      file = this.#host.open(name);
    } catch (error) {
      throw new MonitorError(`Error opening logfile ${name}: ${error instanceof Error ? error.message : error}`);
    }
    this.#file?.close();
    this.#file = file;
    this.#filename = name;
  }

  /** Writes one line. */
  line(text: string): void {
    if (this.#file === undefined) this.#host.standardError(`${text}\n`);
    else this.#file.write(`${text}\n`);
  }

  [Symbol.dispose](): void {
    this.#file?.close();
    this.#file = undefined;
  }
}
