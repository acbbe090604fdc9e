/**
 * A parallel port on the ISA bus, with a character device that takes what a printer would: LPT1 to LPT3.
 *
 * A byte goes out when the guest raises and lowers STROBE while the printer is selected and initialized. The interrupt
 * line is claimed and stays low: nothing here acknowledges a byte late. Left out: reading from the character device,
 * EPP and ECP.
 *
 * Source: [IEEE 1284] 7 "Compatibility mode" and the PC's "Parallel Port" registers; values at rest are QEMU 7.2's.
 *
 * @module
 */
import {
  type CharConnection,
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  IsaDevice,
  MemoryRegion,
  prop,
  PropertyError,
  type PropertyValues,
} from "../bus/mod.ts";
import { outputOnly } from "./output_only.ts";

const UNSET = 0xffff_ffff;

const PROPERTIES = {
  "index": prop.uint32(UNSET),
  "iobase": prop.uint32(UNSET),
  "irq": prop.uint32(7),
  "chardev": prop.chardev(),
};

const PORTS = [0x378, 0x278, 0x3bc] as const;

const CONTROL_STROBE = 0x01;
const CONTROL_INIT = 0x04;
const CONTROL_SELECT = 0x08;
/** The data lines are inputs. */
const CONTROL_INPUT = 0x20;
const CONTROL_UNUSED = 0xc0;

/** Not busy, no acknowledge, selected, no error, and the three lines that float. */
const STATUS_IDLE = 0xd9;
const STATUS_NOT_BUSY = 0x80;
const STATUS_NO_ACK = 0x40;
/** Set at power-on; INIT clears it. */
const STATUS_TIMEOUT = 0x01;

export interface ParallelState {
  data: number;
  status: number;
  control: number;
}

/** The port. */
export class IsaParallel extends IsaDevice<typeof PROPERTIES, ParallelState> {
  #line: CharConnection | undefined;
  #state = initialState();

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(isaParallel, context, values, options);
  }

  protected override onRealize(): void {
    const { chardev } = this.properties;
    if (chardev === undefined) throw new PropertyError("Can't create parallel device, empty char device");
    const settled = this.properties as { index: number; iobase: number };
    if (settled.index === UNSET) {
      settled.index = this.isa.devices.filter((device) => device !== this && device instanceof IsaParallel).length;
    }
    const { index } = settled;
    if (index >= PORTS.length) throw new PropertyError(`Max. supported number of parallel ports is ${PORTS.length}.`);
    if (settled.iobase === UNSET) settled.iobase = PORTS[index]!;
    this.checkIrq(this.properties.irq);
    this.#line = outputOnly(chardev);
    const region = MemoryRegion.io("parallel", 8, {
      read: (offset) => this.#read(offset),
      write: (offset, _size, value) => this.#write(offset, value & 0xff),
      accessSizes: { min: 1, max: 1 },
    });
    this.claimPorts(region, settled.iobase);
  }

  protected override onUnrealize(): void {
    super.onUnrealize();
    this.#line?.[Symbol.dispose]();
    this.#line = undefined;
  }

  protected override onReset(): void {
    this.#state = initialState();
  }

  protected override saveState(): ParallelState {
    return { ...this.#state };
  }

  protected override loadState(state: ParallelState): void {
    this.#state = { ...state };
  }

  #read(offset: number): number {
    const { data, status, control } = this.#state;
    switch (offset & 7) {
      case 0:
        return (control & CONTROL_INPUT) !== 0 ? 0xff : data;
      case 1:
        return this.#readStatus(status);
      case 2:
        return control;
      default:
        return 0xff;
    }
  }

  /** After a strobe the first look still shows it busy, the next one its acknowledge, then it is at rest. */
  #readStatus(status: number): number {
    if ((status & STATUS_NOT_BUSY) === 0 && (this.#state.control & CONTROL_STROBE) === 0) {
      this.#state.status = (status & STATUS_NO_ACK) !== 0
        ? status & ~STATUS_NO_ACK
        : status | STATUS_NO_ACK | STATUS_NOT_BUSY;
    }
    return status;
  }

  #write(offset: number, value: number): void {
    if (offset === 0) this.#state.data = value;
    else if (offset === 2) this.#control(value | CONTROL_UNUSED);
  }

  #control(value: number): void {
    const state = this.#state;
    const before = state.control;
    state.control = value;
    if ((value & CONTROL_INIT) === 0) {
      state.status = STATUS_IDLE & ~STATUS_TIMEOUT;
      return;
    }
    if ((value & CONTROL_SELECT) === 0) return;
    if ((value & CONTROL_STROBE) !== 0) {
      state.status &= ~STATUS_NOT_BUSY;
      if ((before & CONTROL_STROBE) === 0) this.#line?.write(Uint8Array.of(state.data));
    }
  }
}

function initialState(): ParallelState {
  return { data: 0xff, status: STATUS_IDLE, control: CONTROL_UNUSED | CONTROL_SELECT | CONTROL_INIT };
}

/** `isa-parallel`. */
export const isaParallel = {
  name: "isa-parallel",
  busType: "ISA",
  category: "Input",
  userCreatable: true,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new IsaParallel(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
