/**
 * A command: its name, arguments and result, what it does, and how the prompt shows it.
 *
 * `run` returns data and never text. The HMP twin prints what `run` returned, as QEMU prints it, so that a script, QMP
 * and the prompt all get their answer from one place.
 *
 * @module
 */
import type { MonitorContext } from "../context.ts";
import type { Arguments, ArgumentValues } from "./arguments.ts";

/** Where an HMP twin writes. */
export interface HmpOutput {
  /** To the monitor that asked. Lines end in `\n`. */
  print(text: string): void;
  /** What QEMU writes to its own standard output instead (qemu-io's reports); a socket's user gets it all the same. */
  host(text: string): void;
  /** What QEMU writes to its own standard error. */
  hostError(text: string): void;
}

/** How the prompt knows a command. */
export interface HmpTwin<A extends Arguments, R> {
  /** Names, the first is the main one: `quit|q`. */
  readonly names: string;
  /** As `help` shows them. */
  readonly parameters: string;
  readonly help: string;
  /** Names that other tables show, `info block`. */
  readonly group?: "info";
  /** moa's own: not there under QEMU's name. */
  readonly isOwn?: boolean;
  /** What stands before an error's text; QEMU has `Error: ` for most commands. */
  readonly errorPrefix?: string;
  /** Left out where success says nothing. */
  print?(output: HmpOutput, result: R, values: ArgumentValues<A>, context: MonitorContext): void;
}

/** One command. `A` are its arguments, `R` what it answers. */
export interface Command<A extends Arguments = Arguments, R = unknown> {
  /** The name that scripts and QMP use: `query-block`, `savevm`. */
  readonly name: string;
  /** One sentence for the reference page. */
  readonly summary: string;
  readonly arguments: A;
  readonly hmp?: HmpTwin<A, R>;
  run(context: MonitorContext, values: ArgumentValues<A>): Promise<R> | R;
}

/** What a command takes. */
export type ValuesOf<C> = C extends Command<infer A, infer _R> ? ArgumentValues<A> : never;
/** What a command answers. */
export type ResultOf<C> = C extends Command<infer _A, infer R> ? R : never;

/** Declares a command; only here for its types. */
export function command<const A extends Arguments, R>(definition: Command<A, R>): Command<A, R> {
  return definition;
}

/** A command whose types are forgotten, as tables hold it. */
// deno-lint-ignore no-explicit-any -- a table holds commands of every type; each was checked where it was declared
export type AnyCommand = Command<any, any>;
