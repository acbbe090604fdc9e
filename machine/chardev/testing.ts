/**
 * A frontend for tests of character devices.
 *
 * @module
 */
import { assert } from "@std/assert";
import type { CharEvent, CharFrontend } from "../../devices/bus/mod.ts";

/** A frontend that keeps what it hears; it has room for `room` bytes more. */
export class Ear implements CharFrontend {
  readonly events: CharEvent[] = [];
  text = "";
  space = Infinity;
  #changed: () => void = () => {};

  room(): number {
    return this.space;
  }

  receive(bytes: Uint8Array): void {
    assert(bytes.length <= this.space);
    this.space -= bytes.length;
    this.text += new TextDecoder().decode(bytes);
    this.#changed();
  }

  event(event: CharEvent): void {
    this.events.push(event);
    this.#changed();
  }

  /** Resolves when `holds`. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#changed = resolve);
  }
}
