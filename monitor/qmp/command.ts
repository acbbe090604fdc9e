/**
 * A QMP command: its name, the types of what it takes and answers, and what it does.
 *
 * The check of arguments, `query-qmp-schema`, `query-commands` and the script's method follow from it.
 *
 * @module
 */
import type { Infer, StructShape, Type, UnionShape } from "../schema/qapi/types.ts";
import type { MachineQmpContext } from "./context.ts";

/** What a command takes: an object. */
export type ArgumentType = Type & (StructShape | UnionShape);

/** One command. `D` is what it takes, `R` what it answers. */
export interface QmpCommand<D extends ArgumentType = ArgumentType, R extends Type = Type> {
  readonly name: string;
  /** One sentence for the reference page. */
  readonly summary: string;
  readonly data: D;
  /** What `query-qmp-schema` tells of that, where somebody else checks it. */
  readonly described?: ArgumentType;
  /** Left out: an empty object. */
  readonly returns?: R;
  /** `deprecated`, `unstable`, or something that clients may look for. */
  readonly features?: readonly string[];
  /** It looks at what it takes itself; {@link data} is for `query-qmp-schema`. */
  readonly isUnchecked?: boolean;
  /** It may overtake others: it neither waits nor takes long. */
  readonly outOfBand?: boolean;
  /** Runs beside the queue in which all other commands take turns: it uses that queue itself. */
  readonly ownQueue?: boolean;
  run(context: MachineQmpContext, data: Infer<D>): Promise<Infer<R> | void> | Infer<R> | void;
}

/** Declares a command; only here for its types. */
export function qmpCommand<const D extends ArgumentType, const R extends Type = Type<void>>(
  definition: QmpCommand<D, R>,
): QmpCommand<D, R> {
  return definition;
}

/** A command whose types are forgotten, as tables hold it. */
// deno-lint-ignore no-explicit-any -- a table holds commands of every type; each was checked where it was declared
export type AnyQmpCommand = QmpCommand<any, any>;

/** An event's name and the type of its data. */
export interface QmpEvent {
  readonly name: string;
  readonly data: Type & StructShape;
}
