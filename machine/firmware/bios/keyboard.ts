/**
 * Keys: scan codes become characters in the buffer of the BIOS data area (interrupt 9), which int 16h gives out.
 *
 * A US keyboard. Left out: other layouts, Pause and Print Screen as such, the old and the new functions' different keys.
 *
 * Source: [IBM AT TR] "Keyboard", scan code set 1; Ralf Brown's Interrupt List, INT 16h.
 *
 * @module
 */
import type { FirmwareCall } from "./call.ts";
import { BDA, EXTENDED_AREA, type FirmwareSite } from "./site.ts";

/** What keys 02h to 39h give: alone, and with Shift. */
const PLAIN = "\x1b1234567890-=\b\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
const SHIFTED = '\x1b!@#$%^&*()_+\b\0QWERTYUIOP{}\r\0ASDFGHJKL:"~\0|ZXCVBNM<>?\0*\0 ';
const FIRST_KEY = 0x01;
/** Digits of the keypad, where Num Lock is on. */
const KEYPAD = "789-456+1230.";
const FIRST_KEYPAD = 0x47;
const FIRST_FUNCTION = 0x3b;

const RIGHT_SHIFT = 0x01;
const LEFT_SHIFT = 0x02;
const CONTROL = 0x04;
const ALT = 0x08;
const NUM_LOCK = 0x20;
const CAPS_LOCK = 0x40;
/** Keys that are held: their bits in the shift flags. */
const HELD: Readonly<Record<number, number>> = { 0x2a: LEFT_SHIFT, 0x36: RIGHT_SHIFT, 0x1d: CONTROL, 0x38: ALT };
/** Keys that turn something on and off. */
const LOCKS: Readonly<Record<number, number>> = { 0x45: NUM_LOCK, 0x3a: CAPS_LOCK, 0x46: 0x10 };
const COMMAND_BYTE = 0x61;
const RELEASED = 0x80;
const EXTENDED = 0xe0;
const EXTENDED_SEEN = 0x02;

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
    const extended = memory.readValue(BDA.extendedFlags, 1);
    if (code === EXTENDED) return memory.writeValue(BDA.extendedFlags, 1, extended | EXTENDED_SEEN);
    memory.writeValue(BDA.extendedFlags, 1, extended & ~EXTENDED_SEEN);
    const isExtended = (extended & EXTENDED_SEEN) !== 0;
    const key = code & ~RELEASED;
    const flags = memory.readValue(BDA.shiftFlags, 1);
    const held = HELD[key];
    if (held !== undefined && !(isExtended && (held & (LEFT_SHIFT | RIGHT_SHIFT)) !== 0)) {
      return memory.writeValue(BDA.shiftFlags, 1, (code & RELEASED) !== 0 ? flags & ~held : flags | held);
    }
    if ((code & RELEASED) !== 0) return;
    const lock = LOCKS[key];
    if (lock !== undefined && !isExtended) return memory.writeValue(BDA.shiftFlags, 1, flags ^ lock);
    const pressed = wordOf(key, flags, isExtended);
    if (pressed !== undefined) this.store(pressed);
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
        const key = this.#first();
        if (key === undefined) return "sleep";
        memory.writeValue(BDA.bufferHead, 2, this.#next(memory.readValue(BDA.bufferHead, 2)));
        call.ax = key;
        return;
      }
      case 0x01:
      case 0x11: {
        const key = this.#first();
        call.zero = key === undefined;
        if (key !== undefined) call.ax = key;
        return;
      }
      case 0x02:
        call.al = memory.readValue(BDA.shiftFlags, 1);
        return;
      case 0x05:
        call.al = this.store(call.cx) ? 0 : 1;
        return;
      case 0x12:
        call.ax = memory.readValue(BDA.shiftFlags, 2);
        return;
      case 0x03:
      case 0x09:
        call.al = 0;
        return;
      default:
        call.ah = 0x86;
    }
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

/** What a key gives with these shift flags; `undefined` where it gives nothing. */
function wordOf(key: number, flags: number, isExtended: boolean): number | undefined {
  const shift = (flags & (LEFT_SHIFT | RIGHT_SHIFT)) !== 0;
  const control = (flags & CONTROL) !== 0;
  const alt = (flags & ALT) !== 0;
  if (isExtended) {
    // The keypad's Enter and slash are characters; all others are the grey keys.
    if (key === 0x1c) return 0xe00d;
    if (key === 0x35) return 0xe02f;
    return (key << 8) | (alt || control ? 0 : 0xe0);
  }
  if (key >= FIRST_FUNCTION && key < FIRST_FUNCTION + 10) {
    return (key + (alt ? 0x2d : control ? 0x23 : shift ? 0x19 : 0)) << 8;
  }
  if (key === 0x57 || key === 0x58) return (key + (alt ? 0x34 : control ? 0x32 : shift ? 0x30 : 0x2e)) << 8;
  if (key >= FIRST_KEYPAD && key < FIRST_KEYPAD + KEYPAD.length) {
    const character = KEYPAD[key - FIRST_KEYPAD]!;
    const digits = ((flags & NUM_LOCK) !== 0) !== shift || character === "-" || character === "+";
    return digits ? (key << 8) | character.charCodeAt(0) : key << 8;
  }
  const index = key - FIRST_KEY;
  if (index < 0 || index >= PLAIN.length) return undefined;
  const plain = PLAIN[index]!;
  const isLetter = plain >= "a" && plain <= "z";
  if (alt) return key === 0x39 ? 0x3920 : key << 8;
  if (control) {
    if (isLetter) return (key << 8) | (plain.charCodeAt(0) & 0x1f);
    const special: Readonly<Record<string, number>> = { "[": 0x1b, "\\": 0x1c, "]": 0x1d, "6": 0x1e, "-": 0x1f };
    const code = plain === "\r" ? 0x0a : plain === "\b" ? 0x7f : plain === " " ? 0x20 : special[plain];
    return code === undefined ? undefined : (key << 8) | code;
  }
  const caps = (flags & CAPS_LOCK) !== 0 && isLetter;
  const character = (shift !== caps ? SHIFTED : PLAIN)[index]!;
  if (key === 0x0f && shift) return 0x0f00;
  return character === "\0" ? undefined : (key << 8) | character.charCodeAt(0);
}
