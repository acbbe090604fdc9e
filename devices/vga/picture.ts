/**
 * What a VGA shows, as RGB pixels, and the characters of its text modes.
 *
 * Nothing is kept between two pictures: each is made from registers and memory as they are, as QEMU's screendump shows
 * them. That draws no blinking and no underlined characters, and moves nothing by single pixels or lines (horizontal
 * panning, preset row scan). The cursor of text modes is shown where it is on; QEMU's is in its first screendump, and
 * comes and goes with those that are a quarter of a second apart.
 *
 * Source: [IBM VGA] "Display Support", "CRTC Registers", "Attribute Controller Registers".
 *
 * @module
 */
import { cp437 } from "./cp437.ts";
import type { DispiMode } from "./dispi.ts";
import type { VgaRegisters } from "./vga_registers.ts";

/** A picture: three bytes a pixel, red first, lines from the top. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** The parts of a card that a picture is made from. */
export interface Card {
  readonly registers: VgaRegisters;
  readonly memory: Uint8Array;
  readonly dispi: { readonly mode: DispiMode | undefined; readonly isDac8Bit: boolean };
}

/** A screen of characters. */
export interface TextScreen {
  readonly columns: number;
  readonly rows: number;
  /** One string a row, with blanks at its end cut off. */
  readonly lines: readonly string[];
  readonly cursor: { readonly column: number; readonly row: number } | undefined;
}

/** The characters of a text mode and how they look. */
export interface TextCells extends Omit<TextScreen, "lines"> {
  /** Two bytes a cell, from the top left: code and attribute. */
  readonly cells: Uint8Array;
}

/** What is shown before anybody sets a mode. */
const BLANK_WIDTH = 640;
const BLANK_HEIGHT = 480;
/** More pixels than this are a mode that makes no sense. */
const MAX_PIXELS = 2 ** 26;
/** And of characters: on its way from one mode to another a card may seem to have more. */
const MAX_CELLS = 160 * 100;

/** The picture. */
export function picture(card: Card): Picture {
  const mode = card.dispi.mode;
  if (!card.registers.isVisible && mode === undefined) return blank(BLANK_WIDTH, BLANK_HEIGHT);
  if (mode !== undefined) return wide(card, mode);
  if ((card.registers.state.graphics[6]! & 1) === 0) return text(card);
  return graphics(card);
}

/** Whether it is in a text mode and visible: its characters. */
export function textScreen(card: Card): TextScreen | undefined {
  if (!card.registers.isVisible || card.dispi.mode !== undefined) return undefined;
  if ((card.registers.state.graphics[6]! & 1) !== 0) return undefined;
  const { columns, rows, rowStart, cursorAt } = textGeometry(card);
  let cursor: TextScreen["cursor"];
  const lines: string[] = [];
  for (let row = 0; row < rows; row++) {
    let line = "";
    for (let column = 0; column < columns; column++) {
      const at = rowStart(row) + 4 * column;
      line += cp437(card.memory[at] ?? 0x20);
      if (at === cursorAt) cursor ??= { column, row };
    }
    lines.push(line.trimEnd());
  }
  return { columns, rows, lines, cursor };
}

/** As {@link textScreen}, with the attributes. */
export function textCells(card: Card): TextCells | undefined {
  const screen = textScreen(card);
  if (screen === undefined) return undefined;
  const { columns, rows, cursor } = screen;
  const { rowStart } = textGeometry(card);
  const cells = new Uint8Array(2 * columns * rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = rowStart(row) + 4 * column;
      cells[2 * (row * columns + column)] = card.memory[at] ?? 0x20;
      cells[2 * (row * columns + column) + 1] = card.memory[at + 1] ?? 7;
    }
  }
  return { columns, rows, cells, cursor };
}

/** How many pixels the picture of a graphics mode has; a text mode's size is its characters'. */
export function visibleSize(card: Card): { readonly width: number; readonly height: number } {
  const { mode } = card.dispi;
  if (mode !== undefined) return { width: mode.width, height: mode.height };
  return card.registers.isVisible ? graphicsSize(card) : { width: BLANK_WIDTH, height: BLANK_HEIGHT };
}

