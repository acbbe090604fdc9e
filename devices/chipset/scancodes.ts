/**
 * Keys by QEMU's names and what a keyboard sends for them in scan code set 2; the controller's translation to set 1.
 *
 * Left out: set 3, and the Pause key's break sequence in translated form.
 *
 * Source: [Keyboard Scan Code Specification] (Microsoft, 2000), appendix C; [IBM PS/2 HITR] "Keyboard Controller".
 *
 * @module
 */

/** Set 2 make codes; those with 0xe000 are sent after an E0. */
const MAKE_CODES = {
  esc: 0x76,
  f1: 0x05,
  f2: 0x06,
  f3: 0x04,
  f4: 0x0c,
  f5: 0x03,
  f6: 0x0b,
  f7: 0x83,
  f8: 0x0a,
  f9: 0x01,
  f10: 0x09,
  f11: 0x78,
  f12: 0x07,
  grave_accent: 0x0e,
  1: 0x16,
  2: 0x1e,
  3: 0x26,
  4: 0x25,
  5: 0x2e,
  6: 0x36,
  7: 0x3d,
  8: 0x3e,
  9: 0x46,
  0: 0x45,
  minus: 0x4e,
  equal: 0x55,
  backspace: 0x66,
  tab: 0x0d,
  q: 0x15,
  w: 0x1d,
  e: 0x24,
  r: 0x2d,
  t: 0x2c,
  y: 0x35,
  u: 0x3c,
  i: 0x43,
  o: 0x44,
  p: 0x4d,
  bracket_left: 0x54,
  bracket_right: 0x5b,
  backslash: 0x5d,
  caps_lock: 0x58,
  a: 0x1c,
  s: 0x1b,
  d: 0x23,
  f: 0x2b,
  g: 0x34,
  h: 0x33,
  j: 0x3b,
  k: 0x42,
  l: 0x4b,
  semicolon: 0x4c,
  apostrophe: 0x52,
  ret: 0x5a,
  shift: 0x12,
  less: 0x61,
  z: 0x1a,
  x: 0x22,
  c: 0x21,
  v: 0x2a,
  b: 0x32,
  n: 0x31,
  m: 0x3a,
  comma: 0x41,
  dot: 0x49,
  slash: 0x4a,
  shift_r: 0x59,
  ctrl: 0x14,
  alt: 0x11,
  spc: 0x29,
  num_lock: 0x77,
  scroll_lock: 0x7e,
  kp_multiply: 0x7c,
  kp_subtract: 0x7b,
  kp_add: 0x79,
  kp_decimal: 0x71,
  kp_0: 0x70,
  kp_1: 0x69,
  kp_2: 0x72,
  kp_3: 0x7a,
  kp_4: 0x6b,
  kp_5: 0x73,
  kp_6: 0x74,
  kp_7: 0x6c,
  kp_8: 0x75,
  kp_9: 0x7d,
  sysrq: 0x84,
  print: 0xe07c,
  pause: 0xe07e,
  ctrl_r: 0xe014,
  alt_r: 0xe011,
  meta_l: 0xe01f,
  meta_r: 0xe027,
  menu: 0xe02f,
  kp_enter: 0xe05a,
  kp_divide: 0xe04a,
  insert: 0xe070,
  delete: 0xe071,
  home: 0xe06c,
  end: 0xe069,
  pgup: 0xe07d,
  pgdn: 0xe07a,
  up: 0xe075,
  down: 0xe072,
  left: 0xe06b,
  right: 0xe074,
} as const;

/** A key: `"a"`, `"ret"`, `"shift_r"`. */
export type KeyName = keyof typeof MAKE_CODES;

/** Whether `name` is a key's. */
export function isKeyName(name: string): name is `${KeyName}` & KeyName {
  return Object.hasOwn(MAKE_CODES, name);
}

/** The key of that name; `undefined` where the keyboard has none. */
export function keyNamed(name: string): KeyName | undefined {
  return Object.hasOwn(MAKE_CODES, name) ? name as KeyName : undefined;
}

/** What the keyboard sends when `key` goes down or up: set 2. */
export function scanCodes(key: KeyName, down: boolean): number[] {
  const code = MAKE_CODES[key];
  return [...(code > 0xff ? [0xe0] : []), ...(down ? [] : [0xf0]), code & 0xff];
}

/** Keys that change what Print Screen and Pause send. */
export interface HeldKeys {
  readonly shift: boolean;
  readonly ctrl: boolean;
  readonly alt: boolean;
  readonly altRight: boolean;
}

/**
 * What the keyboard sends with those keys held: two keys bear two functions each, of which the first keyboards had the
 * one on a key of its own, and send what those did. As QEMU's keyboard.
 */
export function keySequence(key: KeyName, down: boolean, held: HeldKeys): number[] {
  if (key === "pause") {
    if (!down) return [];
    return held.ctrl ? [0xe0, 0x7e, 0xe0, 0xf0, 0x7e] : [0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77];
  }
  if (key !== "print") return scanCodes(key, down);
  if (held.alt || held.altRight) {
    const alt = held.altRight && !held.alt ? "alt_r" : "alt";
    const again = [...scanCodes(alt, false), ...scanCodes(alt, true)];
    return down ? [...again, ...scanCodes("sysrq", true)] : [...scanCodes("sysrq", false), ...again];
  }
  if (held.shift || held.ctrl) return scanCodes(key, down);
  return down ? [0xe0, 0x12, 0xe0, 0x7c] : [0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12];
}

/** Set 1 for each byte of set 2 below 80, sixteen in a row. */
const SET1_OF_SET2 = Uint8Array.fromHex(
  [
    "ff43413f3d3b3c58644442403e0f2959",
    "65382a701d10025a66712c1f1e11035b",
    "672e2d201205045c68392f211413065d",
    "693130232215075e6a7232241608095f",
    "6b332517180b0a606c34352627190c61",
    "6d7328741a0d626e3a361c1b752b6376",
    "55567778797a0e7b7c4f7d4b477e7f6f",
    "5253504c4d480145574e514a37494654",
  ].join(""),
);

/** The controller's translation of one byte of set 2 (not F0). */
export function translated(byte: number): number {
  if (byte === 0x83) return 0x41;
  if (byte === 0x84) return 0x54;
  return byte < SET1_OF_SET2.length ? SET1_OF_SET2[byte]! : byte;
}
