/**
 * Keys: scan codes become characters in the buffer of the BIOS data area (interrupt 9), which int 16h gives out.
 *
 * Left out: other layouts than the US one (DOS has drivers for them), Pause, which is passed over, lights.
 *
 * Source: [IBM AT TR] "Keyboard", scan code set 1; Ralf Brown's Interrupt List, INT 16h.
 *
 * @module
 */
import type { FirmwareCall } from "./call.ts";
import { keypadDigit, oldWord, SHIFT, wordOf } from "./key_words.ts";
import { BDA, EXTENDED_AREA, type FirmwareSite } from "./site.ts";

/** Keys that are held: their bits in the shift flags. */
const HELD: Readonly<Record<number, number>> = {
  0x2a: SHIFT.left,
  0x36: SHIFT.right,
  0x1d: SHIFT.control,
  0x38: SHIFT.alt,
};
/** Keys that turn something on and off. */
const LOCKS: Readonly<Record<number, number>> = { 0x3a: SHIFT.caps, 0x45: SHIFT.num, 0x46: SHIFT.scroll };
const KEY = {
  control: 0x1d,
  printScreen: 0x37,
  alt: 0x38,
  num: 0x45,
  break: 0x46,
  insert: 0x52,
  delete: 0x53,
} as const;
/** Left keys among the second flags, right ones among the third. */
const LEFT = { control: 0x01, alt: 0x02 } as const;
const RIGHT = { control: 0x04, alt: 0x08 } as const;
const INTERRUPT = { printScreen: 0x05, break: 0x1b } as const;
const BREAK_SEEN = 0x80;
const WARM_START = 0x1234;
const COMMAND_BYTE = 0x61;
const PULSE_RESET = 0xfe;
const RELEASED = 0x80;
const EXTENDED = 0xe0;
const EXTENDED_SEEN = 0x02;
/** Pause is E1h and two codes that are other keys' otherwise. */
const PAUSE = 0xe1;
const PAUSE_SEEN = 0x01;

/** Interrupt 9 and int 16h. */
export class KeyboardService {
  readonly #site: FirmwareSite;

  constructor(site: FirmwareSite) {
    this.#site = site;
  }

  /** The buffer is empty, no key is held. */
  powerOn(): void {
    const { memory, ports } = this.#site;
    for (
      const [at, value] of [
        [BDA.bufferStart, BDA.buffer - 0x400],
        [BDA.bufferLimit, BDA.bufferEnd - 0x400],
        [BDA.bufferHead, BDA.buffer - 0x400],
        [BDA.bufferTail, BDA.buffer - 0x400],
        [BDA.shiftFlags, 0],
      ] as const
    ) memory.writeValue(at, 2, value);
    memory.writeValue(BDA.extendedFlags, 1, 0x10);
    // Interrupts of the keyboard, scan codes translated to set 1; the mouse is off.
    ports.writeValue(0x64, 1, 0x60);
    ports.writeValue(0x60, 1, COMMAND_BYTE);
    memory.writeValue(EXTENDED_AREA.keyboardMode, 1, COMMAND_BYTE);
  }

  /** A scan code has come. */
  scanCode(call: FirmwareCall): void {
    const { memory } = this.#site;
    const code = call.al;
    const seen = memory.readValue(BDA.extendedFlags, 1);
    if (code === EXTENDED) return memory.writeValue(BDA.extendedFlags, 1, seen | EXTENDED_SEEN);
    if (code === PAUSE) return memory.writeValue(BDA.extendedFlags, 1, seen | PAUSE_SEEN);
    const key = code & ~RELEASED;
    if ((seen & PAUSE_SEEN) !== 0 && key === KEY.control) return;
    memory.writeValue(BDA.extendedFlags, 1, seen & ~EXTENDED_SEEN & ~PAUSE_SEEN);
    if ((seen & PAUSE_SEEN) !== 0 && key === KEY.num) return;
    const isExtended = (seen & EXTENDED_SEEN) !== 0;
    if (this.#follow(key, isExtended, (code & RELEASED) === 0) || (code & RELEASED) !== 0) return;
    this.#press(key, isExtended, memory.readValue(BDA.shiftFlags, 1));
  }

  /** Keeps the flags of keys that are held or lock; whether that is all there is to this key. */
  #follow(key: number, isExtended: boolean, isDown: boolean): boolean {
    const held = HELD[key];
    if (held !== undefined) {
      // Some keys come with a Shift that nobody has pressed.
      if (isExtended && (held & (SHIFT.left | SHIFT.right)) !== 0) return true;
      this.#mark(BDA.shiftFlags, held, isDown);
      const side = key === KEY.control ? "control" : key === KEY.alt ? "alt" : undefined;
      if (side !== undefined && isExtended) this.#mark(BDA.extendedFlags, RIGHT[side], isDown);
      else if (side !== undefined) this.#mark(BDA.shiftFlags + 1, LEFT[side], isDown);
      if (key === KEY.alt && !isDown) this.#endComposing();
      return true;
    }
    const lock = isExtended ? undefined : LOCKS[key];
    if (lock === undefined) return false;
    const isHeld = (this.#site.memory.readValue(BDA.shiftFlags + 1, 1) & lock) !== 0;
    this.#mark(BDA.shiftFlags + 1, lock, isDown);
    if (isDown && !isHeld) this.#toggle(lock);
    return true;
  }

  #press(key: number, isExtended: boolean, flags: number): void {
    const { memory, ports } = this.#site;
    const control = (flags & SHIFT.control) !== 0;
    const alt = (flags & SHIFT.alt) !== 0;
    if (control && alt && key === KEY.delete) {
      memory.writeValue(BDA.resetFlag, 2, WARM_START);
      return ports.writeValue(0x64, 1, PULSE_RESET);
    }
    if (isExtended && control && key === KEY.break) {
      memory.writeValue(BDA.breakFlag, 1, BREAK_SEEN);
      memory.writeValue(BDA.bufferHead, 2, memory.readValue(BDA.bufferStart, 2));
      memory.writeValue(BDA.bufferTail, 2, memory.readValue(BDA.bufferStart, 2));
      memory.writeValue(EXTENDED_AREA.keyInterrupt, 1, INTERRUPT.break);
      return void this.store(0);
    }
    if (isExtended && key === KEY.printScreen) {
      return memory.writeValue(EXTENDED_AREA.keyInterrupt, 1, INTERRUPT.printScreen);
    }
    const digit = alt && !isExtended ? keypadDigit(key) : undefined;
    if (digit !== undefined) {
      return memory.writeValue(BDA.composed, 1, (memory.readValue(BDA.composed, 1) * 10 + digit) & 0xff);
    }
    const pressed = wordOf(key, flags, isExtended);
    if (key === KEY.insert && pressed !== undefined && (pressed & 0xff) !== 0x30) this.#toggle(SHIFT.insert);
    if (pressed !== undefined) this.store(pressed);
  }