function graphicsSize({ registers }: Card): { readonly width: number; readonly height: number } {
  const { crtc, graphics, sequencer } = registers.state;
  const isWideDots = (graphics[5]! & 0x40) === 0 && (sequencer[1]! & 8) !== 0;
  return { width: (crtc[1]! + 1) * (isWideDots ? 16 : 8), height: displayedLines(crtc) };
}

function blank(width: number, height: number): Picture {
  return { width, height, pixels: new Uint8Array(3 * width * height) };
}

/** A DAC entry as it is seen: six bits widened so that all ones are 255 and steps are even, or eight as they are. */
function dacColours(card: Card): Uint8Array {
  const { palette } = card.registers.state;
  if (card.dispi.isDac8Bit) return palette.slice();
  return palette.map((part) => ((part & 0x3f) << 2) | ((part & 1) * 3));
}

/** The DAC entries of the sixteen colours. */
function sixteenColours(card: Card): Uint8Array {
  const { attribute } = card.registers.state;
  const dac = dacColours(card);
  const colours = new Uint8Array(48);
  const select = attribute[0x14]!;
  for (let i = 0; i < 16; i++) {
    const value = attribute[i]!;
    const entry = (attribute[0x10]! & 0x80) !== 0
      ? ((select & 0x0f) << 4) | (value & 0x0f)
      : ((select & 0x0c) << 4) | (value & 0x3f);
    colours.set(dac.subarray(entry * 3, entry * 3 + 3), i * 3);
  }
  return colours;
}

/** Lines on the screen. */
function displayedLines(crtc: Uint8Array): number {
  return (crtc[0x12]! | ((crtc[7]! & 0x02) << 7) | ((crtc[7]! & 0x40) << 3)) + 1;
}

/** Below this line of the screen memory is shown from its beginning. */
function splitLine(crtc: Uint8Array): number {
  return crtc[0x18]! | ((crtc[7]! & 0x10) << 4) | ((crtc[9]! & 0x40) << 3);
}

function startByte(crtc: Uint8Array): number {
  return ((crtc[0x0c]! << 8) | crtc[0x0d]!) * 4;
}

function textGeometry({ registers }: Card) {
  const { crtc } = registers.state;
  const cellHeight = (crtc[9]! & 0x1f) + 1;
  const columns = crtc[1]! + 1;
  const rows = Math.floor(displayedLines(crtc) / cellHeight);
  const start = startByte(crtc);
  const lineBytes = crtc[0x13]! << 3;
  // At 0 nothing is split: QEMU looks between two rows.
  const splitRow = Math.ceil(splitLine(crtc) / cellHeight) || Infinity;
  const rowStart = (row: number) => row < splitRow ? start + row * lineBytes : (row - splitRow) * lineBytes;
  const shape = { first: crtc[0x0a]! & 0x1f, last: Math.min(crtc[0x0b]! & 0x1f, cellHeight - 1) };
  const isOn = (crtc[0x0a]! & 0x20) === 0 && shape.first <= shape.last;
  const cursorAt = isOn ? ((crtc[0x0e]! << 8) | crtc[0x0f]!) * 4 : -1;
  return { cellHeight, columns, rows, rowStart, cursorAt, shape };
}

/** Where the two fonts begin in memory: bytes of plane 2. */
function fontStarts(mapSelect: number): [low: number, high: number] {
  const block = (a: number, b: number) => ((a & 1) | ((b << 1) & 6)) * 8192 * 4 + 2;
  return [block(mapSelect >> 4, mapSelect), block(mapSelect >> 5, mapSelect >> 2)];
}

