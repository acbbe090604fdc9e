/**
 * What keys give: a scan code and a character, as int 16h hands them out, for a US keyboard.
 *
 * Source: [IBM PS/2 BIOS] "INT 16h, Keyboard"; Ralf Brown's Interrupt List, table of scan codes; checked against SeaBIOS.
 *
 * @module
 */

/** Bits of the shift flags. */
export const SHIFT = {
  right: 0x01,
  left: 0x02,
  control: 0x04,
  alt: 0x08,
  scroll: 0x10,
  num: 0x20,
  caps: 0x40,
  insert: 0x80,
} as const;

/** What keys 01h to 39h give: alone, and with Shift. */
const PLAIN = "\x1b1234567890-=\b\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
const SHIFTED = '\x1b!@#$%^&*()_+\b\0QWERTYUIOP{}\r\0ASDFGHJKL:"~\0|ZXCVBNM<>?\0*\0 ';
const FIRST_KEY = 0x01;
const FIRST_FUNCTION = 0x3b;
const KEY = {
  tab: 0x0f,
  enter: 0x1c,
  slash: 0x35,
  times: 0x37,
  space: 0x39,
  backslash: 0x56,
  f11: 0x57,
  f12: 0x58,
} as const;
/** The keypad from Home on, with Num Lock. */
const KEYPAD = "789-456+1230.";
const FIRST_KEYPAD = 0x47;
/** Scan codes with Ctrl, from Home on: those of the keypad, and of the grey keys but for 5, minus and plus. */
const CONTROL_KEYPAD = [0x77, 0x8d, 0x84, 0x8e, 0x73, 0x8f, 0x74, 0x90, 0x75, 0x91, 0x76, 0x92, 0x93];
const KEYPAD_ONLY = [0x4a, 0x4c, 0x4e];
/** What the second byte of a code beyond the first keyboards is. */
const GREY = 0xe0;

/** Characters that Ctrl makes of keys that are no letters. */
const CONTROLS: Readonly<Record<string, number>> = {
  "\x1b": 0x1b,
  "[": 0x1b,
  "\\": 0x1c,
  "]": 0x1d,
  "6": 0x1e,
  "-": 0x1f,
  "\r": 0x0a,
  "\b": 0x7f,
  " ": 0x20,
};

/** The digit of a key of the keypad. */
export function keypadDigit(key: number): number | undefined {
  const character = KEYPAD[key - FIRST_KEYPAD];
  return character !== undefined && character >= "0" && character <= "9" ? Number(character) : undefined;
}

/** What a key gives with these shift flags: scan code above, character below; `undefined` where it gives nothing. */
export function wordOf(key: number, flags: number, isExtended: boolean): number | undefined {
  if (isExtended) return greyWord(key, flags);
  if (key >= FIRST_FUNCTION && key < FIRST_FUNCTION + 10) return functionWord(key, flags, [0, 0x19, 0x23, 0x2d]);
  if (key === KEY.f11 || key === KEY.f12) return functionWord(key, flags, [0x2e, 0x30, 0x32, 0x34]);
  if (key >= FIRST_KEYPAD && key < FIRST_KEYPAD + KEYPAD.length) return keypadWord(key, flags);
  if (key === KEY.backslash) {
    return (flags & (SHIFT.alt | SHIFT.control)) !== 0 ? undefined : word(key, isShifted(flags) ? "|" : "\\");
  }
  return mainWord(key, flags);
}

/** What the functions for the first keyboards (00h, 01h) make of it. */
export function oldWord(value: number): number {
  const [scan, character] = [value >> 8, value & 0xff];
  if (scan === GREY) return ((character === 0x2f ? KEY.slash : KEY.enter) << 8) | character;
  return character === GREY && scan !== 0 ? scan << 8 : value;
}

function word(key: number, character: string): number {
  return (key << 8) | character.charCodeAt(0);
}

function isShifted(flags: number): boolean {
  return (flags & (SHIFT.left | SHIFT.right)) !== 0;
}

function functionWord(key: number, flags: number, steps: readonly [number, number, number, number]): number {
  const which = (flags & SHIFT.alt) !== 0 ? 3 : (flags & SHIFT.control) !== 0 ? 2 : isShifted(flags) ? 1 : 0;
  return (key + steps[which]) << 8;
}

/** Keys of which the first keyboards had only the keypad's. */
function greyWord(key: number, flags: number): number | undefined {
  const alt = (flags & SHIFT.alt) !== 0;
  const control = (flags & SHIFT.control) !== 0;
  if (key === KEY.enter) return alt ? 0xa600 : control ? 0xe00a : 0xe00d;
  if (key === KEY.slash) return alt ? 0xa400 : control ? 0x9500 : 0xe02f;
  const place = key - FIRST_KEYPAD;
  if (place < 0 || place >= KEYPAD.length || KEYPAD_ONLY.includes(key)) return undefined;
  if (alt) return (key + 0x50) << 8;
  return ((control ? CONTROL_KEYPAD[place]! : key) << 8) | GREY;
}

function keypadWord(key: number, flags: number): number | undefined {
  const character = KEYPAD[key - FIRST_KEYPAD]!;
  const isSign = character === "-" || character === "+";
  // With Alt, digits make up a character.
  if ((flags & SHIFT.alt) !== 0) return isSign ? key << 8 : undefined;
  if ((flags & SHIFT.control) !== 0) return CONTROL_KEYPAD[key - FIRST_KEYPAD]! << 8;
  const isDigit = ((flags & SHIFT.num) !== 0) !== isShifted(flags) || isSign;
  return isDigit ? word(key, character) : key << 8;
}

function mainWord(key: number, flags: number): number | undefined {
  const plain = PLAIN[key - FIRST_KEY];
  if (plain === undefined) return undefined;
  const isLetter = plain >= "a" && plain <= "z";
  if ((flags & SHIFT.alt) !== 0) {
    if (key >= 0x02 && key <= 0x0d) return (key + 0x76) << 8;
    return key === KEY.tab ? 0xa500 : key === KEY.space ? 0x3920 : key << 8;
  }
  if ((flags & SHIFT.control) !== 0) {
    if (isLetter) return (key << 8) | (plain.charCodeAt(0) & 0x1f);
    if (plain === "2") return key << 8;
    if (key === KEY.tab) return 0x9400;
    if (key === KEY.times) return 0x9600;
    const code = CONTROLS[plain];
    return code === undefined ? undefined : (key << 8) | code;
  }
  const shift = isShifted(flags);
  if (key === KEY.tab && shift) return 0x0f00;
  const caps = (flags & SHIFT.caps) !== 0 && isLetter;
  const character = (shift !== caps ? SHIFTED : PLAIN)[key - FIRST_KEY]!;
  return character === "\0" ? undefined : word(key, character);
}
