/**
 * Int 10h: modes, and text on the screen, by way of the VGA's memory and registers. Dots, fonts and VESA modes are in
 * files of their own.
 *
 * Left out: light pens, saving and restoring of the video state (1Ch), grey scales.
 *
 * Source: [IBM VGA TR] "BIOS" ; Ralf Brown's Interrupt List, INT 10h.
 *
 * @module
 */
import { type FirmwareCall, linear } from "./call.ts";
import { BDA, type FirmwareSite } from "./site.ts";
import { type TextWindow, VideoDots } from "./video_dots.ts";
import { VideoFonts } from "./video_fonts.ts";
import { paletteOf, registerValues, VIDEO_MODES, type VideoMode } from "./video_modes.ts";

const TEXT = 0xb8000;
const GRAPHICS = 0xa0000;
const GRAPHICS_BYTES = 0x10000;
const CGA_BYTES = 0x4000;
const CELL_BYTES = 2;
const PORT = {
  attributes: 0x3c0,
  misc: 0x3c2,
  sequencer: 0x3c4,
  palette: 0x3c8,
  graphics: 0x3ce,
  crtc: 0x3d4,
} as const;
/** The Bochs display interface, and its register that switches modes beyond VGA on and off. */
const DISPI = { index: 0x1ce, data: 0x1cf, enable: 4 } as const;
const INPUT_STATUS = 0x3da;
const SERIAL = 0x3f8;
const GREY_ON_BLACK = 0x07;
const MAX_COLUMNS = 160;
/** Characters of a string that are written before others have a turn. */
const STRING_PIECE = 8;
const BLANK = 0x20;
/** A display of a VGA with colours. */
const DISPLAY_CODE = 0x08;

/** The service. */
export class VideoService {
  readonly #site: FirmwareSite;
  readonly #fonts: VideoFonts;
  readonly #dots: VideoDots;

  constructor(site: FirmwareSite) {
    this.#site = site;
    this.#fonts = new VideoFonts(site);
    this.#dots = new VideoDots(site);
  }

  /** Sets a mode, and ends a VESA mode; one that is not known leaves all as it is, and `false` is the answer. */
  setMode(number: number): boolean {
    const mode = VIDEO_MODES.find((one) => one.number === (number & 0x7f));
    if (mode === undefined) return false;
    const { memory } = this.#site;
    this.#site.ports.writeValue(DISPI.index, 2, DISPI.enable);
    this.#site.ports.writeValue(DISPI.data, 2, 0);
    this.#programRegisters(mode);
    memory.writeValue(BDA.videoMode, 1, mode.number);
    memory.writeValue(BDA.columns, 2, mode.columns);
    memory.writeValue(BDA.pageBytes, 2, mode.pageBytes);
    memory.writeValue(BDA.pageStart, 2, 0);
    memory.write(BDA.cursors, new Uint8Array(16));
    memory.writeValue(BDA.cursorShape, 2, 0x0607);
    memory.writeValue(BDA.page, 1, 0);
    memory.writeValue(BDA.crtcPort, 2, PORT.crtc);
    memory.writeValue(BDA.rows, 1, mode.rows - 1);
    this.#fonts.start(mode.characterHeight, mode.kind === "text");
    if ((number & 0x80) !== 0) return true;
    if (mode.kind === "text") this.#fill(0, mode.columns * mode.rows * 4, BLANK, GREY_ON_BLACK);
    else if (mode.kind === "pairs" || mode.kind === "bits") memory.write(TEXT, new Uint8Array(CGA_BYTES));
    else memory.write(GRAPHICS, new Uint8Array(GRAPHICS_BYTES));
    return true;
  }

  /** Writes text at the cursor, as a typewriter does. */
  print(text: string): void {
    for (const character of text) this.#teletype(character.charCodeAt(0));
  }