function text(card: Card): Picture {
  const { memory, registers } = card;
  const { attribute, sequencer } = registers.state;
  const { columns, rows, cellHeight, rowStart, cursorAt, shape } = textGeometry(card);
  const dots = (sequencer[1]! & 8) !== 0 || (sequencer[1]! & 1) !== 0 ? 8 : 9;
  const scale = (sequencer[1]! & 8) !== 0 ? 2 : 1;
  const width = columns * dots * scale;
  const height = rows * cellHeight;
  if (width * height > MAX_PIXELS || rows === 0 || columns * rows > MAX_CELLS) return blank(BLANK_WIDTH, BLANK_HEIGHT);
  const { pixels } = blank(width, height);
  const colours = sixteenColours(card);
  const fonts = fontStarts(sequencer[3]!);
  const joinsLines = (attribute[0x10]! & 0x04) !== 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = rowStart(row) + 4 * column;
      const code = memory[at] ?? 0;
      const look = memory[at + 1] ?? 0;
      const glyph = fonts[(look >> 3) & 1]! + code * 32 * 4;
      const isCursor = at === cursorAt;
      for (let y = 0; y < cellHeight; y++) {
        const isFilled = isCursor && y >= shape.first && y <= shape.last;
        const bits = isFilled ? 0xff : memory[glyph + 4 * y] ?? 0;
        // The ninth column of line drawing characters repeats the eighth.
        const ninth = isFilled || (joinsLines && code >= 0xb0 && code <= 0xdf) ? bits & 1 : 0;
        let pixel = 3 * ((row * cellHeight + y) * width + column * dots * scale);
        for (let x = 0; x < dots * scale; x++) {
          const dot = scale === 2 ? x >> 1 : x;
          const isSet = dot < 8 ? (bits >> (7 - dot)) & 1 : ninth;
          const colour = 3 * (isSet ? look & 15 : look >> 4);
          pixels[pixel++] = colours[colour]!;
          pixels[pixel++] = colours[colour + 1]!;
          pixels[pixel++] = colours[colour + 2]!;
        }
      }
    }
  }
  return { width, height, pixels };
}

/** How pixels come out of memory: `count` of them from `address` on, as indices into a palette. */
type LineReader = (address: number, into: Uint8Array, count: number) => void;

/** Four planes, a bit of each a pixel. */
function planarReader(memory: Uint8Array, enabled: number): LineReader {
  return (address, into, count) => {
    for (let x = 0; x < count; x++) {
      const at = address + 4 * (x >> 3);
      const shift = 7 - (x & 7);
      let index = 0;
      for (let plane = 0; plane < 4; plane++) index |= (((memory[at + plane] ?? 0) >> shift) & 1) << plane;
      into[x] = index & enabled;
    }
  };
}

/** CGA's way: two bits a pixel from planes 0 and 1 in turn, and two more from planes 2 and 3. */
function twoBitReader(memory: Uint8Array, enabled: number): LineReader {
  return (address, into, count) => {
    for (let x = 0; x < count; x++) {
      const plane = (x >> 2) & 1;
      const at = address + 4 * (x >> 3) + plane;
      const shift = 6 - 2 * (x & 3);
      const low = (enabled & (1 << plane)) === 0 ? 0 : ((memory[at] ?? 0) >> shift) & 3;
      const high = (enabled & (4 << plane)) === 0 ? 0 : ((memory[at + 2] ?? 0) >> shift) & 3;
      into[x] = low | (high << 2);
    }
  };
}

function byteReader(memory: Uint8Array): LineReader {
  return (address, into, count) => {
    for (let x = 0; x < count; x++) into[x] = memory[address + x] ?? 0;
  };
}

