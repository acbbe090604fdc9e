/**
 * The 8042 keyboard controller: data at port 60, commands and status at 64; a PS/2 keyboard and mouse behind it.
 *
 * One output buffer holds a byte of the controller, the keyboard or the mouse; status and interrupts 1 and 12 say whose.
 * Its output port drives A20 and the CPU's reset.
 *
 * Source: [IBM PS/2 HITR] "Keyboard and Auxiliary Device Controller"; [8042] "Commands" as PC boards define them.
 *
 * @module
 */
import {
  type Bus,
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  IsaDevice,
  MemoryRegion,
  type OutputPin,
  prop,
  type PropertyValues,
} from "../bus/mod.ts";
import { ps2Kbd, type Ps2Keyboard } from "./ps2_keyboard.ts";
import { type Ps2Mouse, ps2MouseType } from "./ps2_mouse.ts";
import { translated } from "./scancodes.ts";

const PROPERTIES = {
  "extended-state": prop.bool(true, { description: "on/off" }),
  "kbd-throttle": prop.bool(false, { description: "on/off" }),
  "kbd-irq": prop.uint8(1),
  "mouse-irq": prop.uint8(12),
};

const STATUS_OUTPUT_FULL = 0x01;
const STATUS_SELF_TESTED = 0x04;
/** Set for good, as guests know it from QEMU; the chip has it tell whether the last write was a command. */
const STATUS_COMMAND = 0x08;
const STATUS_UNLOCKED = 0x10;
const STATUS_MOUSE = 0x20;

const MODE_KEYBOARD_INTERRUPT = 0x01;
const MODE_MOUSE_INTERRUPT = 0x02;
const MODE_KEYBOARD_OFF = 0x10;
const MODE_MOUSE_OFF = 0x20;
const MODE_TRANSLATE = 0x40;

const OUT_NO_RESET = 0x01;
const OUT_A20 = 0x02;
const OUT_KEYBOARD_FULL = 0x10;
const OUT_MOUSE_FULL = 0x20;
/** Outputs that go nowhere float high. */
const OUT_UNUSED = 0xcc;

export interface KeyboardControllerState {
  /** The command byte. */
  mode: number;
  outputPort: number;
  selfTested: boolean;
  /** The command whose argument comes next at port 60; 0 for none. */
  pendingCommand: number;
  /** What port 60 reads as. */
  data: number;
  /** Whose byte is in the output buffer. */
  full: "no" | "keyboard" | "mouse";
  /** Whether an F0 was swallowed by the translation. */
  breakNext: boolean;
}

/** The controller. Outputs: interrupts 1 and 12; `a20`. */
export class KeyboardController extends IsaDevice<typeof PROPERTIES, KeyboardControllerState> {
  readonly keyboard: Ps2Keyboard;
  readonly mouse: Ps2Mouse;
  /** Where keyboard and mouse are listed; the board sets it before realization. */
  systemBus: Bus | undefined;
  readonly #a20: OutputPin;
  readonly #irqs: OutputPin[];
  #state = initialState();
  #filling = false;

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(i8042, context, values, options);
    this.#a20 = this.addOutputs("a20", 1)[0]!;
    this.#irqs = this.addOutputs("", 2);
    this.addInputs("ps2-kbd-input-irq", 1, () => this.#fill());
    this.addInputs("ps2-mouse-input-irq", 1, () => this.#fill());
    this.keyboard = ps2Kbd.create(context);
    this.mouse = ps2MouseType.create(context);
  }

  /** The registers, as they stand. */
  get state(): Readonly<KeyboardControllerState> {
    return this.#state;
  }

  protected override async onRealize(): Promise<void> {
    this.claimPorts(
      MemoryRegion.io("i8042-data", 1, {
        read: () => this.#readData(),
        write: (_offset, _size, value) => this.#writeData(value),
        accessSizes: { min: 1, max: 1 },
      }),
      0x60,
    );
    this.claimPorts(
      MemoryRegion.io("i8042-cmd", 1, {
        read: () => this.#status(),
        write: (_offset, _size, value) => this.#command(value),
        accessSizes: { min: 1, max: 1 },
      }),
      0x64,
    );
    for (const name of ["kbd-irq", "mouse-irq"] as const) this.checkIrq(this.properties[name]);
    this.connect(this.isa.irq(this.properties["kbd-irq"]), 0);
    this.connect(this.isa.irq(this.properties["mouse-irq"]), 1);
    this.keyboard.place(this.node, "ps2kbd");
    this.mouse.place(this.node, "ps2mouse");
    await this.keyboard.realize(this.systemBus);
    await this.mouse.realize(this.systemBus);
    this.keyboard.connect(this.input(0, "ps2-kbd-input-irq"));
    this.mouse.connect(this.input(0, "ps2-mouse-input-irq"));
  }

  protected override async onUnrealize(): Promise<void> {
    await this.keyboard.unrealize();
    await this.mouse.unrealize();
    await super.onUnrealize();
  }

  protected override onReset(): void {
    this.#state = initialState();
    this.#a20.set(1);
    this.#driveIrqs();
  }

  protected override saveState(): KeyboardControllerState {
    return { ...this.#state };
  }

  protected override loadState(state: KeyboardControllerState): void {
    this.#state = { ...state };
    this.#a20.set((state.outputPort & OUT_A20) === 0 ? 0 : 1);
    this.#driveIrqs();
  }

  #status(): number {
    const { full, selfTested } = this.#state;
    return STATUS_UNLOCKED | STATUS_COMMAND | (selfTested ? STATUS_SELF_TESTED : 0) |
      (full === "no" ? 0 : STATUS_OUTPUT_FULL) | (full === "mouse" ? STATUS_MOUSE : 0);
  }

  #readData(): number {
    const { data, full } = this.#state;
    if (full === "no") return data;
    this.#state.full = "no";
    this.#driveIrqs();
    this.#fill();
    return data;
  }

