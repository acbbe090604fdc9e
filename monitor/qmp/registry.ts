/**
 * The commands and events of one program.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import type { AnyQmpCommand, QmpEvent } from "./command.ts";
import { NEWER_EVENTS } from "./newer.ts";

/** Commands and events by name. */
export class QmpRegistry {
  readonly #commands = new Map<string, AnyQmpCommand>();
  readonly #events = new Map<string, QmpEvent>();
  /** Answers and events are QEMU 7.2's, and no more. */
  readonly strict: boolean;

  constructor(
    commands: Iterable<AnyQmpCommand>,
    events: Iterable<QmpEvent>,
    { strict }: { readonly strict: boolean },
  ) {
    this.strict = strict;
    for (const command of commands) {
      assert(!this.#commands.has(command.name), `command ${command.name} is declared twice`);
      this.#commands.set(command.name, command);
    }
    for (const event of events) if (!strict || !NEWER_EVENTS.includes(event.name)) this.#events.set(event.name, event);
  }

  command(name: string): AnyQmpCommand | undefined {
    return this.#commands.get(name);
  }

  event(name: string): QmpEvent | undefined {
    return this.#events.get(name);
  }

  get commands(): readonly AnyQmpCommand[] {
    return [...this.#commands.values()];
  }

  get events(): readonly QmpEvent[] {
    return [...this.#events.values()];
  }
}
