/**
 * A 256-byte EEPROM on the SMBus: where a memory module keeps its SPD bytes. Those of a pc board are all zero.
 *
 * Source: [SMBus 2.0] 5.5 "Bus Protocols".
 *
 * @module
 */
import {
  Bus,
  Device,
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  prop,
  type PropertyValues,
} from "../bus/mod.ts";

const PROPERTIES = { "address": prop.uint8(0) };
const SIZE = 256;

/** A device on the SMBus. `undefined` and `false` mean that it does not acknowledge. */
export interface SmbusTarget {
  /** Seven bits. */
  readonly smbusAddress: number;
  receive(bytes: readonly number[]): boolean;
  send(): number | undefined;
}

/** The bus: finds who answers to an address. */
export class SmBus extends Bus {
  constructor(context: DeviceContext, parent: Device, name = "i2c") {
    super(context, "i2c-bus", parent, name);
  }

  target(address: number): SmbusTarget | undefined {
    return this.devices.find((device) => isTarget(device) && device.smbusAddress === address) as
      | (Device & SmbusTarget)
      | undefined;
  }
}

function isTarget(device: Device): device is Device & SmbusTarget {
  return "smbusAddress" in device && "receive" in device && "send" in device;
}

export interface EepromState {
  bytes: Uint8Array;
  offset: number;
}

/** The EEPROM. A reset brings back what the board put in. */
export class SmbusEeprom extends Device<typeof PROPERTIES, EepromState> implements SmbusTarget {
  readonly #initial = new Uint8Array(SIZE);
  #state: EepromState = { bytes: new Uint8Array(SIZE), offset: 0 };

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(smbusEeprom, context, values, options);
  }

  get smbusAddress(): number {
    return this.properties.address;
  }

  /** Puts `bytes` in, 256 at most. */
  program(bytes: Uint8Array): void {
    this.#initial.set(bytes.subarray(0, SIZE));
    this.#state.bytes.set(this.#initial);
  }

  /** The first byte is an offset, what follows is stored from there on. */
  receive(bytes: readonly number[]): boolean {
    const state = this.#state;
    const [offset, ...data] = bytes;
    if (offset === undefined) return true;
    state.offset = offset;
    for (const byte of data) {
      state.bytes[state.offset] = byte;
      state.offset = (state.offset + 1) % SIZE;
    }
    return true;
  }

  send(): number {
    const state = this.#state;
    const byte = state.bytes[state.offset]!;
    state.offset = (state.offset + 1) % SIZE;
    return byte;
  }

  protected override onReset(): void {
    this.#state = { bytes: this.#initial.slice(), offset: 0 };
  }

  protected override saveState(): EepromState {
    return { bytes: this.#state.bytes.slice(), offset: this.#state.offset };
  }

  protected override loadState(state: EepromState): void {
    this.#state = { bytes: state.bytes.slice(), offset: state.offset & 0xff };
  }
}

/** `smbus-eeprom`. */
export const smbusEeprom = {
  name: "smbus-eeprom",
  busType: "i2c-bus",
  category: "Misc",
  userCreatable: false,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new SmbusEeprom(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
