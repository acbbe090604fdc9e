/**
 * A PS/2 keyboard: keys in scan code set 2 and the commands that the controller sends it.
 *
 * Left out: scan code set 3 and its commands (per-key modes), which are refused with "resend"; repeating by itself.
 *
 * Source: [IBM PS/2 HITR] "Keyboards (101- and 102-Key)": "Commands from the System", "Commands to the System".
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  type OutputPin,
  type PropertyValues,
  SystemBusDevice,
} from "../bus/mod.ts";
import { Ps2Queue } from "./ps2_queue.ts";
import { type KeyName, keySequence } from "./scancodes.ts";

const PROPERTIES = {};

const ACK = 0xfa;
const RESEND = 0xfe;
const TEST_PASSED = 0xaa;

const HELD: readonly KeyName[] = ["shift", "shift_r", "ctrl", "ctrl_r", "alt", "alt_r"];

export interface KeyboardState {
  enabled: boolean;
  /** The command whose argument comes next; 0 for none. */
  command: number;
  /** Caps lock, num lock, scroll lock in bits 2, 1, 0. */
  leds: number;
  rate: number;
  /** Keys of {@link HELD} that are down, a bit each. */
  held: number;
  queue: number[];
}

/** The keyboard. Output 0 is high while it has bytes for the controller. */
export class Ps2Keyboard extends SystemBusDevice<typeof PROPERTIES, KeyboardState> {
  readonly #queue = new Ps2Queue();
  readonly #ready: OutputPin;
  #state = initialState();

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(ps2Kbd, context, values, options);
    this.#ready = this.addOutputs("", 1)[0]!;
  }

  /** The lights, as software last set them. */
  get leds(): { readonly scrollLock: boolean; readonly numLock: boolean; readonly capsLock: boolean } {
    const { leds } = this.#state;
    return { scrollLock: (leds & 1) !== 0, numLock: (leds & 2) !== 0, capsLock: (leds & 4) !== 0 };
  }

  /** Presses or releases a key; lost while the keyboard is disabled or its buffer full. */
  key(key: KeyName, down: boolean): void {
    const state = this.#state;
    const bit = HELD.indexOf(key);
    if (bit >= 0) state.held = down ? state.held | (1 << bit) : state.held & ~(1 << bit);
    if (state.enabled) this.#queue.push(...keySequence(key, down, heldKeys(state.held)));
    this.#drive();
  }

  /** A byte from the controller. */
  receive(byte: number): void {
    const { command } = this.#state;
    if (command !== 0 && byte < 0xed) this.#argument(command, byte);
    else this.#command(byte);
    this.#drive();
  }

  /** The next byte for the controller. */
  take(): number | undefined {
    const byte = this.#queue.shift();
    this.#drive();
    return byte;
  }

  get hasData(): boolean {
    return this.#queue.length > 0;
  }

  protected override onReset(): void {
    this.#state = initialState();
    this.#queue.clear();
    this.#drive();
  }

  protected override saveState(): KeyboardState {
    return { ...this.#state, queue: this.#queue.save() };
  }

  protected override loadState(state: KeyboardState): void {
    this.#state = { ...state };
    this.#queue.load(state.queue);
    this.#drive();
  }

  #argument(command: number, byte: number): void {
    const state = this.#state;
    state.command = 0;
    this.#queue.answer(ACK);
    if (command === 0xed) state.leds = byte & 7;
    else if (command === 0xf3) state.rate = byte & 0x7f;
    else if (byte === 0) this.#queue.answer(2); // which scan code set is in use
  }

  #command(byte: number): void {
    const state = this.#state;
    state.command = 0;
    switch (byte) {
      case 0xed: // lights
      case 0xf0: // scan code set
      case 0xf3: // typematic rate
        state.command = byte;
        this.#queue.answer(ACK);
        break;
      case 0xee: // echo
        this.#queue.answer(0xee);
        break;
      case 0xf2: // identify
        this.#queue.answer(ACK, 0xab, 0x83);
        break;
      case 0xf4:
        state.enabled = true;
        this.#queue.answer(ACK);
        break;
      case 0xf5: // defaults, disabled
      case 0xf6: // defaults
        this.#queue.clear();
        this.#state = { ...initialState(), held: state.held, enabled: byte === 0xf6 };
        this.#queue.answer(ACK);
        break;
      case 0xff:
        this.#queue.clear();
        this.#state = initialState();
        this.#queue.answer(ACK, TEST_PASSED);
        break;
      default:
        this.#queue.answer(RESEND);
    }
  }

  #drive(): void {
    this.#ready.set(this.#queue.length > 0 ? 1 : 0);
  }
}

function initialState(): KeyboardState {
  return { enabled: true, command: 0, leds: 0, rate: 0x2b, held: 0, queue: [] };
}

function heldKeys(held: number) {
  return { shift: (held & 3) !== 0, ctrl: (held & 12) !== 0, alt: (held & 16) !== 0, altRight: (held & 32) !== 0 };
}

/** `ps2-kbd`. */
export const ps2Kbd = {
  name: "ps2-kbd",
  busType: "System",
  category: "Input",
  userCreatable: false,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new Ps2Keyboard(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
