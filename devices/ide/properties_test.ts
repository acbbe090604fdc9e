/**
 * Properties of ide-hd and ide-cd: what is refused, in the words of QEMU 7.2, and what is settled.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import { PropertyError } from "../bus/mod.ts";
import type { IdeBus } from "./ide_bus.ts";
import { guessGeometry } from "../drive/mod.ts";
import { ideCd, ideHd } from "./ide_device.ts";
import type { Medium } from "./testing/ata_dialogues.ts";
import { Rig } from "./testing/rig.ts";

const MiB = 1024 * 1024;
const DISK: Medium = { kind: "ide-hd", index: 0, sizeBytes: 64 * MiB };

const REFUSED: readonly (readonly [properties: string, text: string])[] = [
  ["logical_block_size=4096", "logical_block_size > physical_block_size not supported"],
  ["logical_block_size=4096,physical_block_size=4096", "logical_block_size must be 512 for IDE"],
  ["physical_block_size=1000", "Property .physical_block_size doesn't take value '1000', it's not a power of 2"],
  ["cyls=65536,heads=16,secs=63", "cyls must be between 1 and 65535"],
  ["cyls=1,heads=17,secs=63", "heads must be between 1 and 16"],
  ["cyls=100,heads=16,secs=256", "secs must be between 1 and 255"],
  ["cyls=100", "heads must be between 1 and 16"],
  ["heads=3", "cyls must be between 1 and 65535"],
  ["min_io_size=513", "min_io_size must be a multiple of logical_block_size"],
  ["min_io_size=33554432", "min_io_size must not exceed 65535 logical blocks"],
  ["opt_io_size=700", "opt_io_size must be a multiple of logical_block_size"],
  ["discard_granularity=4096", "discard_granularity must be 512 for ide"],
  ["rotation_rate=70000", "Parameter 'rotation_rate' expects uint16_t"],
  ["bios-chs-trans=foo", "Parameter 'bios-chs-trans' does not accept value 'foo'"],
  ["foo=1", "Property 'ide-hd.foo' not found"],
];

for (const [properties, text] of REFUSED) {
  Deno.test(`ide-hd refuses ${properties}`, async () => {
    await using rig = await Rig.start();
    const error = await assertRejects(() => rig.plug({ ...DISK, properties }), PropertyError);
    assertEquals(error.message, text);
  });
}

Deno.test("a disk needs a drive with a medium that can be written, and a unit that is free", async () => {
  await using rig = await Rig.start([DISK]);
  const messages: string[] = [];
  const attempt = async (plug: () => Promise<unknown>) => {
    messages.push((await assertRejects(plug, PropertyError)).message);
  };
  const bus = rig.ide.buses.find(({ name }) => name === "ide.0") as IdeBus;
  await attempt(() => ideHd.create(rig.machine, { unit: 0 }).realize(bus));
  await attempt(() => ideHd.create(rig.machine).realize(bus));
  await attempt(() => rig.plug({ kind: "ide-hd", index: 1 }));
  await attempt(() => ideHd.create(rig.machine, { unit: 2 }).realize(bus));
  await ideCd.create(rig.machine).realize(bus);
  await attempt(() => ideCd.create(rig.machine).realize(bus));
  assertEquals(messages, [
    "IDE unit 0 is in use",
    "No drive specified",
    "Device needs media, but drive is empty",
    "Can't create IDE unit 2, bus supports only 2 units",
    "IDE unit 1 is in use",
  ]);
});

Deno.test("what was left open is settled when the disk is realized", async () => {
  await using rig = await Rig.start([DISK, { kind: "ide-cd", index: 3 }]);
  const [disk] = rig.ide.buses.find(({ name }) => name === "ide.0")!.devices;
  const { cyls, heads, secs, serial, ver, unit, discard_granularity } = disk!.properties;
  assertEquals([cyls, heads, secs, serial, ver, unit, discard_granularity], [130, 16, 63, "QM00001", "2.5+", 0, 512]);
  assertEquals(disk!.properties["bios-chs-trans"], "none");
  const [cd] = rig.ide.buses.find(({ name }) => name === "ide.1")!.devices;
  assertEquals([cd!.properties.serial, cd!.properties.unit], ["QM00004", 1]);
});

Deno.test("the properties are those of QEMU's help", () => {
  assertEquals(Object.keys(ideHd.properties).length, 27);
  assertEquals(Object.keys(ideCd.properties).length, 19);
});

function partitioned(endHead: number, endSector: number): Uint8Array {
  const sector = new Uint8Array(512);
  sector.set([0x80, 1, 1, 0, 0x83, endHead, endSector, 0xff, 63, 0, 0, 0, 0, 0x10, 0, 0], 0x1be);
  sector.set([0x55, 0xaa], 510);
  return sector;
}

Deno.test("geometry: by size, by partition table, and behind a translating firmware", () => {
  const none = new Uint8Array(512);
  const show = (sector: Uint8Array, sectors: number) => {
    const { geometry: { cylinders, heads, sectors: perTrack }, translation } = guessGeometry(sector, sectors);
    return [cylinders, heads, perTrack, translation];
  };
  assertEquals(show(none, 131072), [130, 16, 63, "none"]);
  assertEquals(show(none, 100), [2, 16, 63, "none"]);
  assertEquals(show(none, 4194304), [4161, 16, 63, "lba"]);
  assertEquals(show(none, 2 ** 30), [16383, 16, 63, "lba"]);
  assertEquals(show(partitioned(7, 32), 131072), [512, 8, 32, "none"]);
  assertEquals(show(partitioned(254, 63), 4194304), [4161, 16, 63, "large"]);
  assertEquals(show(partitioned(254, 63), 2 ** 30), [16383, 16, 63, "lba"]);
});
