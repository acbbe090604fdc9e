import { assert, assertEquals, assertRejects } from "@std/assert";
import { nextTurn } from "../base/turn.ts";
import {
  type Device,
  type DeviceContext,
  type DeviceType,
  DeviceTypes,
  type HotplugHandler,
  PCI_PROPERTIES,
  PciDevice,
  prop,
  PropertyError,
  type PropertyValues,
} from "../devices/bus/mod.ts";
import { standardDeviceTypes } from "./device_types.ts";
import { buses } from "./devices.ts";
import { testPc } from "./testing.ts";

const PROPERTIES = { drive: prop.drive(), ...PCI_PROPERTIES };

const GADGET: DeviceType<typeof PROPERTIES> = {
  name: "gadget",
  busType: "PCI",
  category: "Misc",
  userCreatable: true,
  properties: PROPERTIES,
  create: (context, values, options) => new Gadget(GADGET, context, values, options),
};

const FIXED: DeviceType<typeof PROPERTIES> = {
  ...GADGET,
  name: "fixture",
  hotpluggable: false,
  create: (context, values, options) => new Gadget(FIXED, context, values, options),
};

class Gadget extends PciDevice<typeof PROPERTIES> {
  resets = 0;

  constructor(
    type: DeviceType<typeof PROPERTIES>,
    context: DeviceContext,
    values: Partial<PropertyValues<typeof PROPERTIES>> = {},
    options: { id?: string | undefined } = {},
  ) {
    super(type, context, { vendor: 1, device: 2, classCode: 0x0880 }, values, options);
  }

  protected override onReset(): void {
    super.onReset();
    this.resets++;
  }
}

/** A pc whose PCI bus asks the guest. */
async function pcWithSlots() {
  const types = new DeviceTypes([...standardDeviceTypes().list(), GADGET, FIXED]);
  const { machine, ...rest } = await testPc({ types });
  const said: string[] = [];
  const handler: HotplugHandler = {
    plugged: (device: Device) => {
      if (device.id === "unwanted") throw new PropertyError("no room for it");
      said.push(`plugged ${device.id}`);
    },
    unplug: (device) => {
      said.push(`asked for ${device.id}`);
      return device.id === "quick" ? "now" : "asked";
    },
  };
  [...buses(machine)].find(({ name }) => name === "pci.0")!.hotplug = handler;
  machine.events.on("DEVICE_DELETED", ({ device, path }) => void said.push(`deleted ${device} ${path}`));
  return { machine, said, [Symbol.asyncDispose]: () => rest[Symbol.asyncDispose]() };
}

Deno.test("a device comes, the guest is asked, and it goes when the guest says so", async () => {
  await using pc = await pcWithSlots();
  const { machine, said } = pc;
  const device = await machine.plugDevice({ driver: "gadget", id: "g", properties: [["addr", "7"]] });
  assert(device instanceof Gadget);
  assertEquals([device.hotplugged, device.realized, device.resets, device.path], [
    true,
    true,
    1,
    "/machine/peripheral/g",
  ]);
  await machine.unplugDevice("g");
  assert(device.realized);
  await assertRejects(() => machine.unplugDevice("g"), Error, "Device g is already in the process of unplug");
  machine.context.ejected!(device);
  await machine.exclusive(async () => {});
  await nextTurn();
  assert(!device.realized);
  assertEquals(said, ["plugged g", "asked for g", "deleted g /machine/peripheral/g"]);
  await assertRejects(() => machine.unplugDevice("g"), Error, "Device 'g' not found");
  // Its slot, and its name, are free again.
  await machine.plugDevice({ driver: "gadget", id: "g", properties: [["addr", "7"]] });
});

Deno.test("a device that goes at once is heard of after the answer", async () => {
  await using pc = await pcWithSlots();
  const { machine, said } = pc;
  await machine.plugDevice({ driver: "gadget", id: "quick", properties: [] });
  await machine.unplugDevice("/machine/peripheral/quick");
  assertEquals(said.at(-1), "asked for quick");
  await nextTurn();
  assertEquals(said.at(-1), "deleted quick /machine/peripheral/quick");
});

Deno.test("what cannot stay leaves nothing behind", async () => {
  await using pc = await pcWithSlots();
  const { machine } = pc;
  const before = machine.devices.length;
  await assertRejects(
    () => machine.plugDevice({ driver: "gadget", id: "unwanted", properties: [] }),
    PropertyError,
    "no room for it",
  );
  assertEquals([machine.devices.length, machine.objects.peripheral.children.length], [before, 0]);
});

Deno.test("what its bus does not take leaves nothing behind: the machine can be saved, and the name is free", async () => {
  await using pc = await testPc();
  const { machine } = pc;
  const before = machine.devices.length;
  const refused: [driver: string, text: string, ...properties: [string, string][]][] = [
    ["pci-serial", "failover primary device must be on PCIExpress bus", ["failover_pair_id", "x"]],
    ["pci-serial", "PCI: slot 0 function 0 not available for pci-serial", ["addr", "0"]],
    ["isa-fdc", "isa-fdc: there is no ISA interrupt 16 (0 to 15)", ["irq", "16"], ["iobase", "0x100"]],
    ["isa-fdc", "isa-fdc: there is no DMA channel 9 (0 to 7)", ["dma", "9"], ["iobase", "0x100"]],
  ];
  for (const [driver, text, ...properties] of refused) {
    await assertRejects(() => machine.addDevice({ driver, id: "same", properties }), PropertyError, text);
  }
  assertEquals([machine.devices.length, machine.objects.peripheral.children.length], [before, 0]);
  for (const device of machine.devices) assertEquals(device.refusal(device.save()), undefined);
  await machine.addDevice({ driver: "pci-serial", id: "same", properties: [] });
});

// Texts of qemu-system-x86_64 7.2.
Deno.test("what cannot come or go is refused in QEMU's words", async () => {
  await using pc = await pcWithSlots();
  const { machine } = pc;
  const plug = (driver: string, more: { id?: string; bus?: string } = {}) => () =>
    machine.plugDevice({ driver, properties: [], ...more });
  await assertRejects(plug("ide-hd"), PropertyError, "Bus 'ide.1' does not support hotplugging");
  await assertRejects(plug("isa-fdc"), PropertyError, "Bus 'isa.0' does not support hotplugging");
  await assertRejects(plug("fixture"), PropertyError, "Parameter 'driver' expects a pluggable device type");
  await assertRejects(plug("foo"), PropertyError, "'foo' is not a valid device model name");
  await assertRejects(plug("gadget", { bus: "pci.7" }), PropertyError, "Bus 'pci.7' not found");
  await assertRejects(plug("gadget", { id: "9x" }), PropertyError, "Parameter 'id' expects an identifier");
  await machine.addDevice({ driver: "fixture", id: "f", properties: [] });
  await assertRejects(plug("gadget", { id: "f" }), PropertyError, "Duplicate device ID 'f'");
  const unplug = (name: string) => () => machine.unplugDevice(name);
  await assertRejects(unplug("f"), Error, "Device 'fixture' does not support hotplugging");
  await assertRejects(unplug("/machine"), Error, "/machine is not a hotpluggable device");
  const cpu = machine.devices.find(({ type }) => type.category === "CPU")!;
  await assertRejects(unplug(cpu.path), Error, "Boot CPU is unpluggable");
});
