/**
 * All commands by name, as scripts, QMP and the prompt look them up.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import type { AnyCommand } from "./command.ts";

/** A word of HMP's grammar: a command, or a table of them. */
export interface HmpEntry {
  /** `quit|q`. */
  readonly names: string;
  readonly words: readonly string[];
  readonly command: AnyCommand;
}

/** The commands that one monitor knows. */
export class CommandRegistry {
  readonly #byName = new Map<string, AnyCommand>();
  readonly #top: HmpEntry[] = [];
  readonly #info: HmpEntry[] = [];

  constructor(commands: Iterable<AnyCommand>) {
    for (const command of commands) this.#add(command);
    for (const table of [this.#top, this.#info]) table.sort((a, b) => compareNames(a.names, b.names));
  }

  #add(command: AnyCommand): void {
    assert(!this.#byName.has(command.name), `command ${command.name} is declared twice`);
    this.#byName.set(command.name, command);
    if (command.hmp === undefined) return;
    const { names, group } = command.hmp;
    (group === "info" ? this.#info : this.#top).push({ names, words: names.split("|"), command });
  }

  /** By the name that scripts and QMP use. */
  get(name: string): AnyCommand | undefined {
    return this.#byName.get(name);
  }

  get all(): readonly AnyCommand[] {
    return [...this.#byName.values()];
  }

  /** HMP's commands, or those below `info`, in the order of `help`. */
  table(group?: "info"): readonly HmpEntry[] {
    return group === "info" ? this.#info : this.#top;
  }

  /** The entry that `word` names exactly: HMP takes no abbreviations but declared ones. */
  find(word: string, group?: "info"): HmpEntry | undefined {
    return this.table(group).find((entry) => entry.words.includes(word));
  }
}

/** QEMU sorts its tables by the bytes of the names. */
function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