  /** Int 10h. */
  call(call: FirmwareCall): void | "again" {
    const { memory } = this.#site;
    switch (call.ah) {
      case 0x00:
        this.setMode(call.al);
        return;
      case 0x01:
        memory.writeValue(BDA.cursorShape, 2, call.cx);
        this.#setIndexed(PORT.crtc, 0x0a, call.ch);
        return this.#setIndexed(PORT.crtc, 0x0b, call.cl);
      case 0x02:
        return this.#setCursor(call.bh, call.dl, call.dh);
      case 0x03:
        call.dx = memory.readValue(BDA.cursors + (call.bh & 7) * 2, 2);
        call.cx = memory.readValue(BDA.cursorShape, 2);
        return;
      case 0x05:
        return this.#showPage(call.al & 7);
      case 0x06:
      case 0x07:
        return this.#scroll(call.ah === 0x06 ? "up" : "down", call.al, call.bh, {
          top: call.ch,
          left: call.cl,
          bottom: call.dh,
          right: call.dl,
        });
      case 0x08: {
        const [column, row] = this.#cursor(call.bh);
        call.ax = this.#graphics() === undefined ? memory.readValue(this.#cell(call.bh, column, row), 2) : 0;
        return;
      }
      case 0x09:
      case 0x0a: {
        const [column, row] = this.#cursor(call.bh);
        const mode = this.#graphics();
        if (mode !== undefined) {
          const count = Math.min(call.cx, mode.columns - column);
          for (let i = 0; i < count; i++) this.#dots.draw(mode, call.bh, column + i, row, call.al, call.bl);
          return;
        }
        const start = this.#cell(call.bh, column, row);
        for (let i = 0; i < call.cx; i++) {
          memory.writeValue(start + i * CELL_BYTES, 1, call.al);
          if (call.ah === 0x09) memory.writeValue(start + i * CELL_BYTES + 1, 1, call.bl);
        }
        return;
      }
      case 0x0b:
        return this.#cgaColours(call);
      case 0x0c:
      case 0x0d: {
        const mode = this.#graphics();
        if (mode === undefined) return;
        if (call.ah === 0x0c) this.#dots.set(mode, call.bh, call.cx, call.dx, call.al);
        else call.al = this.#dots.get(mode, call.bh, call.cx, call.dx);
        return;
      }
      case 0x0e:
        return this.#teletype(call.al, undefined, undefined, call.bl);
      case 0x0f:
        call.ax = (memory.readValue(BDA.columns, 1) << 8) | memory.readValue(BDA.videoMode, 1);
        call.bh = memory.readValue(BDA.page, 1);
        return;
      case 0x10:
        return this.#palette(call);
      case 0x11:
        return this.#fonts.call(call);
      case 0x12:
        if (call.bl !== 0x10) return;
        call.bx = 0x0003;
        call.cx = 0x0009;
        return;
      case 0x13:
        return this.#writeString(call);
      case 0x1a:
        if (call.al === 0x00) call.bx = DISPLAY_CODE;
        call.al = 0x1a;
        return;
    }
  }

  /** A few characters at a time: each may scroll a screen of dots. */
  #writeString(call: FirmwareCall): void | "again" {
    const { memory } = this.#site;
    if (call.memo === 0) {
      const [column, row] = this.#cursor(call.bh);
      call.memo = ((row << 8) | column) * 0x1_0000;
      this.#setCursor(call.bh, call.dl, call.dh);
    }
    // Where the cursor was, and how many characters are written.
    const [before, done] = [Math.floor(call.memo / 0x1_0000), call.memo % 0x1_0000];
    const perCharacter = (call.al & 2) !== 0;
    const start = linear(call.es, call.bp);
    const end = Math.min(call.cx, done + STRING_PIECE);
    for (let i = done; i < end; i++) {
      const at = start + i * (perCharacter ? 2 : 1);
      const attribute = perCharacter ? memory.readValue(at + 1, 1) : call.bl;
      this.#teletype(memory.readValue(at, 1), call.bh, attribute);
    }
    if (end < call.cx) {
      call.memo = before * 0x1_0000 + end;
      return "again";
    }
    if ((call.al & 1) === 0) this.#setCursor(call.bh, before & 0xff, before >> 8);
  }

  #teletype(
    code: number,
    page = this.#site.memory.readValue(BDA.page, 1),
    attribute?: number,
    colour = attribute ?? GREY_ON_BLACK,
  ): void {
    const { memory, ports, toSerial } = this.#site;
    if (toSerial) ports.writeValue(SERIAL, 1, code);
    let [column, row] = this.#cursor(page);
    const columns = this.#columns;
    switch (code) {
      case 0x07:
        return;
      case 0x08:
        column = Math.max(0, column - 1);
        break;
      case 0x0a:
        row++;
        break;
      case 0x0d:
        column = 0;
        break;
      default:
        this.#put(page, column, row, code, attribute, colour);
        column++;
    }
    if (column >= columns) {
      column = 0;
      row++;
    }
    const last = this.#lastRow;
    if (row > last) {
      row = last;
      const under = this.#graphics() === undefined ? memory.readValue(this.#cell(page, 0, last) + 1, 1) : 0;
      this.#scroll("up", 1, under, { top: 0, left: 0, bottom: last, right: columns - 1 });
    }
    this.#setCursor(page, column, row);
  }

  #scroll(
    direction: "up" | "down",
    lines: number,
    attribute: number,
    window: TextWindow,
  ): void {
    const { memory } = this.#site;
    const columns = this.#columns;
    const { top, left } = window;
    const bottom = Math.min(window.bottom, this.#lastRow);
    const right = Math.min(window.right, columns - 1);
    if (bottom < top || right < left) return;
    const page = memory.readValue(BDA.page, 1);
    const count = bottom - top + 1;
    const by = lines === 0 || lines > count ? count : lines;
    const mode = this.#graphics();
    if (mode !== undefined) return this.#dots.scroll(mode, direction, by, attribute, { top, left, bottom, right });
    const line = new Uint8Array((right - left + 1) * CELL_BYTES);
    const blank = Uint8Array.from(line, (_, i) => i % 2 === 0 ? BLANK : attribute);
    for (let i = 0; i < count; i++) {
      const to = direction === "up" ? top + i : bottom - i;
      const from = direction === "up" ? to + by : to - by;
      const inside = from >= top && from <= bottom;
      if (inside) memory.read(this.#cell(page, left, from), line);
      memory.write(this.#cell(page, left, to), inside ? line : blank);
    }
  }

  #put(page: number, column: number, row: number, code: number, attribute: number | undefined, colour: number): void {
    const { memory } = this.#site;
    const mode = this.#graphics();
    if (mode !== undefined) return this.#dots.draw(mode, page, column, row, code, colour);
    const at = this.#cell(page, column, row);
    memory.writeValue(at, 1, code);
    if (attribute !== undefined) memory.writeValue(at + 1, 1, attribute);
  }

  /** The mode, where it is one of graphics that VGA has; a VESA mode shows no text. */
  #graphics(): VideoMode | undefined {
    const number = this.#site.memory.readValue(BDA.videoMode, 1);
    const mode = VIDEO_MODES.find((one) => one.number === number);
    return mode === undefined || mode.kind === "text" ? undefined : mode;
  }

  /** The ground (BH 0) or one of two sets of colours (BH 1) of CGA's 320 by 200 dots. */
  #cgaColours(call: FirmwareCall): void {
    if (call.bh === 0) return this.#setAttribute(0, (call.bl & 0x07) | ((call.bl & 0x08) << 1));
    const set = (call.bl & 1) === 0 ? [0x12, 0x14, 0x16] : [0x13, 0x15, 0x17];
    if (call.bh === 1) { for (const [i, value] of set.entries()) this.#setAttribute(1 + i, value); }
  }

  #palette(call: FirmwareCall): void {
    const { memory, ports } = this.#site;
    switch (call.al) {
      case 0x00:
        return this.#setAttribute(call.bl & 0x1f, call.bh);
      case 0x01:
        return this.#setAttribute(0x11, call.bh);
      case 0x10:
        ports.writeValue(PORT.palette, 1, call.bl);
        for (const value of [call.dh, call.ch, call.cl]) ports.writeValue(PORT.palette + 1, 1, value);
        return;
      case 0x12: {
        ports.writeValue(PORT.palette, 1, call.bl);
        const start = linear(call.es, call.dx);
        const count = Math.min(call.cx, 256) * 3;
        for (let i = 0; i < count; i++) ports.writeValue(PORT.palette + 1, 1, memory.readValue(start + i, 1));
      }
    }
  }

  #programRegisters(mode: VideoMode): void {
    const { ports } = this.#site;
    ports.writeValue(PORT.misc, 1, mode.misc);
    for (const [i, value] of registerValues(mode.sequencer).entries()) this.#setIndexed(PORT.sequencer, i, value);
    // The lock on the first registers lies in bit 7 of the eighteenth.
    this.#setIndexed(PORT.crtc, 0x11, 0);
    for (const [i, value] of registerValues(mode.crtc).entries()) this.#setIndexed(PORT.crtc, i, value);
    for (const [i, value] of registerValues(mode.graphics).entries()) this.#setIndexed(PORT.graphics, i, value);
    for (const [i, value] of registerValues(mode.attributes).entries()) this.#setAttribute(i, value);
    ports.readValue(INPUT_STATUS, 1);
    ports.writeValue(PORT.attributes, 1, 0x20);
    ports.writeValue(0x3c6, 1, 0xff);
    ports.writeValue(PORT.palette, 1, 0);
    for (const value of paletteOf(mode)) ports.writeValue(PORT.palette + 1, 1, value);
  }

  #showPage(page: number): void {
    const { memory } = this.#site;
    const start = page * memory.readValue(BDA.pageBytes, 2);
    memory.writeValue(BDA.page, 1, page);
    memory.writeValue(BDA.pageStart, 2, start);
    this.#setIndexed(PORT.crtc, 0x0c, (start >> 9) & 0xff);
    this.#setIndexed(PORT.crtc, 0x0d, (start >> 1) & 0xff);
    this.#setCursor(page, ...this.#cursor(page));
  }

  /** A program may have written any number there; a screen that wide would take for ever to scroll. */
  get #columns(): number {
    return Math.min(MAX_COLUMNS, this.#site.memory.readValue(BDA.columns, 2));
  }

  get #lastRow(): number {
    return this.#site.memory.readValue(BDA.rows, 1);
  }

  #cursor(page: number): [column: number, row: number] {
    const both = this.#site.memory.readValue(BDA.cursors + (page & 7) * 2, 2);
    return [both & 0xff, both >> 8];
  }

  #setCursor(page: number, column: number, row: number): void {
    const { memory } = this.#site;
    memory.writeValue(BDA.cursors + (page & 7) * 2, 2, (row << 8) | column);
    if (page !== memory.readValue(BDA.page, 1)) return;
    const cell = (this.#cell(page, column, row) - TEXT) / CELL_BYTES;
    this.#setIndexed(PORT.crtc, 0x0e, (cell >> 8) & 0xff);
    this.#setIndexed(PORT.crtc, 0x0f, cell & 0xff);
  }

  #cell(page: number, column: number, row: number): number {
    const { memory } = this.#site;
    const columns = this.#columns;
    return TEXT + (page & 7) * memory.readValue(BDA.pageBytes, 2) + (row * columns + column) * CELL_BYTES;
  }

  #fill(start: number, cells: number, character: number, attribute: number): void {
    this.#site.memory.write(
      TEXT + start,
      Uint8Array.from({ length: cells * CELL_BYTES }, (_, i) => i % 2 === 0 ? character : attribute),
    );
  }

  #setIndexed(port: number, index: number, value: number): void {
    this.#site.ports.writeValue(port, 1, index);
    this.#site.ports.writeValue(port + 1, 1, value);
  }

  #setAttribute(index: number, value: number): void {
    const { ports } = this.#site;
    // Reading the status makes the next write the index; 20h keeps the display on.
    ports.readValue(INPUT_STATUS, 1);
    ports.writeValue(PORT.attributes, 1, index | 0x20);
    ports.writeValue(PORT.attributes, 1, value);
  }
}
