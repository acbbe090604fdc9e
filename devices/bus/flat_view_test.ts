import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { AddressSpace, MemoryRegion, PlainRam } from "./mod.ts";
import { flatten } from "./flat_view.ts";

const SPACE = 64;

interface Shape {
  readonly kind: "container" | "io" | "ram" | "alias";
  readonly size: number;
  readonly at: number;
  readonly priority: number;
  readonly enabled: boolean;
  readonly readonly: boolean;
  readonly aliasOffset: number;
  /** Which earlier region an alias shows. */
  readonly aliasOf: number;
  readonly children: readonly Shape[];
}

const shape = fc.letrec<{ region: Shape }>((tie) => ({
  region: fc.record({
    kind: fc.constantFrom("container", "io", "ram", "alias"),
    size: fc.integer({ min: 1, max: SPACE }),
    at: fc.integer({ min: 0, max: SPACE }),
    priority: fc.integer({ min: -1, max: 2 }),
    enabled: fc.boolean(),
    readonly: fc.boolean(),
    aliasOffset: fc.integer({ min: 0, max: 16 }),
    aliasOf: fc.nat(),
    children: fc.oneof({ depthSize: "small" }, fc.constant([]), fc.array(tie("region"), { maxLength: 4 })),
  }),
})).region;

const handlers = { read: () => 0, write() {} };

function build(shape: Shape, earlier: MemoryRegion[]): MemoryRegion {
  const target = earlier[shape.aliasOf % Math.max(earlier.length, 1)];
  let region: MemoryRegion;
  if (shape.kind === "alias" && target !== undefined) {
    region = MemoryRegion.alias("alias", target, shape.aliasOffset, shape.size);
  } else if (shape.kind === "io") region = MemoryRegion.io("io", shape.size, handlers);
  else if (shape.kind === "ram") region = MemoryRegion.ram("ram", new PlainRam(shape.size));
  else region = MemoryRegion.container("container", shape.size);
  region.enabled = shape.enabled;
  region.readonly = shape.readonly;
  if (region.alias === undefined) {
    for (const child of shape.children) {
      region.add(build(child, earlier), child.at, child.priority);
    }
  }
  earlier.push(region);
  return region;
}

/** What one address shows, by asking the tree from the top: the definition, without any flattening. */
function lookUp(
  region: MemoryRegion,
  address: number,
  readonly: boolean,
): { region: MemoryRegion; offset: number; readonly: boolean } | undefined {
  if (!region.enabled || address < 0 || address >= Number(region.sizeBytes)) return undefined;
  const deaf = readonly || region.readonly;
  const { alias } = region;
  if (alias !== undefined) return lookUp(alias.target, address + Number(alias.offset), deaf);
  for (const child of region.children) {
    const found = lookUp(child, address - Number(child.address), deaf);
    if (found !== undefined) return found;
  }
  return region.content.kind === "container" ? undefined : { region, offset: address, readonly: deaf };
}

Deno.test("a flat view shows at each address what the tree shows there", () => {
  fc.assert(
    fc.property(fc.array(shape, { minLength: 1, maxLength: 8 }), (shapes) => {
      const earlier: MemoryRegion[] = [];
      const root = MemoryRegion.container("root", SPACE);
      for (const child of shapes) root.add(build(child, earlier), child.at, child.priority);
      const ranges = flatten(root);
      for (let address = 0; address < SPACE; address++) {
        const expected = lookUp(root, address, false);
        const range = ranges.find(({ start, end }) => address >= start && address < end);
        const found = range === undefined ? undefined : {
          region: range.region,
          offset: range.offset + address - range.start,
          readonly: range.readonly,
        };
        assertEquals(found?.region, expected?.region);
        assertEquals(found?.offset, expected?.offset);
        assertEquals(found?.readonly, expected?.readonly);
      }
      for (let index = 1; index < ranges.length; index++) {
        assertEquals(ranges[index - 1]!.end <= ranges[index]!.start, true);
      }
    }),
    { numRuns: 300 },
  );
});

Deno.test("the younger of two equals is seen, and a higher priority before both", () => {
  const root = MemoryRegion.container("root", 16);
  const [first, second, high] = ["first", "second", "high"].map((name) => MemoryRegion.io(name, 16, handlers));
  root.add(high!, 0, 1);
  root.add(first!, 0);
  root.add(second!, 0);
  assertEquals(flatten(root).map(({ region }) => region.name), ["high"]);
  high!.enabled = false;
  assertEquals(flatten(root).map(({ region }) => region.name), ["second"]);
  root.remove(second!);
  assertEquals(flatten(root).map(({ region }) => region.name), ["first"]);
});

Deno.test("an address space follows changes behind aliases", () => {
  const pci = MemoryRegion.container("pci", 1n << 64n);
  const system = MemoryRegion.container("system", 1n << 64n);
  system.add(MemoryRegion.alias("window", pci, 0x1000, 0x1000), 0x1000);
  const space = new AddressSpace("memory", system);
  assertEquals(space.readValue(0x1800, 1), 0);
  const bar = MemoryRegion.io("bar", 0x10, { read: (offset) => offset + 1, write() {} });
  pci.add(bar, 0x1800);
  assertEquals(space.readValue(0x1802, 1), 3);
  bar.address = 0x1900n;
  assertEquals(space.readValue(0x1802, 1), 0);
  assertEquals(space.readValue(0x1904, 1), 5);
  pci.remove(bar);
  assertEquals(space.readValue(0x1904, 1), 0);
});

Deno.test("regions of 2^64 bytes flatten to what a number can reach", () => {
  const root = MemoryRegion.io("all", 1n << 64n, handlers);
  assertEquals(flatten(root).map(({ start, end }) => [start, end]), [[0, Number.MAX_SAFE_INTEGER]]);
});
