/**
 * The memory tree: regions of RAM, ROM and device registers, placed in containers, shown again through aliases.
 *
 * A region has a size of up to 2^64 and an address within its container. Where siblings overlap the higher priority is
 * seen, and of equal ones the younger. A disabled region is not seen, nor is anything below it. What an address space
 * sees in the end is computed by {@link flatten}. The model is the one that users know from `info mtree`.
 *
 * Source: QEMU's docs/devel/memory.rst, "The memory API".
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import type { GuestRam } from "./ram.ts";

/** 2^64, the size of all there is. */
export const ALL_ADDRESSES = 1n << 64n;

/** Which access sizes something takes, in bytes. */
export interface AccessSizes {
  readonly min: number;
  readonly max: number;
  /** Whether an access may start off its own size. */
  readonly unaligned?: boolean;
}

/**
 * A device's registers. Handlers are synchronous, never throw on what a guest does, and see offsets within the region.
 * Values are unsigned, little-endian unless `endian` says otherwise.
 */
export interface IoHandlers {
  read(offset: number, size: number): number;
  write(offset: number, size: number, value: number): void;
  /** What the handlers take (1 to 4 by default); other sizes are cut or widened to fit. At most 4. */
  readonly accessSizes?: AccessSizes;
  /** What a guest may use (1 to 4 by default); anything else behaves as if nothing were there. */
  readonly validSizes?: AccessSizes;
  readonly endian?: "little" | "big";
}

/** What a region is made of. */
export type RegionContent =
  | { readonly kind: "container" }
  | { readonly kind: "io"; readonly handlers: IoHandlers }
  | { readonly kind: "ram"; readonly ram: GuestRam }
  | { readonly kind: "alias"; readonly target: MemoryRegion };

/** One region of the tree. */
export class MemoryRegion {
  readonly name: string;
  readonly content: RegionContent;
  #sizeBytes: bigint;
  #address = 0n;
  #priority = 0;
  #enabled = true;
  #readonly = false;
  #container: MemoryRegion | undefined;
  #children: MemoryRegion[] = [];
  #aliasOffset = 0n;
  readonly #aliases: MemoryRegion[] = [];
  readonly #observers = new Set<() => void>();

  private constructor(name: string, sizeBytes: number | bigint, content: RegionContent) {
    this.name = name;
    this.content = content;
    this.#sizeBytes = BigInt(sizeBytes);
    if (content.kind === "alias") content.target.#aliases.push(this);
  }

  /** A region that only holds others. */
  static container(name: string, sizeBytes: number | bigint): MemoryRegion {
    return new MemoryRegion(name, sizeBytes, { kind: "container" });
  }

  /** Registers; may hold others, which are seen before it. */
  static io(name: string, sizeBytes: number | bigint, handlers: IoHandlers): MemoryRegion {
    assert((handlers.accessSizes?.max ?? 4) <= 4, `${name}: handlers take 4 bytes at most`);
    return new MemoryRegion(name, sizeBytes, { kind: "io", handlers });
  }

  /** All of `ram`. */
  static ram(name: string, ram: GuestRam): MemoryRegion {
    return new MemoryRegion(name, ram.sizeBytes, { kind: "ram", ram });
  }

  /** All of `ram`, deaf to the guest's writes. */
  static rom(name: string, ram: GuestRam): MemoryRegion {
    const region = MemoryRegion.ram(name, ram);
    region.#readonly = true;
    return region;
  }

  /** A window of `sizeBytes` on `target` from `offset`. */
  static alias(name: string, target: MemoryRegion, offset: number | bigint, sizeBytes: number | bigint): MemoryRegion {
    const region = new MemoryRegion(name, sizeBytes, { kind: "alias", target });
    region.#aliasOffset = BigInt(offset);
    return region;
  }

  get sizeBytes(): bigint {
    return this.#sizeBytes;
  }

  set sizeBytes(value: bigint) {
    if (this.#sizeBytes === value) return;
    this.#sizeBytes = value;
    this.#touch();
  }

  /** Where it lies in its container. */
  get address(): bigint {
    return this.#address;
  }

  set address(value: bigint) {
    if (this.#address === value) return;
    this.#address = value;
    // A region that moves counts as younger than its equals, as one that is taken out and put back does.
    const { container } = this;
    if (container === undefined) return;
    container.remove(this);
    container.#insert(this);
  }

  get priority(): number {
    return this.#priority;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  set enabled(value: boolean) {
    if (this.#enabled === value) return;
    this.#enabled = value;
    this.#touch();
  }

  /** Whether writes through this region are lost: a ROM, or a RAM alias that is write-protected. */
  get readonly(): boolean {
    return this.#readonly;
  }

  set readonly(value: boolean) {
    if (this.#readonly === value) return;
    this.#readonly = value;
    this.#touch();
  }

  get container(): MemoryRegion | undefined {
    return this.#container;
  }

  /** Those directly inside, the first one seen first where they overlap. */
  get children(): readonly MemoryRegion[] {
    return this.#children;
  }

  /** The region that this one is a window on, and from where. */
  get alias(): { readonly target: MemoryRegion; readonly offset: bigint } | undefined {
    return this.content.kind === "alias" ? { target: this.content.target, offset: this.#aliasOffset } : undefined;
  }

  set aliasOffset(offset: bigint) {
    if (this.#aliasOffset === offset) return;
    this.#aliasOffset = offset;
    this.#touch();
  }

  /** How `info mtree` calls it; an alias is called as its target is, write-protected or not. */
  get kindName(): "i/o" | "ram" | "rom" {
    if (this.content.kind === "alias") return this.content.target.kindName;
    if (this.content.kind !== "ram") return "i/o";
    return this.#readonly ? "rom" : "ram";
  }

  /** Places `child`, which lies nowhere yet, at `address`. */
  add(child: MemoryRegion, address: number | bigint, priority = 0): void {
    assert(child.#container === undefined, `region ${child.name} lies in ${child.#container?.name} already`);
    child.#address = BigInt(address);
    child.#priority = priority;
    this.#insert(child);
  }

  /** Takes `child` out. */
  remove(child: MemoryRegion): void {
    assert(child.#container === this, `region ${child.name} does not lie in ${this.name}`);
    child.#container = undefined;
    this.#children = this.#children.filter((other) => other !== child);
    this.#touch();
  }

  /** Calls `changed` after each change of what is seen through this region; the returned function ends that. */
  observe(changed: () => void): () => void {
    this.#observers.add(changed);
    return () => void this.#observers.delete(changed);
  }

  #insert(child: MemoryRegion): void {
    child.#container = this;
    const at = this.#children.findIndex((other) => child.#priority >= other.#priority);
    this.#children.splice(at < 0 ? this.#children.length : at, 0, child);
    this.#touch();
  }

  #touch(): void {
    for (const changed of this.#observers) changed();
    for (const alias of this.#aliases) alias.#touch();
    if (this.#container !== undefined) this.#container.#touch();
  }
}
