/**
 * A device: a type's instance with properties, pins, buses of its own and state.
 *
 * Life: constructed with its properties; placed in the object tree and on a bus; `realize`d, when it claims ports, memory
 * and interrupts; reset, stopped, resumed, saved and loaded any number of times; `unrealize`d. What a subclass does at
 * each step it writes in the `on...` hooks.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import type { Bus } from "./bus.ts";
import type { DeviceContext } from "./context.ts";
import type { DeviceType } from "./device_types.ts";
import { type IrqLine, OutputPin } from "./irq.ts";
import { ObjectNode } from "./object_tree.ts";
import { defaultValues, type PropertyTable, type PropertyValues } from "./properties.ts";
import { describeDifference, type OccasionalParts } from "./state_shape.ts";

/** A group of pins under one name; the nameless group is `""`. */
export interface PinGroup {
  readonly name: string;
  /** Lines that others drive. */
  readonly inputs: IrqLine[];
  /** Pins that this device drives. */
  readonly outputs: OutputPin[];
}

/** A device's whole volatile state: plain values, arrays, typed arrays and objects of them. */
export interface SavedDevice {
  readonly version: number;
  /** What its bus keeps for it: a PCI device's configuration space. */
  readonly base?: object;
  readonly state?: object;
}

/** A saved state that does not fit the device. */
export class DeviceStateError extends Error {
  override readonly name = "DeviceStateError";
}

/** The state of a device that has none. */
export type NoState = Record<string, never>;

/** The base of all devices. `Table` declares its properties, `State` is its volatile state. */
export abstract class Device<Table extends PropertyTable = PropertyTable, State extends object = object> {
  readonly type: DeviceType<Table>;
  readonly context: DeviceContext;
  /** Values before realization come from defaults, the board and the user; a device may settle them while realizing. */
  readonly properties: PropertyValues<Table>;
  /** What the user named it. */
  readonly id: string | undefined;
  /** Raised when {@link saveState} changes its form. */
  readonly stateVersion: number = 1;
  /** Parts of {@link saveState}'s objects that are there at times only: what is in flight. */
  protected readonly occasionalState: OccasionalParts = {};
  /** It came to a finished machine. */
  hotplugged = false;
  /** The guest was asked to let it go, and has not done so yet. */
  unplugPending = false;
  /** Newest first, as `info qtree` lists them. */
  readonly pins: PinGroup[] = [];
  readonly #buses: Bus[] = [];
  #bus: Bus | undefined;
  #node: ObjectNode | undefined;
  #realized = false;

  constructor(
    type: DeviceType<Table>,
    context: DeviceContext,
    values: Partial<PropertyValues<Table>> = {},
    options: { id?: string | undefined } = {},
  ) {
    this.type = type;
    this.context = context;
    this.properties = { ...defaultValues(type.properties), ...values };
    this.id = options.id;
  }

  get realized(): boolean {
    return this.#realized;
  }

  /** The bus it is plugged into. */
  get bus(): Bus | undefined {
    return this.#bus;
  }

  /** Buses that it provides, newest first. */
  get buses(): readonly Bus[] {
    return this.#buses;
  }

