/**
 * A card on a bare machine, for tests of this folder, and modes as tables of registers.
 *
 * @module
 */
import { type TestMachine, testMachine } from "../bus/testing.ts";
import { Vga } from "./vga.ts";

export interface VgaMachine extends TestMachine {
  readonly vga: Vga;
}

export async function vgaMachine(): Promise<VgaMachine> {
  const machine = testMachine();
  const vga = new Vga(machine);
  await vga.realize(machine.pci);
  await vga.reset();
  return { ...machine, vga };
}

/** An access: a byte to a port or to memory. */
export interface Access {
  readonly kind: "out" | "out16" | "store";
  readonly at: number;
  readonly value: number;
}

const out = (at: number, value: number): Access => ({ kind: "out", at, value });

/** How a mode is set: miscellaneous output, then sequencer, CRTC, graphics and attribute controllers from index 0. */
export function setMode(misc: number, sequencer: string, crtc: string, graphics: string, attribute: string): Access[] {
  const each = (text: string, write: (index: number, value: number) => Access[]) =>
    [...Uint8Array.fromHex(text)].flatMap((value, index) => write(index, value));
  return [
    out(0x3c2, misc),
    ...each(sequencer, (index, value) => [out(0x3c4, index), out(0x3c5, value)]),
    out(0x3d4, 0x11),
    out(0x3d5, 0x00),
    ...each(crtc, (index, value) => [out(0x3d4, index), out(0x3d5, value)]),
    ...each(graphics, (index, value) => [out(0x3ce, index), out(0x3cf, value)]),
    ...each(attribute, (index, value) => [out(0x3c0, index), out(0x3c0, value)]),
    out(0x3c0, 0x20),
  ];
}

/** Colours of the DAC: six bits each, all different. */
export function setPalette(): Access[] {
  const accesses = [out(0x3c8, 0)];
  for (let i = 0; i < 256; i++) {
    accesses.push(out(0x3c9, (i * 5) & 63), out(0x3c9, (i * 11 + 7) & 63), out(0x3c9, (i * 23 + 30) & 63));
  }
  return accesses;
}

const ATTRIBUTES = "000102030405140738393a3b3c3d3e3f";

/** 80 by 25 characters in 720 by 400 pixels. */
export const TEXT_MODE = setMode(
  0x67,
  "0300030002",
  "5f4f50558255bf1f004f0d0e00000000" + "9c8e8f281f96b9a3ff",
  "0000000000100e0fff",
  `${ATTRIBUTES}0c000f0800`,
);
/** 640 by 480 in 16 colours. */
export const PLANAR_MODE = setMode(
  0xe3,
  "03010f0006",
  "5f4f50825480" + "0b3e00400000000000" + "00" + "ea8cdf2800e704e3ff",
  "000000000000050fff",
  `${ATTRIBUTES}01000f0000`,
);
/** 320 by 200 in 256 colours. */
export const BYTES_MODE = setMode(
  0x63,
  "03010f000e",
  "5f4f508254" + "80bf1f00410000000000" + "00" + "9c8e8f284096b9a3ff",
  "000000000040050fff",
  "000102030405060708090a0b0c0d0e0f41000f0000",
);

/** 40 by 25 characters, each dot two pixels wide, moved to the left by three, with blinking instead of bright backgrounds. */
export const WIDE_TEXT_MODE = setMode(
  0x67,
  "0308030002",
  "2d2728902ba0bf1f054f0d0e00000000" + "9c8e8f141f96b9a3ff",
  "0000000000100e0fff",
  `${ATTRIBUTES}0c000f0300`,
);
/** 80 by 25 characters as on a monochrome display, whose ports it has, with underlining. */
export const MONO_TEXT_MODE = [
  ...setMode(
    0x67,
    "0300030002",
    "5f4f50558255bf1f004f2d0e00000000" + "9c8e8f280d96b9a3ff",
    "0000000000100a0fff",
    "00080808080808081018181818181818" + "0e000f0800",
  ),
  out(0x3c2, 0x66),
];
/** CGA's 320 by 200 in four colours. */
export const FOUR_COLOUR_MODE = setMode(
  0x63,
  "0309030002",
  "2d2728902b80bf1f00c1000000000000" + "9c8e8f140096b9a2ff",
  "0000000000300f0fff",
  "001315170204060710111213141516170100030000",
);
/** CGA's 640 by 200 in two colours. */
export const TWO_COLOUR_MODE = setMode(
  0x63,
  "0301010006",
  "5f4f50825480bf1f00c1000000000000" + "9c8e8f280096b9c2ff",
  "0000000000000d0fff",
  "001717171717171717171717171717170100010000",
);
/** EGA's 320 by 200 in 16 colours. */
export const EGA_MODE = setMode(
  0x63,
  "03090f0006",
  "2d2728902b80bf1f00c0000000000000" + "9c8e8f140096b9e3ff",
  "000000000000050fff",
  "0001020304050607101112131415161701000f0300",
);

/** Makes the accesses on `machine`. */
export function play(machine: TestMachine, accesses: readonly Access[]): void {
  for (const { kind, at, value } of accesses) {
    if (kind === "store") machine.memory.writeValue(at, 1, value);
    else machine.out(at, value, kind === "out" ? 1 : 2);
  }
}
