/**
 * Port 61: the gate and output of timer 2, and the speaker that hangs on it. There is no sound.
 *
 * Source: [PIIX3] 2.5.6 "NMI Status and Control Register".
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  IsaDevice,
  MemoryRegion,
  prop,
  type PropertyValues,
} from "../bus/mod.ts";
import type { Pit8254 } from "./i8254.ts";

const PROPERTIES = {
  "audiodev": prop.str(undefined, { description: "ID of an audiodev to use as a backend" }),
  "iobase": prop.uint32(0x61),
  "migrate": prop.bool(true),
};

export interface SpeakerState {
  speaker: boolean;
  refresh: 0 | 1;
}

/** The port. */
export class PcSpeaker extends IsaDevice<typeof PROPERTIES, SpeakerState> {
  /** The timer; the board sets it. */
  pit: Pit8254 | undefined;
  #state: SpeakerState = { speaker: false, refresh: 0 };

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(isaPcspk, context, values, options);
  }

  protected override onRealize(): void {
    const region = MemoryRegion.io("pcspk", 1, {
      read: () => this.#read(),
      write: (_offset, _size, value) => {
        this.#state.speaker = (value & 2) !== 0;
        this.pit?.setGate(2, (value & 1) as 0 | 1);
      },
      accessSizes: { min: 1, max: 1 },
    });
    this.claimPorts(region, this.properties.iobase);
  }

  protected override onReset(): void {
    this.#state = { speaker: false, refresh: 0 };
  }

  protected override saveState(): SpeakerState {
    return { ...this.#state };
  }

  protected override loadState(state: SpeakerState): void {
    this.#state = { ...state };
  }

  #read(): number {
    const state = this.#state;
    // Guests time loops by the refresh bit: it changes with every look.
    state.refresh = state.refresh === 0 ? 1 : 0;
    const { pit } = this;
    return (pit?.gate(2) ?? 0) | (state.speaker ? 2 : 0) | (state.refresh << 4) | ((pit?.output(2) ?? 0) << 5);
  }
}

/** `isa-pcspk`. */
export const isaPcspk = {
  name: "isa-pcspk",
  busType: "ISA",
  category: "Sound",
  userCreatable: false,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new PcSpeaker(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