  /** Its place in the object tree. @throws AssertionFailure before it has one */
  get node(): ObjectNode {
    assert(this.#node !== undefined, `${this.type.name} has no place in the object tree yet`);
    return this.#node;
  }

  /** `/machine/unattached/device[17]`. */
  get path(): string {
    return this.node.path;
  }

  /** Whether it has a place in the object tree. */
  get placed(): boolean {
    return this.#node !== undefined;
  }

  /** Gives it a place below `parent`; without a call, realization counts it into `/machine/unattached`. */
  place(parent: ObjectNode, name: string): void {
    this.#adopt(parent.add(new ObjectNode(name, this.type.name, this)));
  }

  /** Puts it under the user's id, or among the nameless ones. */
  placeAsPeripheral(): void {
    const { objects } = this.context;
    if (this.id !== undefined) this.place(objects.peripheral, this.id);
    else this.#adopt(objects.addAnonymous(this.type.name, this));
  }

  /** Plugs it into `bus` and makes it ready. @throws PropertyError where properties do not fit */
  async realize(bus?: Bus): Promise<void> {
    assert(!this.#realized, `${this.type.name} is realized already`);
    try {
      if (bus !== undefined) this.#plug(bus);
      if (this.#node === undefined) this.#adopt(this.context.objects.addUnattached(this.type.name, this));
      await this.onRealize();
    } catch (error) {
      this.#unplug();
      throw error;
    }
    this.#realized = true;
  }

  /** Takes it out: it drains, lets go of everything, and leaves bus and object tree. */
  async unrealize(): Promise<void> {
    if (this.#realized) {
      await this.stop();
      for (const bus of this.#buses) for (const device of [...bus.devices]) await device.unrealize();
      await this.onUnrealize();
      this.#realized = false;
    }
    this.#unplug();
  }

  /** The power-on state; drains first. */
  async reset(): Promise<void> {
    await this.onReset();
  }

  /** Resolves when nothing is in flight and nothing more touches guest RAM: the machine is about to stand still. */
  async stop(): Promise<void> {
    await this.onStop();
  }

  /** The machine runs (again): requests that failed with "stop" are tried once more. */
  resume(): void {
    this.onResume();
  }

  /** All that a snapshot keeps. */
  save(): SavedDevice {
    const base = this.saveBase();
    const state = this.saveState();
    return {
      version: this.stateVersion,
      ...(base === undefined ? {} : { base }),
      ...(state === undefined ? {} : { state }),
    };
  }

  /** Why `saved` cannot be loaded here, or `undefined`: asked for all devices before anything changes. */
  refusal(saved: SavedDevice): string | undefined {
    if (!(Number.isInteger(saved.version) && saved.version > 0 && saved.version <= this.stateVersion)) {
      return `${this.type.name}: state of version ${saved.version}, known is ${this.stateVersion}`;
    }
    const own = this.save();
    for (const part of ["base", "state"] as const) {
      if ((own[part] === undefined) !== (saved[part] === undefined)) return `${this.type.name}: ${part} is missing`;
    }
    if (saved.version < this.stateVersion) return undefined;
    const difference = describeDifference(own, saved, this.occasionalState);
    return difference === undefined ? undefined : `${this.type.name}: ${difference}`;
  }

  /** Takes up a saved state. @throws DeviceStateError where it does not fit; then nothing has changed */
  load(saved: SavedDevice): void {
    const refusal = this.refusal(saved);
    if (refusal !== undefined) throw new DeviceStateError(refusal);
    if (saved.base !== undefined) this.loadBase(saved.base);
    if (saved.state !== undefined) this.loadState(saved.state as State, saved.version);
  }

  /** Called by a bus that this device provides. */
  provide(bus: Bus): void {
    this.#buses.unshift(bus);
    if (this.#node !== undefined) this.#node.add(bus.node);
  }

  /** The pins called `name`, made on first use. */
  pinGroup(name: string): PinGroup {
    let group = this.pins.find((other) => other.name === name);
    if (group === undefined) this.pins.unshift(group = { name, inputs: [], outputs: [] });
    return group;
  }

  /** Adds `count` inputs; `receive` is told which one changed. */
  protected addInputs(name: string, count: number, receive: (index: number, level: 0 | 1) => void): void {
    const group = this.pinGroup(name);
    for (let i = 0; i < count; i++) {
      const index = group.inputs.length;
      group.inputs.push({ set: (level) => receive(index, level) });
    }
  }

  /** Adds `count` outputs and returns them. */
  protected addOutputs(name: string, count: number): OutputPin[] {
    const added = Array.from({ length: count }, () => new OutputPin());
    this.pinGroup(name).outputs.push(...added);
    return added;
  }

  /** An input of this device, to be driven. */
  input(index = 0, name = ""): IrqLine {
    const line = this.pins.find((group) => group.name === name)?.inputs[index];
    assert(line !== undefined, `${this.type.name} has no input "${name}" ${index}`);
    return line;
  }

  /** Connects an output of this device. */
  connect(target: IrqLine, index = 0, name = ""): void {
    const pin = this.pins.find((group) => group.name === name)?.outputs[index];
    assert(pin !== undefined, `${this.type.name} has no output "${name}" ${index}`);
    pin.connect(target);
  }

  /** Told as soon as it is on its bus, before {@link onRealize}. */
  protected onPlug(): void {}
  protected onRealize(): void | Promise<void> {}
  protected onUnrealize(): void | Promise<void> {}
  protected onReset(): void | Promise<void> {}
  protected onStop(): void | Promise<void> {}
  protected onResume(): void {}

  /** Its volatile state, copied; `undefined` where it has none. */
  protected saveState(): State | undefined {
    return undefined;
  }

  /** Takes up what {@link saveState} gave, in form `version`. */
  protected loadState(_state: State, _version: number): void {}

  /** What the kind of bus adds to the state. */
  protected saveBase(): object | undefined {
    return undefined;
  }

  protected loadBase(_base: object): void {}

  #adopt(node: ObjectNode): void {
    assert(this.#node === undefined, `${this.type.name} has a place in the object tree already`);
    this.#node = node;
    for (const bus of this.#buses.toReversed()) node.add(bus.node);
  }

  #plug(bus: Bus): void {
    bus.attach(this);
    this.#bus = bus;
    this.onPlug();
  }

  #unplug(): void {
    this.#bus?.detach(this);
    this.#bus = undefined;
    this.#node?.remove();
    this.#node = undefined;
  }
}