  /** Alt is let go: the number that was typed meanwhile is a character. */
  #endComposing(): void {
    const { memory } = this.#site;
    const code = memory.readValue(BDA.composed, 1);
    memory.writeValue(BDA.composed, 1, 0);
    if (code !== 0) this.store(code);
  }

  #mark(at: number, bit: number, isSet: boolean): void {
    const { memory } = this.#site;
    const value = memory.readValue(at, 1);
    memory.writeValue(at, 1, isSet ? value | bit : value & ~bit);
  }

  #toggle(bit: number): void {
    const { memory } = this.#site;
    memory.writeValue(BDA.shiftFlags, 1, memory.readValue(BDA.shiftFlags, 1) ^ bit);
  }

  /** Puts a key into the buffer: scan code above, character below. `false` where it is full. */
  store(key: number): boolean {
    const { memory } = this.#site;
    const tail = memory.readValue(BDA.bufferTail, 2);
    const next = this.#next(tail);
    if (next === memory.readValue(BDA.bufferHead, 2)) return false;
    memory.writeValue(0x400 + tail, 2, key);
    memory.writeValue(BDA.bufferTail, 2, next);
    return true;
  }

  /** Int 16h. */
  call(call: FirmwareCall): void | "sleep" {
    const { memory } = this.#site;
    switch (call.ah) {
      case 0x00:
      case 0x10: {
        const key = this.take();
        if (key === undefined) return "sleep";
        call.ax = call.ah === 0x00 ? oldWord(key) : key;
        return;
      }
      case 0x01:
      case 0x11: {
        const key = this.#first();
        call.zero = key === undefined;
        if (key !== undefined) call.ax = call.ah === 0x01 ? oldWord(key) : key;
        return;
      }
      case 0x02:
        call.al = memory.readValue(BDA.shiftFlags, 1);
        return;
      case 0x05:
        call.al = this.store(call.cx) ? 0 : 1;
        return;
      case 0x12:
        call.al = memory.readValue(BDA.shiftFlags, 1);
        call.ah = (memory.readValue(BDA.shiftFlags + 1, 1) & 0x73) | (memory.readValue(BDA.extendedFlags, 1) & 0x0c);
        return;
      case 0x03:
      case 0x09:
        call.al = 0;
        return;
      default:
        call.ah = 0x86;
    }
  }

  /** Takes the next key out of the buffer: scan code above, character below. */
  take(): number | undefined {
    const { memory } = this.#site;
    const key = this.#first();
    if (key !== undefined) {
      memory.writeValue(BDA.bufferHead, 2, this.#next(memory.readValue(BDA.bufferHead, 2)));
    }
    return key;
  }

  #first(): number | undefined {
    const { memory } = this.#site;
    const head = memory.readValue(BDA.bufferHead, 2);
    return head === memory.readValue(BDA.bufferTail, 2) ? undefined : memory.readValue(0x400 + head, 2);
  }

  #next(at: number): number {
    const { memory } = this.#site;
    const next = at + 2;
    return next >= memory.readValue(BDA.bufferLimit, 2) ? memory.readValue(BDA.bufferStart, 2) : next;
  }
}
