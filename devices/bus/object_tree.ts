/**
 * The object tree: every device and bus under a path, `/machine/unattached/device[3]/isa.0`.
 *
 * What nobody placed is counted into `/machine/unattached` when it is realized. The numbers follow the order of
 * realization, so a board that realizes in QEMU's order has QEMU's paths.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";

/** One object of the tree. */
export class ObjectNode {
  readonly name: string;
  readonly typeName: string;
  /** The device, bus or whatever it stands for. */
  readonly value: unknown;
  #parent: ObjectNode | undefined;
  readonly #children = new Map<string, ObjectNode>();

  constructor(name: string, typeName: string, value?: unknown) {
    this.name = name;
    this.typeName = typeName;
    this.value = value;
  }

  get parent(): ObjectNode | undefined {
    return this.#parent;
  }

  /** In the order in which they were added. */
  get children(): readonly ObjectNode[] {
    return [...this.#children.values()];
  }

  get path(): string {
    return `${this.#parent?.path ?? ""}/${this.name}`;
  }

  add(child: ObjectNode): ObjectNode {
    assert(!this.#children.has(child.name), `${this.path} has a child ${child.name} already`);
    child.#parent = this;
    this.#children.set(child.name, child);
    return child;
  }

  child(name: string): ObjectNode | undefined {
    return this.#children.get(name);
  }

  remove(): void {
    if (this.#parent !== undefined) this.#parent.#children.delete(this.name);
    this.#parent = undefined;
  }

  /** This object and all below it, parents first. */
  *walk(): IterableIterator<ObjectNode> {
    yield this;
    for (const child of this.#children.values()) yield* child.walk();
  }
}

/** The tree of one machine, with the counters that its names come from. */
export class ObjectTree {
  /** `/machine`. */
  readonly machine: ObjectNode;
  /** Devices that were given an id. */
  readonly peripheral: ObjectNode;
  /** Devices that the user asked for without an id. */
  readonly anonymous: ObjectNode;
  /** What the board made and placed nowhere. */
  readonly unattached: ObjectNode;
  #unattachedCount = 0;
  #anonymousCount = 0;
  readonly #busCounts = new Map<string, number>();

  constructor(machineType: string) {
    this.machine = new ObjectNode("machine", `${machineType}-machine`);
    this.peripheral = this.machine.add(new ObjectNode("peripheral", "container"));
    this.anonymous = this.machine.add(new ObjectNode("peripheral-anon", "container"));
    this.unattached = this.machine.add(new ObjectNode("unattached", "container"));
  }

  /** The next `device[N]` of `/machine/unattached`. */
  addUnattached(typeName: string, value: unknown): ObjectNode {
    return this.unattached.add(new ObjectNode(`device[${this.#unattachedCount++}]`, typeName, value));
  }

  /** The next `device[N]` of `/machine/peripheral-anon`. */
  addAnonymous(typeName: string, value: unknown): ObjectNode {
    return this.anonymous.add(new ObjectNode(`device[${this.#anonymousCount++}]`, typeName, value));
  }

  /** The number that the next nameless bus of this type gets: 0 for `ide.0`. */
  nextBusNumber(typeName: string): number {
    const number = this.#busCounts.get(typeName) ?? 0;
    this.#busCounts.set(typeName, number + 1);
    return number;
  }

  /** The object at an absolute path, `/machine/unattached/device[3]`. */
  find(path: string): ObjectNode | undefined {
    const [root, ...names] = path.split("/").filter((name) => name !== "");
    let node: ObjectNode | undefined = root === this.machine.name ? this.machine : undefined;
    for (const name of names) node = node?.child(name);
    return node;
  }
}