/** Graphics modes of VGA: 16 colours, 4 colours, 256 colours. */
function graphics(card: Card): Picture {
  const { memory, registers } = card;
  const { crtc, graphics, sequencer, attribute } = registers.state;
  const shift = (graphics[5]! >> 5) & 3;
  const isDoubled = shift >= 2 || (sequencer[1]! & 8) !== 0;
  const { width, height } = graphicsSize(card);
  const { pixels } = blank(width, height);
  const enabled = attribute[0x12]! & 15;
  const colours = shift >= 2 ? dacColours(card) : sixteenColours(card);
  const reader = shift >= 2
    ? byteReader(memory)
    : shift === 1
    ? twoBitReader(memory, enabled)
    : planarReader(memory, enabled);
  const doubleScan = crtc[9]! >> 7;
  const isCga = (crtc[0x17]! & 1) === 0;
  const repeat = (isCga ? 1 : (crtc[9]! & 0x1f) + 1) << doubleScan;
  const lineBytes = crtc[0x13]! << 3;
  const lineCompare = splitLine(crtc);
  const indices = new Uint8Array(isDoubled ? width >> 1 : width);
  let line = startByte(crtc);
  let scan = 0;
  // Row scan counter: in CGA's modes its lowest bits choose the bank, not the repetition.
  let sourceLine = 0;
  for (let y = 0; y < height; y++) {
    reader(interleaved(line, sourceLine, crtc[0x17]!), indices, indices.length);
    paint(pixels, 3 * y * width, indices, colours, isDoubled);
    if (++scan === repeat) {
      scan = 0;
      const mask = (crtc[0x17]! & 3) ^ 3;
      if ((sourceLine & mask) === mask) line += lineBytes;
      sourceLine++;
    }
    // The row scan counter goes on, as QEMU's does.
    if (y === lineCompare) line = 0;
  }
  return { width, height, pixels };
}

/** Where mode control says so, row scan bits stand in for address bits 13 and 14. */
function interleaved(address: number, line: number, modeControl: number): number {
  let at = address;
  if ((modeControl & 1) === 0) {
    const shift = 14 + ((modeControl >> 6) & 1);
    at = (at & ~(1 << shift)) | ((line & 1) << shift);
  }
  return (modeControl & 2) === 0 ? (at & ~0x8000) | ((line & 2) << 14) : at;
}

function paint(pixels: Uint8Array, from: number, indices: Uint8Array, colours: Uint8Array, isDoubled: boolean): void {
  let at = from;
  for (const index of indices) {
    for (let i = isDoubled ? 2 : 1; i > 0; i--) {
      pixels[at++] = colours[3 * index]!;
      pixels[at++] = colours[3 * index + 1]!;
      pixels[at++] = colours[3 * index + 2]!;
    }
  }
}

/** Modes of the Bochs display interface. */
function wide(card: Card, mode: DispiMode): Picture {
  const { width, height, bits, lineBytes, startByte } = mode;
  if (width * height > MAX_PIXELS) return blank(BLANK_WIDTH, BLANK_HEIGHT);
  const { memory } = card;
  const { pixels } = blank(width, height);
  if (bits <= 8) {
    const reader = bits === 4 ? planarReader(memory, card.registers.state.attribute[0x12]! & 15) : byteReader(memory);
    const colours = bits === 4 ? sixteenColours(card) : dacColours(card);
    const indices = new Uint8Array(width);
    for (let y = 0; y < height; y++) {
      reader(startByte + y * lineBytes * (bits === 4 ? 4 : 1), indices, width);
      paint(pixels, 3 * y * width, indices, colours, false);
    }
    return { width, height, pixels };
  }
  const step = (bits + 7) >> 3;
  for (let y = 0; y < height; y++) {
    let at = startByte + y * lineBytes;
    let pixel = 3 * y * width;
    for (let x = 0; x < width; x++, at += step, pixel += 3) {
      const low = memory[at] ?? 0;
      const high = memory[at + 1] ?? 0;
      if (step > 2) {
        pixels[pixel] = memory[at + 2] ?? 0;
        pixels[pixel + 1] = high;
        pixels[pixel + 2] = low;
        continue;
      }
      const word = low | (high << 8);
      // With fifteen bits QEMU leaves the lower bits of each part at 0.
      pixels[pixel] = bits === 15 ? (word >> 7) & 0xf8 : widen5(word >> 11);
      pixels[pixel + 1] = bits === 15 ? (word >> 2) & 0xf8 : ((word >> 3) & 0xfc) | ((word >> 9) & 3);
      pixels[pixel + 2] = bits === 15 ? (word << 3) & 0xf8 : widen5(word & 31);
    }
  }
  return { width, height, pixels };
}

function widen5(value: number): number {
  return (value << 3) | (value >> 2);
}
