/**
 * A PS/2 mouse with three buttons and a wheel, in stream, remote and wrap mode.
 *
 * Left out: scaling 2:1 (accepted, without effect on the counts), the five-button protocol.
 *
 * Source: [IBM PS/2 HITR] "Mouse"; the wheel: [IntelliMouse] "Z-axis data packet" (rates 200, 100, 80, then identify).
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

const PROPERTIES = {};

const ACK = 0xfa;
const TEST_PASSED = 0xaa;
const STATUS_SCALED = 0x10;
const STATUS_ENABLED = 0x20;
const STATUS_REMOTE = 0x40;
/** Of one packet, which has room for twice as many: QEMU's. */
const MAX_COUNTS = 127;
const WHEEL_KNOCK = [200, 100, 80];

export interface MouseState {
  /** Bits as status requests report them. */
  status: number;
  resolution: number;
  sampleRate: number;
  wrap: boolean;
  /** 0: three buttons, 3: with a wheel. */
  type: number;
  command: number;
  /** The last three sample rates that were set. */
  knock: number[];
  /** Counts that have not been reported. */
  dx: number;
  dy: number;
  dz: number;
  buttons: number;
  queue: number[];
}

/** The mouse. Output 0 is high while it has bytes for the controller. */
export class Ps2Mouse extends SystemBusDevice<typeof PROPERTIES, MouseState> {
  readonly #queue = new Ps2Queue();
  readonly #ready: OutputPin;
  #state = initialState();

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(ps2MouseType, context, values, options);
    this.#ready = this.addOutputs("", 1)[0]!;
  }

  /** Moves (right and up are positive), turns the wheel and sets the buttons (bits: left, right, middle): a report. */
  move(change: { dx?: number; dy?: number; dz?: number; buttons?: number }): void {
    const state = this.#state;
    if ((state.status & STATUS_ENABLED) === 0) return;
    state.dx += change.dx ?? 0;
    state.dy += change.dy ?? 0;
    state.dz += change.dz ?? 0;
    if (change.buttons !== undefined) state.buttons = change.buttons & 7;
    if ((state.status & STATUS_REMOTE) === 0) this.#report();
    this.#drive();
  }

  /** A byte from the controller. */
  receive(byte: number): void {
    const state = this.#state;
    if (state.wrap && byte !== 0xec && byte !== 0xff) this.#queue.answer(byte);
    else if (state.command !== 0) this.#argument(byte);
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

  protected override saveState(): MouseState {
    return { ...this.#state, knock: [...this.#state.knock], queue: this.#queue.save() };
  }

  protected override loadState(state: MouseState): void {
    this.#state = { ...state, knock: state.knock.slice(-3) };
    this.#queue.load(state.queue);
    this.#drive();
  }

  #argument(byte: number): void {
    const state = this.#state;
    if (state.command === 0xe8) state.resolution = byte & 3;
    else {
      state.sampleRate = byte;
      state.knock = [...state.knock, byte].slice(-3);
    }
    state.command = 0;
    this.#queue.answer(ACK);
  }

  #command(byte: number): void {
    const state = this.#state;
    this.#queue.answer(ACK);
    switch (byte) {
      case 0xe6:
        state.status &= ~STATUS_SCALED;
        break;
      case 0xe7:
        state.status |= STATUS_SCALED;
        break;
      case 0xe8: // resolution
      case 0xf3: // sample rate
        state.command = byte;
        break;
      case 0xe9:
        this.#queue.answer(state.status | statusButtons(state.buttons), state.resolution, state.sampleRate);
        break;
      case 0xea:
        state.status &= ~STATUS_REMOTE;
        break;
      case 0xeb:
        this.#queue.answer(...this.#packet());
        break;
      case 0xec:
        state.wrap = false;
        break;
      case 0xee:
        state.wrap = true;
        break;
      case 0xf0:
        state.status |= STATUS_REMOTE;
        break;
      case 0xf2:
        if (WHEEL_KNOCK.every((rate, index) => state.knock[index] === rate)) state.type = 3;
        this.#queue.answer(state.type);
        break;
      case 0xf4:
        state.status |= STATUS_ENABLED;
        break;
      case 0xf5:
        state.status &= ~STATUS_ENABLED;
        break;
      case 0xf6:
      case 0xff:
        this.#state = { ...initialState(), type: byte === 0xf6 ? state.type : 0 };
        if (byte === 0xff) this.#queue.answer(TEST_PASSED, 0);
        break;
    }
  }

  /** Sends packets, one at least, until all counts are out or the buffer is full. */
  #report(): void {
    const state = this.#state;
    do {
      const { dx, dy, dz } = state;
      if (!this.#queue.push(...this.#packet())) {
        Object.assign(state, { dx, dy, dz });
        return;
      }
    } while (state.dx !== 0 || state.dy !== 0 || state.dz !== 0);
  }

  /** One packet; takes off what it reports. */
  #packet(): number[] {
    const state = this.#state;
    const dx = clamp(state.dx, MAX_COUNTS);
    const dy = clamp(state.dy, MAX_COUNTS);
    state.dx -= dx;
    state.dy -= dy;
    const head = 0x08 | state.buttons | (dx < 0 ? 0x10 : 0) | (dy < 0 ? 0x20 : 0);
    const bytes = [head, dx & 0xff, dy & 0xff];
    const dz = clamp(state.dz, 7);
    if (state.type === 3) bytes.push(dz & 0xff);
    state.dz = state.type === 3 ? state.dz - dz : 0;
    return bytes;
  }

  #drive(): void {
    this.#ready.set(this.#queue.length > 0 ? 1 : 0);
  }
}

/** A status byte has its buttons the other way round: right, middle, left. */
function statusButtons(buttons: number): number {
  return ((buttons & 1) << 2) | ((buttons & 4) >> 1) | ((buttons & 2) >> 1);
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, Math.trunc(value)));
}

function initialState(): MouseState {
  return {
    status: 0,
    resolution: 2,
    sampleRate: 100,
    wrap: false,
    type: 0,
    command: 0,
    knock: [],
    dx: 0,
    dy: 0,
    dz: 0,
    buttons: 0,
    queue: [],
  };
}

/** `ps2-mouse`. */
export const ps2MouseType = {
  name: "ps2-mouse",
  busType: "System",
  category: "Input",
  userCreatable: false,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new Ps2Mouse(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
