import { assertEquals, assertRejects } from "@std/assert";
import {
  type DeviceContext,
  type DeviceType,
  MemoryRegion,
  PCI_PROPERTIES,
  PciDevice,
  PlainRam,
  PropertyError,
  type PropertyValues,
} from "../mod.ts";
import { testMachine } from "../testing.ts";

const TYPE: DeviceType<typeof PCI_PROPERTIES> = {
  name: "gadget",
  busType: "PCI",
  category: "Misc",
  userCreatable: true,
  properties: PCI_PROPERTIES,
  create: (context, values) => new Gadget(context, values),
};

class Gadget extends PciDevice<typeof PCI_PROPERTIES, { counter: number }> {
  counter = 0;

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PCI_PROPERTIES>> = {}) {
    super(TYPE, context, { vendor: 0x1234, device: 0x5678, classCode: 0x0880, interruptPin: 1 }, values);
    const registers = {
      read: () => this.counter,
      write: (_at: number, _size: number, value: number) => {
        this.counter = value;
      },
    };
    this.addBar(0, "memory", MemoryRegion.io("gadget-mmio", 0x1000, registers));
    this.addBar(4, "io", MemoryRegion.io("gadget-io", 16, registers));
  }

  protected override saveState() {
    return { counter: this.counter };
  }

  protected override loadState(state: { counter: number }) {
    this.counter = state.counter;
  }
}

/** One with a BAR of 64 bits, an expansion ROM, a capability of its own and four messages. */
class Messenger extends PciDevice {
  constructor(context: DeviceContext) {
    super(TYPE, context, { vendor: 0x1234, device: 0x9abc, classCode: 0x0880, interruptPin: 1 });
    const registers = { read: () => 0x5a, write() {} };
    this.addBar(2, "memory", MemoryRegion.io("wide", 0x2000, registers), { prefetchable: true, is64Bit: true });
    this.addRom(MemoryRegion.rom("rom", new PlainRam(new Uint8Array(2048).fill(0x77))));
    this.addCapability(0x09, 0x10);
    this.addMsix(0, 4, "messages");
  }
}

async function messenger() {
  const machine = testMachine();
  const device = new Messenger(machine);
  await device.realize(machine.pci);
  device.writeConfig(0x10, 4, 0xfe00_0000);
  device.writeConfig(4, 2, 6);
  const table = (vector: number, values: readonly number[]) =>
    values.forEach((value, i) => machine.memory.writeValue(0xfe00_0000 + vector * 16 + i * 4, 4, value));
  return { machine, device, table, pending: () => machine.memory.readValue(0xfe00_0800, 4) };
}

async function gadget(addr?: number) {
  const machine = testMachine();
  const device = new Gadget(machine, addr === undefined ? {} : { addr });
  await device.realize(machine.pci);
  return { machine, device };
}

Deno.test("identity is read only, and sizes of BARs are found by writing ones", async () => {
  const { device } = await gadget();
  assertEquals(device.readConfig(0, 4), 0x56781234);
  device.writeConfig(0, 4, 0);
  assertEquals(device.readConfig(0, 4), 0x56781234);
  device.writeConfig(0x10, 4, 0xffffffff);
  assertEquals(device.readConfig(0x10, 4), 0xfffff000);
  device.writeConfig(0x20, 4, 0xffffffff);
  assertEquals(device.readConfig(0x20, 4), 0xfffffff1);
  assertEquals(device.readConfig(0x2c, 4), 0x11001af4);
});

Deno.test("a BAR is seen where software puts it, while the command register lets it", async () => {
  const { machine, device } = await gadget();
  device.counter = 0x42;
  device.writeConfig(0x20, 4, 0xc000);
  assertEquals(machine.in(0xc000), 0xff);
  device.writeConfig(4, 2, 1);
  assertEquals(machine.in(0xc000), 0x42);
  device.writeConfig(0x20, 4, 0xd000);
  assertEquals([machine.in(0xc000), machine.in(0xd000)], [0xff, 0x42]);
  device.writeConfig(4, 2, 0);
  assertEquals(machine.in(0xd000), 0xff);
  device.writeConfig(0x10, 4, 0xe0000000);
  device.writeConfig(4, 2, 2);
  assertEquals(machine.memory.readValue(0xe0000ffc, 4), 0x42);
});

Deno.test("a BAR at 0, or one that reaches the end of 4 GiB, is not seen", async () => {
  const { device } = await gadget();
  device.writeConfig(4, 2, 3);
  assertEquals(device.bars.map(({ address }) => address), [undefined, undefined]);
  device.writeConfig(0x10, 4, 0xfffff000);
  device.writeConfig(0x20, 4, 0xfffffff0);
  assertEquals(device.bars.map(({ address }) => address), [undefined, undefined]);
});

