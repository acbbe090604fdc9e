/**
 * The commands and events of one program.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import type { AnyQmpCommand, QmpEvent } from "./command.ts";

/** Commands and events by name. */
export class QmpRegistry {
  readonly #commands = new Map<string, AnyQmpCommand>();
  readonly #events = new Map<string, QmpEvent>();

  constructor(commands: Iterable<AnyQmpCommand>, events: Iterable<QmpEvent>) {
    for (const command of commands) {
      assert(!this.#commands.has(command.name), `command ${command.name} is declared twice`);
      this.#commands.set(command.name, command);
    }
    for (const event of events) this.#events.set(event.name, event);
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
