/**
 * Interrupt lines and other single wires between chips (A20, reset, SMI).
 *
 * A wire carries a level, 0 or 1. Edge-triggered inputs see edges in the levels that they are given; nothing here knows
 * the difference.
 *
 * @module
 */

/** The end of a wire that its driver holds. */
export interface IrqLine {
  set(level: 0 | 1): void;
}

/** A wire that goes nowhere: what an output drives until it is connected. */
export const UNCONNECTED: IrqLine = { set() {} };

/** A line whose receiver is a function. */
export function irqLine(receive: (level: 0 | 1) => void): IrqLine {
  return { set: receive };
}

/** `count` lines whose receiver is told which of them it is. */
export function irqLines(count: number, receive: (index: number, level: 0 | 1) => void): IrqLine[] {
  return Array.from({ length: count }, (_, index) => irqLine((level) => receive(index, level)));
}

/** A line that drives several others. */
export function splitLine(...targets: readonly IrqLine[]): IrqLine {
  return irqLine((level) => {
    for (const target of targets) target.set(level);
  });
}

/** Up and down again: one edge. */
export function pulse(line: IrqLine): void {
  line.set(1);
  line.set(0);
}

/** A chip's output pin: connected once the board is wired, and replaceable, as a test's intercept is. */
export class OutputPin implements IrqLine {
  #target: IrqLine = UNCONNECTED;
  #level: 0 | 1 = 0;

  /** The level that was driven last. */
  get level(): 0 | 1 {
    return this.#level;
  }

  /** What the pin drives now. */
  get target(): IrqLine {
    return this.#target;
  }

  /** Connects the pin; the new target learns nothing until the pin is driven again. */
  connect(target: IrqLine): void {
    this.#target = target;
  }

  set(level: 0 | 1): void {
    this.#level = level;
    this.#target.set(level);
  }
}

/** A line that several share: high while any of them is. */
export class SharedLine {
  readonly #target: IrqLine;
  readonly #levels: (0 | 1)[] = [];
  #high = 0;

  constructor(target: IrqLine) {
    this.#target = target;
  }

  /** One more driver's end. */
  input(): IrqLine {
    const index = this.#levels.push(0) - 1;
    return irqLine((level) => {
      if (this.#levels[index] === level) return;
      this.#levels[index] = level;
      this.#high += level === 1 ? 1 : -1;
      this.#target.set(this.#high > 0 ? 1 : 0);
    });
  }
}