Deno.test("a bus master reaches memory only while it may", async () => {
  const { machine, device } = await gadget();
  machine.memory.writeValue(0x1000, 4, 0x11223344);
  const bytes = new Uint8Array(4);
  device.dma.read(0x1000, bytes);
  assertEquals([...bytes], [0, 0, 0, 0]);
  device.dma.write(0x1000, new Uint8Array([9]));
  device.writeConfig(4, 2, 4);
  device.dma.read(0x1000, bytes);
  assertEquals([...bytes], [0x44, 0x33, 0x22, 0x11]);
});

Deno.test("the interrupt pin goes to the slot's wire; interrupt disable holds it back", async () => {
  const { machine, device } = await gadget(5 << 3);
  device.interrupt.set(1);
  assertEquals(machine.wireLevels, [0, 1, 0, 0]);
  assertEquals(device.readConfig(6, 2) & 8, 8);
  device.writeConfig(4, 2, 0x400);
  assertEquals(machine.wireLevels, [0, 0, 0, 0]);
  device.writeConfig(4, 2, 0);
  assertEquals(machine.wireLevels, [0, 1, 0, 0]);
  await device.reset();
  assertEquals(machine.wireLevels, [0, 0, 0, 0]);
});

Deno.test("slots are found, checked and given back, in QEMU's words", async () => {
  const { machine, device } = await gadget();
  assertEquals([device.slot, device.properties.addr], [0, 0]);
  const realize = (values: Partial<PropertyValues<typeof PCI_PROPERTIES>>) => {
    const other = new Gadget(machine, values);
    return other.realize(machine.pci).then(() => other);
  };
  await assertRejects(
    () => realize({ addr: 0 }),
    PropertyError,
    "PCI: slot 0 function 0 not available for gadget, in use by gadget,id=(null)",
  );
  await assertRejects(
    () => realize({ addr: 1 }),
    PropertyError,
    "PCI: single function device can't be populated in function 0.1",
  );
  await realize({ addr: 5 * 8 + 1 });
  await assertRejects(
    () => realize({ addr: 5 * 8 }),
    PropertyError,
    "PCI: 5.0 indicates single function, but 5.1 is already populated.",
  );
  const next = await realize({});
  assertEquals(next.slot, 1);
  await next.unrealize();
  assertEquals(machine.pci.at(8), undefined);
});

Deno.test("configuration and state survive a snapshot; a reset clears them", async () => {
  const { machine, device } = await gadget();
  device.writeConfig(0x20, 4, 0xc000);
  device.writeConfig(4, 2, 1);
  device.counter = 7;
  device.interrupt.set(1);
  const saved = structuredClone(device.save());
  await device.reset();
  device.counter = 0;
  assertEquals([machine.in(0xc000), device.readConfig(4, 2)], [0xff, 0]);
  device.load(saved);
  assertEquals([machine.in(0xc000), device.readConfig(4, 2), machine.wireLevels[0]], [7, 1, 1]);
});

Deno.test("a state of another form is refused and changes nothing", async () => {
  const { device } = await gadget();
  const saved = device.save();
  assertEquals(device.refusal({ ...saved, version: 2 }), "gadget: state of version 2, known is 1");
  assertEquals(
    device.refusal({ ...saved, state: { counter: "7" } }),
    "gadget: state.state.counter is string, not number",
  );
  assertEquals(device.refusal({ ...saved, state: {} }), "gadget: state.state.counter is missing");
  assertEquals(
    device.refusal({ ...saved, base: { config: new Uint8Array(8), interrupt: 0 } }),
    "gadget: state.base.config has 8 bytes, not 256",
  );
});

Deno.test("a BAR of 64 bits is seen above 4 GiB; beyond 2^53 it is not", async () => {
  const { machine, device } = await messenger();
  for (const offset of [0x18, 0x1c]) device.writeConfig(offset, 4, 0xffff_ffff);
  assertEquals([device.readConfig(0x18, 4), device.readConfig(0x1c, 4)], [0xffff_e00c, 0xffff_ffff]);
  assertEquals(device.bars.find(({ index }) => index === 2)!.address, undefined);
  device.writeConfig(0x1c, 4, 0x0000_0080);
  device.writeConfig(0x18, 4, 0x0000_4000);
  assertEquals(device.bars.find(({ index }) => index === 2)!.address, 0x80_0000_4000);
  assertEquals(machine.memory.readValue(0x80_0000_4000, 4), 0x5a);
});

