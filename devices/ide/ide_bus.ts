/**
 * `ide.0`, `ide.1`: where drives plug into a channel.
 *
 * @module
 */
import { Bus, type Device, type DeviceContext, PropertyError } from "../bus/mod.ts";
import type { Channel } from "./channel.ts";

const UNITS = 2;
/** A device's `unit` where none was asked for. */
export const ANY_UNIT = 0xffff_ffff;

/** The bus of one channel. */
export class IdeBus extends Bus {
  readonly channel: Channel;
  /** The number in the first unit's default serial number: channels count on over the machine. */
  readonly firstSerial: number;
  readonly #units: (Device | undefined)[] = [undefined, undefined];

  constructor(context: DeviceContext, parent: Device, makeChannel: (name: string) => Channel, index: number) {
    super(context, "IDE", parent);
    this.channel = makeChannel(this.name);
    this.firstSerial = index * UNITS + 1;
  }

  /** Whether both units are taken. */
  get full(): boolean {
    return this.#units.every((device) => device !== undefined);
  }

  /** Finds `device` a unit, the one it asks for if it does. @throws PropertyError where that is taken */
  claim(device: Device, wanted: number): 0 | 1 {
    const unit = wanted === ANY_UNIT ? this.#units[0] === undefined ? 0 : 1 : wanted;
    if (unit !== 0 && unit !== 1) {
      throw new PropertyError(`Can't create IDE unit ${unit}, bus supports only ${UNITS} units`);
    }
    if (this.#units[unit] !== undefined) throw new PropertyError(`IDE unit ${unit} is in use`);
    this.#units[unit] = device;
    return unit;
  }

  override detach(device: Device): void {
    super.detach(device);
    const unit = this.#units.indexOf(device);
    if (unit >= 0) this.#units[unit] = undefined;
  }
}
