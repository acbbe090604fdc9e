import { assert, assertEquals, assertThrows } from "@std/assert";
import { type Device, DeviceTypes, parseProperties, prop, type Property, PropertyError, propertyHelp } from "./mod.ts";
import type { DeviceType } from "./mod.ts";

/** What `qemu-system-x86_64 -device T,name=text` (7.2) says after the option. */
const REFUSALS: readonly [name: string, property: Property<unknown>, text: string, message: string][] = [
  ["unit", prop.uint32(0), "abc", "Parameter 'unit' expects integer"],
  ["unit", prop.uint32(0), "-1", "Parameter 'unit' expects uint32_t"],
  ["unit", prop.uint32(0), "99999999999", "Parameter 'unit' expects uint32_t"],
  ["unit", prop.uint32(0), "", "Parameter 'unit' expects integer"],
  ["rotation_rate", prop.uint16(0), "70000", "Parameter 'rotation_rate' expects uint16_t"],
  ["cyls", prop.uint32(0), "1e3", "Parameter 'cyls' expects integer"],
  ["wwn", prop.uint64(0n), "zz", "Parameter 'wwn' expects integer"],
  ["wwn", prop.uint64(0n), "0x99999999999999999", "Parameter 'wwn' expects integer"],
  ["share-rw", prop.bool(false), "1", "Parameter 'share-rw' expects 'on' or 'off'"],
  ["write-cache", prop.onOffAuto(), "maybe", "Parameter 'write-cache' does not accept value 'maybe'"],
  ["werror", prop.blockdevOnError(), "foo", "Parameter 'werror' does not accept value 'foo'"],
  [
    "logical_block_size",
    prop.blockSize(),
    "513",
    "Property .logical_block_size doesn't take value '513', it's not a power of 2",
  ],
  [
    "logical_block_size",
    prop.blockSize(),
    "4M",
    "Property .logical_block_size doesn't take value 4194304 (minimum: 512, maximum: 2097152)",
  ],
  [
    "logical_block_size",
    prop.blockSize(),
    "1.5k",
    "Property .logical_block_size doesn't take value '1536', it's not a power of 2",
  ],
  ["logical_block_size", prop.blockSize(), "-1", "Parameter 'logical_block_size' expects size"],
  [
    "discard_granularity",
    prop.size32(0),
    "5G",
    "Property ide-hd.discard_granularity doesn't take value 5368709120 (maximum: 4294967295)",
  ],
  ["drive", prop.drive(), "nope", "Property 'ide-hd.drive' can't find value 'nope'"],
  ["addr", prop.pciDevfn(), "1.8", "Property 'ide-hd.addr' doesn't take value '1.8'"],
  ["addr", prop.pciDevfn(), "32", "Property 'ide-hd.addr' doesn't take value '32'"],
  ["addr", prop.pciDevfn(), "5.", "Property 'ide-hd.addr' doesn't take value '5.'"],
  ["addr", prop.pciDevfn(), "5.0.0", "Property 'ide-hd.addr' doesn't take value '5.0.0'"],
];

Deno.test("texts that a property does not take are refused in QEMU's words", () => {
  for (const [name, property, text, message] of REFUSALS) {
    assertThrows(() => property.parse(text, { deviceType: "ide-hd", name }), PropertyError, message);
    try {
      property.parse(text, { deviceType: "ide-hd", name });
    } catch (error) {
      assertEquals((error as Error).message, message);
    }
  }
});

Deno.test("texts become values and print as info qtree shows them", () => {
  const scope = { deviceType: "t", name: "n" };
  const rows: readonly [Property<unknown>, string, unknown, string][] = [
    [prop.uint32(0), "0x10", 16, "16 (0x10)"],
    [prop.uint32(0), "4294967295", 0xffffffff, "4294967295 (0xffffffff)"],
    [prop.int32(0), "-1", -1, "-1 (0xffffffffffffffff)"],
    [prop.uint64(0n), "-5", 18446744073709551611n, "18446744073709551611 (0xfffffffffffffffb)"],
    [prop.bool(false), "yes", true, "true"],
    [prop.str(), "QM00001", "QM00001", '"QM00001"'],
    [prop.size(0n), "2G", 2147483648n, "2147483648 (2 GiB)"],
    [prop.size32(0), "4294967295", 4294967295, "4294967295 (4 GiB)"],
    [prop.blockSize(), "4k", 4096, "4096 (4 KiB)"],
    [prop.onOffAuto(), "on", "on", '"on"'],
    [prop.pciDevfn(), "1f.3", 0xfb, "1f.3"],
    [prop.pciDevfn(), "6", 0x30, "06.0"],
  ];
  for (const [property, text, value, printed] of rows) {
    assertEquals(property.parse(text, scope), value);
    assertEquals(property.print(value), printed);
  }
  assertEquals(prop.str().print(undefined), '""');
  assertEquals(prop.drive().print(undefined), '""');
});

const TYPE: DeviceType = {
  name: "thing",
  busType: "ISA",
  category: "Misc",
  alias: "old-thing",
  userCreatable: true,
  properties: { b: prop.uint32(1), a: prop.str() },
  helpOnly: { "region[0]": "child<memory-region>" },
  create: (): Device => {
    throw new Error("not made here");
  },
};

Deno.test("unknown properties are refused, known ones parsed", () => {
  assertThrows(() => parseProperties(TYPE, [["c", "1"]]), PropertyError, "Property 'thing.c' not found");
  assertThrows(() => parseProperties(TYPE, [["toString", "1"]]), PropertyError, "Property 'thing.toString' not found");
  assertEquals(parseProperties(TYPE, [["b", "2"], ["a", "x"]]), { b: 2, a: "x" });
});

Deno.test("help rows come by name, and types are found by alias", () => {
  assertEquals(propertyHelp(TYPE).map(({ name, defaultText }) => [name, defaultText]), [
    ["a", undefined],
    ["b", "1"],
    ["region[0]", undefined],
  ]);
  const types = new DeviceTypes([TYPE]);
  assert(types.find("old-thing") === TYPE);
  assertEquals(types.find("other"), undefined);
});
