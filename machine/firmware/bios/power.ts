/**
 * Int 15h, functions 53xxh: Advanced Power Management, so that systems before ACPI can rest and switch off.
 *
 * In protected mode programs call the ROM itself, which does the same: see apm_code.ts.
 *
 * Left out: suspending and standing by, events, batteries (there is none), timers.
 *
 * Source: [APM 1.2] Advanced Power Management BIOS Interface Specification 1.2, 4.
 *
 * @module
 */
import type { FirmwareCall } from "./call.ts";
import { type ApmEntries, ROM_SEGMENT } from "./rom.ts";
import { type FirmwareSite, POWER_PORTS } from "./site.ts";

const ERROR = { unknownDevice: 0x09, badParameter: 0x0a, cannot: 0x60, noEvent: 0x80 } as const;
const VERSION = 0x0102;
const BIOS = 0;
const ALL_DEVICES = 1;
const OFF = 3;
/** Interfaces of 16 and 32 bits in protected mode. */
const PROTECTED_MODE = 0x0003;
const SIGNATURE = 0x504d; // "PM"
const SEGMENT_BYTES = 0xffff;
const ON_LINE = 0x01ff;
const NO_BATTERY = 0x80ff;
const CONTROL_PORT = POWER_PORTS + 4;
const SLEEP_NOW = 0x2000;

/** The functions. */
export class PowerService {
  readonly #site: FirmwareSite;
  readonly #entries: ApmEntries;

  constructor(site: FirmwareSite, entries: ApmEntries) {
    this.#site = site;
    this.#entries = entries;
  }

  /** Function 53h; AL says which. */
  call(call: FirmwareCall): void | "sleep" {
    // Until the next interrupt.
    if (call.al === 0x05 && call.memo === 0) {
      call.memo = 1;
      return "sleep";
    }
    const error = this.#serve(call);
    call.carry = error !== undefined;
    if (error !== undefined) call.ah = error;
    else if (call.al !== 0x00 && call.al !== 0x02 && call.al !== 0x03 && call.al !== 0x0e) call.ah = 0;
  }

  #serve(call: FirmwareCall): number | undefined {
    switch (call.al) {
      case 0x00:
        if (call.bx !== BIOS) return ERROR.unknownDevice;
        call.ax = VERSION;
        call.bx = SIGNATURE;
        call.cx = PROTECTED_MODE;
        return undefined;
      case 0x02:
        call.ax = ROM_SEGMENT;
        call.bx = this.#entries.entry16;
        call.cx = ROM_SEGMENT;
        call.si = SEGMENT_BYTES;
        call.di = SEGMENT_BYTES;
        return undefined;
      case 0x03:
        call.ax = ROM_SEGMENT;
        call.ebx = this.#entries.entry32;
        call.cx = ROM_SEGMENT;
        call.dx = ROM_SEGMENT;
        call.esi = SEGMENT_BYTES * 0x10000 + SEGMENT_BYTES;
        call.di = SEGMENT_BYTES;
        return undefined;
      case 0x07:
        if (call.bx !== ALL_DEVICES) return ERROR.unknownDevice;
        if (call.cx !== OFF) return ERROR.cannot;
        this.#site.ports.writeValue(CONTROL_PORT, 2, SLEEP_NOW);
        return undefined;
      case 0x0a:
        if (call.bx !== ALL_DEVICES) return ERROR.unknownDevice;
        [call.bx, call.cx, call.dx, call.si] = [ON_LINE, NO_BATTERY, 0xffff, 0];
        return undefined;
      case 0x0b:
        return ERROR.noEvent;
      case 0x0c:
        call.cx = 0;
        return undefined;
      case 0x0e:
        call.ax = VERSION;
        return undefined;
      case 0x10:
        call.bl = 0;
        call.cx = 0;
        return undefined;
      default:
        return call.al <= 0x0f ? undefined : ERROR.badParameter;
    }
  }
}
