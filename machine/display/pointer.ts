/**
 * The mouse as prompts and scripts move it: what happens at once is one report to the guest.
 *
 * Left out: absolute positions, for which there is no device; what a guest does with a movement is its own matter.
 *
 * Source: QEMU's documentation of `mouse_move` and `input-send-event`; reports as 7.2 makes them.
 *
 * @module
 */
import type { KeyboardController } from "../../devices/chipset/mod.ts";

/** What happens at once. */
export interface PointerChange {
  /** Counts to the right. */
  readonly dx?: number;
  /** Counts down. */
  readonly dy?: number;
  /** Clicks of the wheel towards the user. */
  readonly wheel?: number;
  /** Which buttons are down from then on, one bit each: 1 left, 2 right, 4 middle. */
  readonly buttons?: number;
}

/** More than this at once no mouse moves. */
const MAX_COUNTS = 10_000;

/** The mouse. */
export class Pointer {
  readonly #controller: () => KeyboardController | undefined;
  #buttons = 0;

  constructor(controller: () => KeyboardController | undefined) {
    this.#controller = controller;
  }

  /** Whether there is a mouse. */
  get isThere(): boolean {
    return this.#controller() !== undefined;
  }

  /** The buttons that are down. */
  get buttons(): number {
    return this.#buttons;
  }

  /** Tells the guest, which may not listen. */
  change({ dx, dy, wheel, buttons }: PointerChange): void {
    this.#buttons = buttons ?? this.#buttons;
    this.#controller()?.mouse.move({
      ...(dx === undefined ? {} : { dx: limited(dx) }),
      ...(dy === undefined ? {} : { dy: -limited(dy) }),
      ...(wheel === undefined ? {} : { dz: limited(wheel) }),
      buttons: this.#buttons,
    });
  }
}

function limited(counts: number): number {
  return Math.max(-MAX_COUNTS, Math.min(counts, MAX_COUNTS));
}
