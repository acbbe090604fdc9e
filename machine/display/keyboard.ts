/**
 * Typing: keys by QEMU's names, pressed and let go in the guest's time, one after the other.
 *
 * The keyboard's own buffer holds a few keys only; the next one waits until the guest has taken those before, so that
 * nothing is lost however long a text is and however slow the guest.
 *
 * Source: QEMU's documentation of `sendkey` and `QKeyCode`; [IBM PS/2 HITR] "Keyboards".
 *
 * @module
 */
import type { Clock } from "../../base/clocks.ts";
import { NS_PER_MS } from "../../base/units.ts";
import { type KeyboardController, keyNamed, scanCodes, translated } from "../../devices/chipset/mod.ts";
import { Q_KEY_CODES } from "./key_names.ts";

/** A key's name; those that a PS/2 keyboard does not have are taken and do nothing. */
export type QKeyCode = string;

/** Keys that are held down together, pressed in order and let go in reverse. */
export interface KeyStroke {
  readonly keys: readonly QKeyCode[];
  /** So long is waited after each of them went down, and after each came up. */
  readonly holdNs: number;
}

/** Other names of keys. */
const ALIASES: Readonly<Record<string, string>> = { asterisk: "kp_multiply" };

const LOOK_EVERY_NS = 5 * NS_PER_MS;
/** So many strokes may wait. */
const MAX_WAITING = 100_000;

/** The key of a number of scan code set 1; `undefined` where there is none. */
export function keyOfNumber(number: number): QKeyCode | undefined {
  return KEY_BY_SET1.get(number);
}

const KEY_BY_SET1: ReadonlyMap<number, QKeyCode> = new Map(
  Q_KEY_CODES.flatMap((name): [number, string][] => {
    const key = keyNamed(name);
    const codes = key === undefined ? [] : scanCodes(key, true);
    return codes.length === 0 ? [] : [[translated(codes.at(-1)!) | (codes.length > 1 ? 0x80 : 0), name]];
  }),
);

/** Reads `ctrl-alt-f1`, `0x1e`; the part that is no key where one is not. */
export function parseKeys(text: string): { readonly keys: readonly QKeyCode[] } | { readonly wrong: string } {
  const keys: QKeyCode[] = [];
  for (const part of text.split("-")) {
    // The one character that is a key's name.
    const name = part === "<" ? "less" : part;
    const key = /^0x[0-9a-f]+$/i.test(part)
      ? keyOfNumber(Number(part)) ?? "unmapped"
      : Q_KEY_CODES.find((code) => code === name);
    if (key === undefined) return { wrong: part };
    keys.push(key);
  }
  return { keys };
}

const SHIFTED = new Map([...'!@#$%^&*()_+{}|:"<>?~'].map((char, i) => [char, "1234567890-=[]\\;',./`"[i]!]));
const PLAIN: Readonly<Record<string, string>> = {
  " ": "spc",
  "\n": "ret",
  "\r": "ret",
  "\t": "tab",
  "\b": "backspace",
  "\x1b": "esc",
  "-": "minus",
  "=": "equal",
  "[": "bracket_left",
  "]": "bracket_right",
  "\\": "backslash",
  ";": "semicolon",
  "'": "apostrophe",
  ",": "comma",
  ".": "dot",
  "/": "slash",
  "`": "grave_accent",
};

/** The keys for each character of `text` on a US keyboard. @throws {RangeError} for a character that has none */
export function keysOfText(text: string): (readonly QKeyCode[])[] {
  return [...text].map((char) => {
    const base = SHIFTED.get(char) ?? char.toLowerCase();
    const key = Object.hasOwn(PLAIN, base) ? PLAIN[base]! : base;
    if (!/^[a-z0-9]$/.test(key) && !Object.hasOwn(PLAIN, base)) {
      throw new RangeError(`no key of a US keyboard types ${JSON.stringify(char)}`);
    }
    return SHIFTED.has(char) || /^[A-Z]$/.test(char) ? ["shift", key] : [key];
  });
}

interface Waiting extends KeyStroke {
  readonly done: () => void;
}

/** A queue of strokes in front of a keyboard. */
export class Keyboard {
  readonly #clock: Clock;
  readonly #controller: () => KeyboardController | undefined;
  readonly #waiting: Waiting[] = [];
  #busy = false;

  constructor(clock: Clock, controller: () => KeyboardController | undefined) {
    this.#clock = clock;
    this.#controller = controller;
  }

  /** Presses and lets go in the guest's time; resolves when the last key is up. @throws {RangeError} beyond a limit */
  stroke(stroke: KeyStroke): Promise<void> {
    if (this.#waiting.length >= MAX_WAITING) throw new RangeError(`${MAX_WAITING} keys wait for the guest already`);
    return new Promise((done) => {
      this.#waiting.push({ ...stroke, done });
      if (!this.#busy) this.#next();
    });
  }

  /** Presses or lets go of one key at once. */
  key(key: QKeyCode, down: boolean): void {
    const name = keyNamed(Object.hasOwn(ALIASES, key) ? ALIASES[key]! : key);
    if (name !== undefined) this.#controller()?.keyboard.key(name, down);
  }

  #next(): void {
    const stroke = this.#waiting.shift();
    this.#busy = stroke !== undefined;
    if (stroke === undefined) return;
    const steps = [
      ...stroke.keys.map((key) => () => this.key(key, true)),
      ...stroke.keys.toReversed().map((key) => () => this.key(key, false)),
    ];
    const step = () => {
      const work = steps.shift();
      if (work === undefined) return this.#next();
      this.#whenTaken(() => {
        work();
        if (steps.length === 0) stroke.done();
        this.#after(stroke.holdNs, step);
      });
    };
    step();
  }

  /** Goes on when the guest has taken what the keyboard holds. */
  #whenTaken(work: () => void): void {
    if (this.#controller()?.keyboard.hasData !== true) work();
    else this.#after(LOOK_EVERY_NS, () => this.#whenTaken(work));
  }

  #after(durationNs: number, work: () => void): void {
    this.#clock.setTimer(this.#clock.nowNs() + durationNs, work);
  }
}