  /** Puts a byte where port 60 reads it. */
  #put(byte: number, from: "keyboard" | "mouse"): void {
    this.#state.data = byte;
    this.#state.full = from;
    this.#driveIrqs();
  }

  /** Fetches the next byte of a device while the output buffer is empty. */
  #fill(): void {
    // Taking a byte makes a device drive its line again, which leads back here.
    if (this.#filling) return;
    this.#filling = true;
    while (this.#state.full === "no" && this.#fetch());
    this.#filling = false;
  }

  #fetch(): boolean {
    const { mode } = this.#state;
    if ((mode & MODE_KEYBOARD_OFF) === 0 && this.keyboard.hasData) {
      this.#takeKey();
      return true;
    }
    const byte = (mode & MODE_MOUSE_OFF) === 0 ? this.mouse.take() : undefined;
    if (byte !== undefined) this.#put(byte, "mouse");
    return byte !== undefined;
  }

  #takeKey(): void {
    const state = this.#state;
    const byte = this.keyboard.take();
    if (byte === undefined) return;
    if ((state.mode & MODE_TRANSLATE) === 0) return this.#put(byte, "keyboard");
    if (byte === 0xf0) {
      state.breakNext = true;
      return;
    }
    const code = translated(byte) | (state.breakNext ? 0x80 : 0);
    state.breakNext = false;
    this.#put(code, "keyboard");
  }

  #driveIrqs(): void {
    const { mode, full } = this.#state;
    this.#irqs[0]!.set(full === "keyboard" && (mode & MODE_KEYBOARD_INTERRUPT) !== 0 ? 1 : 0);
    this.#irqs[1]!.set(full === "mouse" && (mode & MODE_MOUSE_INTERRUPT) !== 0 ? 1 : 0);
  }

  #command(command: number): void {
    const state = this.#state;
    switch (command) {
      case 0x20:
        return this.#put(state.mode, "keyboard");
      case 0xa7:
        return this.#setMode(state.mode | MODE_MOUSE_OFF);
      case 0xa8:
        return this.#setMode(state.mode & ~MODE_MOUSE_OFF);
      case 0xa9: // mouse interface test
      case 0xab: // keyboard interface test
        return this.#put(0x00, "keyboard");
      case 0xaa:
        state.selfTested = true;
        return this.#put(0x55, "keyboard");
      case 0xad:
        return this.#setMode(state.mode | MODE_KEYBOARD_OFF);
      case 0xae:
        return this.#setMode(state.mode & ~MODE_KEYBOARD_OFF);
      case 0xc0: // input port: the keyboard is not locked
        return this.#put(0x80, "keyboard");
      case 0xd0:
        return this.#put(this.#outputPort(), "keyboard");
      case 0x60:
      case 0xd1:
      case 0xd2:
      case 0xd3:
      case 0xd4:
        state.pendingCommand = command;
        return;
      case 0xdd:
        return this.#writeOutputPort(state.outputPort & ~OUT_A20);
      case 0xdf:
        return this.#writeOutputPort(state.outputPort | OUT_A20);
      default:
        // F0-FF pulse the four lower outputs whose bit is 0; the lowest is the CPU's reset.
        if (command >= 0xf0 && (command & OUT_NO_RESET) === 0) this.context.requestReset?.();
    }
  }

  #writeData(value: number): void {
    const state = this.#state;
    const command = state.pendingCommand;
    state.pendingCommand = 0;
    switch (command) {
      case 0x60:
        return this.#setMode(value);
      case 0xd1:
        return this.#writeOutputPort(value);
      case 0xd2:
        return this.#put(value, "keyboard");
      case 0xd3:
        return this.#put(value, "mouse");
      case 0xd4:
        return this.mouse.receive(value);
      default:
        // What is sent to the keyboard enables it again.
        this.#setMode(state.mode & ~MODE_KEYBOARD_OFF);
        this.keyboard.receive(value);
    }
  }

  #setMode(mode: number): void {
    this.#state.mode = mode;
    this.#driveIrqs();
    this.#fill();
  }

  #outputPort(): number {
    const { outputPort, full } = this.#state;
    return outputPort | (full === "keyboard" ? OUT_KEYBOARD_FULL : 0) | (full === "mouse" ? OUT_MOUSE_FULL : 0);
  }

  #writeOutputPort(value: number): void {
    this.#state.outputPort = value & ~(OUT_KEYBOARD_FULL | OUT_MOUSE_FULL);
    this.#a20.set((value & OUT_A20) === 0 ? 0 : 1);
    if ((value & OUT_NO_RESET) === 0) this.context.requestReset?.();
  }
}

function initialState(): KeyboardControllerState {
  return {
    mode: MODE_KEYBOARD_INTERRUPT | MODE_MOUSE_INTERRUPT,
    outputPort: OUT_NO_RESET | OUT_A20 | OUT_UNUSED,
    selfTested: false,
    pendingCommand: 0,
    data: 0,
    full: "no",
    breakNext: false,
  };
}

/** `i8042`. */
export const i8042 = {
  name: "i8042",
  busType: "ISA",
  category: "Input",
  userCreatable: false,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new KeyboardController(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