Deno.test("an expansion ROM is seen while its own bit and the command register let it", async () => {
  const { machine, device } = await messenger();
  device.writeConfig(0x30, 4, 0xffff_ffff);
  assertEquals(device.readConfig(0x30, 4), 0xffff_f801);
  device.writeConfig(0x30, 4, 0xfd00_0000);
  assertEquals(machine.memory.readValue(0xfd00_0000, 4), 0);
  device.writeConfig(0x30, 4, 0xfd00_0001);
  assertEquals(machine.memory.readValue(0xfd00_0000, 4), 0x7777_7777);
  machine.memory.writeValue(0xfd00_0000, 4, 0);
  assertEquals(machine.memory.readValue(0xfd00_0000, 4), 0x7777_7777);
});

Deno.test("capabilities are a list, the youngest first, that software cannot change", async () => {
  const { device } = await messenger();
  for (let at = 0x40; at < 0x60; at++) if (at !== 0x53) device.writeConfig(at, 1, 0xff);
  assertEquals(device.readConfig(6, 2) & 0x10, 0x10);
  assertEquals(device.readConfig(0x34, 1), 0x50);
  assertEquals([device.readConfig(0x50, 4), device.readConfig(0x54, 4), device.readConfig(0x58, 4)], [
    0x0003_4011,
    0x0000_0000,
    0x0000_0800,
  ]);
  assertEquals(device.readConfig(0x40, 4), 0x0000_0009);
});

Deno.test("a message is written where the table says; masks hold it back", async () => {
  const { machine, device, table, pending } = await messenger();
  const landed = () => machine.memory.readValue(0x5000, 4);
  device.interrupt.set(1);
  device.writeConfig(0x52, 2, 0x8000);
  assertEquals(machine.wireLevels, [0, 0, 0, 0]);
  device.msix!.notify(2);
  device.msix!.notify(9);
  assertEquals(pending(), 0b0100);
  table(2, [0x5000, 0, 0x1234, 1]);
  assertEquals(landed(), 0);
  table(2, [0x5000, 0, 0x1234, 0]);
  assertEquals([landed(), pending()], [0x1234, 0]);

  machine.memory.writeValue(0x5000, 4, 0);
  device.writeConfig(0x52, 2, 0xc000);
  device.msix!.notify(2);
  assertEquals([landed(), pending()], [0, 0b0100]);
  device.writeConfig(0x52, 2, 0x8000);
  assertEquals([landed(), pending()], [0x1234, 0]);
});

Deno.test("messages need bus mastering, and one to no address is lost", async () => {
  const { machine, device, table } = await messenger();
  device.writeConfig(0x52, 2, 0x8000);
  table(0, [0xffff_fffc, 0xffff_ffff, 1, 0]);
  device.msix!.notify(0);
  table(1, [0x5000, 0, 7, 0]);
  device.writeConfig(4, 2, 2);
  device.msix!.notify(1);
  assertEquals(machine.memory.readValue(0x5000, 4), 0);
});

Deno.test("a message to a register that sends a message ends there", async () => {
  const { machine, device, table } = await messenger();
  let written = 0;
  const bell = MemoryRegion.io("bell", 4, {
    read: () => 0,
    write: () => {
      written++;
      device.msix!.notify(0);
    },
  });
  machine.systemMemory.add(bell, 0xfc00_0000, 2);
  device.writeConfig(0x52, 2, 0x8000);
  table(0, [0xfc00_0000, 0, 1, 0]);
  device.msix!.notify(0);
  assertEquals(written, 1);
});

Deno.test("the message table survives a snapshot; a reset masks and clears it", async () => {
  const { machine, device, table, pending } = await messenger();
  device.writeConfig(0x52, 2, 0xc000);
  table(3, [0x6000, 0, 0x77, 0]);
  device.msix!.notify(3);
  const saved = structuredClone(device.save());
  await device.reset();
  device.writeConfig(0x10, 4, 0xfe00_0000);
  device.writeConfig(4, 2, 6);
  assertEquals([pending(), machine.memory.readValue(0xfe00_003c, 4), device.readConfig(0x52, 2)], [0, 1, 3]);
  device.load(saved);
  assertEquals([pending(), device.readConfig(0x52, 2)], [8, 0xc003]);
  device.writeConfig(0x52, 2, 0x8000);
  assertEquals(machine.memory.readValue(0x6000, 4), 0x77);
  assertEquals(
    device.refusal({ ...saved, base: { ...saved.base, msix: { table: new Uint8Array(3) } } }),
    "gadget: state.base.msix.table has 3 bytes, not 64",
  );
});
