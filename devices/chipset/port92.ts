/**
 * Port 92, "system control port A": the fast ways to A20 and to a reset of the CPU.
 *
 * Source: [IBM PS/2 HITR] "System Control Port A".
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  IsaDevice,
  MemoryRegion,
  type OutputPin,
  type PropertyValues,
} from "../bus/mod.ts";

const PROPERTIES = {};
const RESET = 0x01;
const A20 = 0x02;

export interface Port92State {
  value: number;
}

/** The port. Output `a20`. */
export class Port92 extends IsaDevice<typeof PROPERTIES, Port92State> {
  readonly #a20: OutputPin;
  #value = 0;

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(port92, context, values, options);
    this.#a20 = this.addOutputs("a20", 1)[0]!;
  }

  protected override onRealize(): void {
    const region = MemoryRegion.io("port92", 1, {
      read: () => this.#value,
      write: (_offset, _size, value) => this.#write(value),
      accessSizes: { min: 1, max: 1 },
    });
    this.claimPorts(region, 0x92);
  }

  protected override onReset(): void {
    this.#value = 0;
  }

  protected override saveState(): Port92State {
    return { value: this.#value };
  }

  protected override loadState(state: Port92State): void {
    this.#value = state.value;
  }

  #write(value: number): void {
    const before = this.#value;
    this.#value = value;
    this.#a20.set((value & A20) === 0 ? 0 : 1);
    // Only its rise resets.
    if ((value & ~before & RESET) !== 0) this.context.requestReset?.();
  }
}

/** `port92`. */
export const port92 = {
  name: "port92",
  busType: "ISA",
  category: "Uncategorized",
  userCreatable: false,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new Port92(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
