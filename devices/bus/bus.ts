/**
 * A bus: where devices plug in. What a kind of bus adds (ports, interrupt routing, addresses) is in its subclass.
 *
 * @module
 */
import type { DeviceContext } from "./context.ts";
import type { Device } from "./device.ts";
import type { HotplugHandler } from "./hotplug.ts";
import { ObjectNode } from "./object_tree.ts";

/** A place for devices of one kind. */
export class Bus {
  /** `"ide.0"`. */
  readonly name: string;
  /** `"IDE"`, as `info qtree` shows it. */
  readonly typeName: string;
  /** The device that provides it; the system bus has none. */
  readonly parent: Device | undefined;
  readonly context: DeviceContext;
  /** Its place in the object tree, below its parent once that has one. */
  readonly node: ObjectNode;
  /** Set where devices come and go while the machine is there: by the board, or by the controller that has the bus. */
  hotplug: HotplugHandler | undefined;
  readonly #devices: Device[] = [];

  /** Without a `name` it is called after its parent's id, or after its type with a number counted over the machine. */
  constructor(context: DeviceContext, typeName: string, parent?: Device, name?: string) {
    this.context = context;
    this.typeName = typeName;
    this.parent = parent;
    this.name = name ??
      (parent?.id === undefined
        ? `${typeName.toLowerCase()}.${context.objects.nextBusNumber(typeName)}`
        : `${parent.id}.${parent.buses.length}`);
    this.node = new ObjectNode(this.name, typeName, this);
    parent?.provide(this);
  }

  /** Newest first, as `info qtree` lists them. */
  get devices(): readonly Device[] {
    return this.#devices;
  }

  /** Takes `device` in; a subclass checks first. @throws PropertyError where there is no room for it */
  attach(device: Device): void {
    this.#devices.unshift(device);
  }

  detach(device: Device): void {
    const index = this.#devices.indexOf(device);
    if (index >= 0) this.#devices.splice(index, 1);
  }

  /** All devices on it and on the buses that those provide, each after what is plugged into it. */
  *walk(): IterableIterator<Device> {
    for (const device of [...this.#devices].reverse()) {
      for (const bus of [...device.buses].reverse()) yield* bus.walk();
      yield device;
    }
  }
}
