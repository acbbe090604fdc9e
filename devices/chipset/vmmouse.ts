/**
 * The absolute pointer behind the VMware backdoor: commands 39 to 41 of {@link Vmport}.
 *
 * Left out: relative mode, which VMware's own drivers do not ask for.
 *
 * Source: open-vm-tools' "vmmouse_defs.h": command and status words.
 *
 * @module
 */
import { type DeviceContext, type DeviceOptions, type DeviceType, IsaDevice, type PropertyValues } from "../bus/mod.ts";
import type { Vmport, VmportRegisters } from "./vmport.ts";

const PROPERTIES = {};

const DATA = 39;
const STATUS = 40;
const COMMAND = 41;

const READ_ID = 0x4556_4152;
const DISABLE = 0x0000_00f5;
const REQUEST_RELATIVE = 0x4c45_5252;
const REQUEST_ABSOLUTE = 0x5342_4152;
const VERSION = 0x3442_554a;
const STATUS_OFF = 0xffff;
const ERROR = 0xffff_0000;
const QUEUE_WORDS = 1024;
const PACKET_WORDS = 4;

export interface VmmouseState {
  /** 0, or {@link STATUS_OFF} while it is off. */
  status: number;
  absolute: boolean;
  queue: number[];
}

/** The pointer. */
export class Vmmouse extends IsaDevice<typeof PROPERTIES, VmmouseState> {
  /** The backdoor; the board sets it before realization. */
  vmport: Vmport | undefined;
  #state = initialState();

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(vmmouse, context, values, options);
  }

  /** The pointer is at `x`, `y` (0 to 65535) with `buttons` (bits 5 left, 4 right, 3 middle) down. */
  point(x: number, y: number, buttons: number): void {
    const { queue, absolute } = this.#state;
    if (!absolute || queue.length + PACKET_WORDS > QUEUE_WORDS) return;
    queue.push(buttons >>> 0, x & 0xffff, y & 0xffff, 0);
  }

  protected override onRealize(): void {
    this.vmport?.register(DATA, (registers) => this.#data(registers));
    this.vmport?.register(STATUS, () => (this.#state.status << 16 | this.#state.queue.length) >>> 0);
    this.vmport?.register(COMMAND, (registers) => this.#command(registers));
  }

  protected override onReset(): void {
    this.#state = initialState();
  }

  protected override saveState(): VmmouseState {
    return { ...this.#state, queue: [...this.#state.queue] };
  }

  protected override loadState(state: VmmouseState): void {
    this.#state = { ...state, queue: state.queue.slice(0, QUEUE_WORDS) };
  }

  /** Hands out as many words as EBX asks for, one to six, in EAX, EBX, ECX, EDX, ESI, EDI. */
  #data(registers: VmportRegisters): number {
    const wanted = registers.ebx >>> 0;
    const { queue } = this.#state;
    if (wanted === 0 || wanted > 6 || wanted > queue.length) {
      this.#state.status = STATUS_OFF;
      return registers.eax;
    }
    const words = queue.splice(0, wanted);
    const names = ["eax", "ebx", "ecx", "edx", "esi", "edi"] as const;
    for (const [index, word] of words.entries()) registers[names[index]!] = word;
    return words[0]!;
  }

  #command(registers: VmportRegisters): number {
    const state = this.#state;
    switch (registers.ebx >>> 0) {
      case READ_ID:
        state.queue.push(VERSION);
        state.status = 0;
        break;
      case DISABLE:
        this.#state = { ...initialState(), status: STATUS_OFF };
        break;
      case REQUEST_ABSOLUTE:
        state.absolute = true;
        break;
      case REQUEST_RELATIVE:
        state.absolute = false;
        break;
      default:
        return ERROR;
    }
    return registers.eax;
  }
}

function initialState(): VmmouseState {
  return { status: STATUS_OFF, absolute: false, queue: [] };
}

/** `vmmouse`. */
export const vmmouse = {
  name: "vmmouse",
  busType: "ISA",
  category: "Input",
  userCreatable: false,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new Vmmouse(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
