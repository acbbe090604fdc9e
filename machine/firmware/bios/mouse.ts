/**
 * Int 15h, functions C2xxh: the PS/2 mouse behind the keyboard controller. The ROM's interrupt 74h gathers its bytes and
 * calls the program's handler with them.
 *
 * Left out: raw access to the device (08h, 09h).
 *
 * Source: [IBM PS/2 BIOS] "INT 15h, Pointing Device Interface"; Ralf Brown's Interrupt List, INT 15h, AH=C2h.
 *
 * @module
 */
import type { FirmwareCall } from "./call.ts";
import { EXTENDED_AREA, type FirmwareSite } from "./site.ts";

const DATA = 0x60;
const COMMAND = 0x64;
const CONTROLLER = { writeMode: 0x60, putKey: 0xd2, toMouse: 0xd4 } as const;
const MODE = { keyInterrupt: 0x01, mouseInterrupt: 0x02, keysOff: 0x10, mouseOff: 0x20 } as const;
const FULL = 0x01;
const FROM_MOUSE = 0x20;
const MOUSE = {
  one: 0xe6,
  two: 0xe7,
  resolution: 0xe8,
  status: 0xe9,
  identify: 0xf2,
  rate: 0xf3,
  on: 0xf4,
  off: 0xf5,
  reset: 0xff,
} as const;
const ACKNOWLEDGED = 0xfa;
const RATES = [10, 20, 40, 60, 80, 100, 200];
const ERROR = { function: 1, input: 2, interface: 3, noHandler: 5 } as const;
const HANDLER_SET = 0x80;
/** More than all queues hold. */
const MOST_BYTES = 64;

/** The functions. */
export class MouseService {
  readonly #site: FirmwareSite;

  constructor(site: FirmwareSite) {
    this.#site = site;
  }

  /** Function C2h; AL says which. */
  call(call: FirmwareCall): void {
    const error = this.#serve(call);
    call.ah = error ?? 0;
    call.carry = error !== undefined;
  }

  #serve(call: FirmwareCall): number | undefined {
    switch (call.al) {
      case 0x00:
        return this.#enable(call.bh);
      case 0x01:
        return this.#reset(call);
      case 0x02:
        return call.bh < RATES.length ? this.#send(MOUSE.rate, RATES[call.bh]!).error : ERROR.input;
      case 0x03:
        return call.bh < 4 ? this.#send(MOUSE.resolution, call.bh).error : ERROR.input;
      case 0x04: {
        const { error, answer } = this.#send(MOUSE.identify);
        call.bh = answer[0] ?? 0;
        return error;
      }
      case 0x05:
        if (call.bh < 1 || call.bh > 8) return ERROR.input;
        this.#setFlags((this.#flags & HANDLER_SET) | (call.bh - 1));
        return this.#reset(call);
      case 0x06: {
        if (call.bh === 1) return this.#send(MOUSE.one).error;
        if (call.bh === 2) return this.#send(MOUSE.two).error;
        if (call.bh !== 0) return ERROR.input;
        const { error, answer } = this.#send(MOUSE.status);
        [call.bl, call.cl, call.dl] = [answer[0] ?? 0, answer[1] ?? 0, answer[2] ?? 0];
        return error;
      }
      case 0x07:
        this.#site.memory.writeValue(EXTENDED_AREA.mouseHandler, 2, call.bx);
        this.#site.memory.writeValue(EXTENDED_AREA.mouseHandler + 2, 2, call.es);
        this.#setFlags((this.#flags & ~HANDLER_SET) | (call.bx === 0 && call.es === 0 ? 0 : HANDLER_SET));
        return undefined;
      default:
        return ERROR.function;
    }
  }

  #enable(wanted: number): number | undefined {
    if (wanted > 1) return ERROR.input;
    if (wanted === 1 && (this.#flags & HANDLER_SET) === 0) return ERROR.noHandler;
    const { error } = this.#send(wanted === 1 ? MOUSE.on : MOUSE.off);
    const { memory } = this.#site;
    const mode = memory.readValue(EXTENDED_AREA.keyboardMode, 1);
    const after = wanted === 1
      ? (mode | MODE.mouseInterrupt) & ~MODE.mouseOff
      : (mode & ~MODE.mouseInterrupt) | MODE.mouseOff;
    memory.writeValue(EXTENDED_AREA.keyboardMode, 1, after);
    this.#setMode(after);
    return error;
  }

  #reset(call: FirmwareCall): number | undefined {
    this.#site.memory.writeValue(EXTENDED_AREA.mouseIndex, 1, 0);
    const { error, answer } = this.#send(MOUSE.reset);
    call.bl = answer[0] ?? 0;
    call.bh = answer[1] ?? 0;
    return error;
  }

  /** Gives the mouse a command and its argument; what it answers behind its acknowledgements. */
  #send(...bytes: number[]): { error: number | undefined; answer: number[] } {
    const { ports } = this.#site;
    // A key that waits to be taken is put back in the end.
    const isKey = (ports.readValue(COMMAND, 1) & (FULL | FROM_MOUSE)) === FULL;
    const key = isKey ? ports.readValue(DATA, 1) : undefined;
    const mode = this.#site.memory.readValue(EXTENDED_AREA.keyboardMode, 1);
    this.#setMode((mode & ~MODE.keyInterrupt & ~MODE.mouseInterrupt & ~MODE.mouseOff) | MODE.keysOff);
    this.#drain();
    let answer: number[] = [];
    let error: number | undefined;
    for (const byte of bytes) {
      ports.writeValue(COMMAND, 1, CONTROLLER.toMouse);
      ports.writeValue(DATA, 1, byte);
      answer = this.#drain();
      if (answer.shift() !== ACKNOWLEDGED) error = ERROR.interface;
    }
    this.#setMode(mode);
    if (key !== undefined) {
      ports.writeValue(COMMAND, 1, CONTROLLER.putKey);
      ports.writeValue(DATA, 1, key);
    }
    return { error, answer };
  }

  /** What is in the way. */
  #drain(): number[] {
    const { ports } = this.#site;
    const taken: number[] = [];
    while (taken.length < MOST_BYTES && (ports.readValue(COMMAND, 1) & FULL) !== 0) {
      taken.push(ports.readValue(DATA, 1));
    }
    return taken;
  }

  #setMode(mode: number): void {
    this.#site.ports.writeValue(COMMAND, 1, CONTROLLER.writeMode);
    this.#site.ports.writeValue(DATA, 1, mode);
  }

  get #flags(): number {
    return this.#site.memory.readValue(EXTENDED_AREA.mouseFlags, 1);
  }

  #setFlags(value: number): void {
    this.#site.memory.writeValue(EXTENDED_AREA.mouseFlags, 1, value);
  }
}
