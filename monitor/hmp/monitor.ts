/**
 * The human monitor of one machine: its commands, and the queue in which all who type at it take turns.
 *
 * A {@link HmpMonitor} belongs to a machine; each prompt, socket and script has an {@link HmpSession} of its own, with
 * its history and its memory for formats.
 *
 * @module
 */
import type { MonitorContext } from "../context.ts";
import { registerByName } from "../format/cpu_registers.ts";
import { resetRegister } from "../format/registers.ts";
import { IoBackground } from "../io/background.ts";
import type { HmpOutput } from "../schema/command.ts";
import { qemuVersionText } from "../version.ts";
import { newFormatMemory } from "./arguments.ts";
import { completeLine } from "./completion.ts";
import { executeLine, type HmpState } from "./dispatch.ts";
import { type Completion, LineHistory } from "./editor.ts";

/** What stands before each line. */
export const PROMPT = "(qemu) ";

/** All prompts of one machine. */
export class HmpMonitor {
  readonly #context: Omit<MonitorContext, "session">;
  #queue: Promise<unknown> = Promise.resolve();
  #ended = false;
  readonly #afterCommand: () => void;

  /** `afterCommand` is called after each, whoever sent it. */
  constructor(context: Omit<MonitorContext, "session" | "io">, afterCommand: () => void = () => {}) {
    this.#afterCommand = afterCommand;
    this.#context = {
      ...context,
      io: new IoBackground(),
      quit: () => {
        this.#ended = true;
        context.quit();
      },
    };
  }

  /** Whether `quit` was said: no prompt is shown any more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Says that the machine ends, whoever ended it. */
  end(): void {
    this.#ended = true;
  }

  /** What is shown to somebody who comes. */
  get banner(): string {
    return `QEMU ${qemuVersionText()} monitor - type 'help' for more information\n`;
  }

  /** What commands get, for a session with `history`. */
  context(history: readonly string[]): MonitorContext {
    return { ...this.#context, session: { history } };
  }

  /** Runs `work` when nothing else runs: commands are taken one at a time, whoever sent them. */
  exclusive<T>(work: () => Promise<T> | T): Promise<T> {
    const result = this.#queue.then(work).finally(this.#afterCommand);
    this.#queue = result.catch(() => {});
    return result;
  }

  /** Somebody who types. */
  session(history: LineHistory = new LineHistory()): HmpSession {
    return new HmpSession(this, history);
  }
}

/** One who types at a monitor. */
export class HmpSession {
  readonly monitor: HmpMonitor;
  readonly history: LineHistory;
  readonly #context: MonitorContext;
  readonly #state: HmpState;

  constructor(monitor: HmpMonitor, history: LineHistory) {
    this.monitor = monitor;
    this.history = history;
    this.#context = monitor.context(history.lines);
    this.#state = {
      registry: this.#context.registry,
      formats: newFormatMemory(),
      register: (name) => {
        const { cpu } = this.#context.machine.accelerator;
        return cpu === undefined ? resetRegister(name) : registerByName(cpu.registers(), name);
      },
      strict: this.#context.strict,
    };
  }

  /** Runs one line after those that others sent before. Only a bug in moa itself throws. */
  execute(line: string, output: HmpOutput): Promise<void> {
    return this.monitor.exclusive(() => executeLine(line, this.#state, this.#context, output));
  }

  /** What could stand at the end of `line`. */
  complete(line: string): Promise<Completion> {
    return completeLine(line, this.#context);
  }
}
