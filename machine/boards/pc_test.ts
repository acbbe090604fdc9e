import { assert, assertEquals, assertRejects } from "@std/assert";
import { GiB, MiB } from "../../base/units.ts";
import { PciDevice } from "../../devices/bus/mod.ts";
import { MachineError } from "../errors.ts";
import { testPc } from "../testing.ts";

Deno.test("devices have QEMU's paths", async () => {
  await using pc = await testPc();
  const names = pc.machine.objects.unattached.children.map(({ name, typeName }) => `${name} ${typeName}`);
  assertEquals(names, [
    "device[0] qemu64-x86_64-cpu",
    "device[1] kvmvapic",
    "device[2] i440FX",
    "device[3] PIIX3",
    "device[4] i8257",
    "device[5] i8257",
    "device[6] isa-i8259",
    "device[7] isa-i8259",
    "device[8] hpet",
    "device[9] mc146818rtc",
    "device[10] isa-pit",
    "device[11] isa-pcspk",
    "device[12] isa-fdc",
    "device[13] i8042",
    "device[14] vmport",
    "device[15] vmmouse",
    "device[16] port92",
    "device[17] piix3-ide",
    "device[18] PIIX4_PM",
    ...Array.from({ length: 8 }, (_, index) => `device[${19 + index}] smbus-eeprom`),
  ]);
  assertEquals(pc.machine.findDevice("/machine/i440fx/ioapic")?.type.name, "ioapic");
  assertEquals(pc.machine.findDevice("/machine/unattached/device[13]/ps2kbd")?.type.name, "ps2-kbd");
});

Deno.test("configuration space goes through CF8 and CFC at every width", async () => {
  await using pc = await testPc();
  const { qtest } = pc;
  assertEquals(qtest.in(0xcfc), 0xff);
  qtest.out(0xcf8, 0x80000000, 4);
  assertEquals(qtest.in(0xcf8, 4), 0x80000000);
  assertEquals(qtest.in(0xcfc, 4), 0x12378086);
  assertEquals([qtest.in(0xcfe, 2), qtest.in(0xcff)], [0x1237, 0x12]);
  qtest.out(0xcf8, 0x80000800, 4);
  assertEquals(qtest.in(0xcfc, 4), 0x70008086);
  qtest.out(0xcf8, 0x8000f800, 4);
  assertEquals(qtest.in(0xcfc, 4), 0xffffffff);
  // A byte written to CF8 is no address.
  qtest.out(0xcf8, 0x12);
  assertEquals(qtest.in(0xcf8, 4), 0x8000f800);
});

Deno.test("PAM registers decide where reads and writes of the first megabyte go", async () => {
  await using pc = await testPc();
  const { qtest, machine } = pc;
  const pam = (value: number) => {
    qtest.out(0xcf8, 0x80000058, 4);
    qtest.out(0xcfd, value); // 59: F0000 in the upper half
  };
  machine.ram.write(0xf0000, new Uint8Array([0xaa]));
  assertEquals(qtest.readValue(0xf0000, 1), 0);
  pam(0x10);
  assertEquals(qtest.readValue(0xf0000, 1), 0xaa);
  qtest.writeValue(0xf0000, 0x55, 1);
  assertEquals(qtest.readValue(0xf0000, 1), 0xaa);
  pam(0x30);
  qtest.writeValue(0xf0000, 0x55, 1);
  assertEquals([...machine.ram.slice(0xf0000, 1)], [0x55]);
  pam(0x00);
  qtest.writeValue(0xf0000, 0x77, 1);
  assertEquals([qtest.readValue(0xf0000, 1), machine.ram.slice(0xf0000, 1)[0]], [0, 0x55]);
});

Deno.test("PCI interrupts are routed to ISA lines and from there to the CPU", async () => {
  await using pc = await testPc();
  const { qtest, machine } = pc;
  // Route wire 3 (pin A of slot 4) to line 11, unmask it.
  qtest.out(0xcf8, 0x80000860, 4);
  qtest.out(0xcff, 11);
  for (const [port, value] of [[0x20, 0x11], [0x21, 0x08], [0x21, 0x04], [0x21, 0x01], [0x21, 0xfb]] as const) {
    qtest.out(port, value);
  }
  for (const [port, value] of [[0xa0, 0x11], [0xa1, 0x70], [0xa1, 0x02], [0xa1, 0x01], [0xa1, 0xf7]] as const) {
    qtest.out(port, value);
  }
  const seen: number[] = [];
  machine.built.watchInterrupt(11, (level) => seen.push(level));
  const device = await machine.addDevice({ driver: "piix3-ide", properties: [["addr", "04.0"]] });
  assert(device instanceof PciDevice);
  device.pci.setInterrupt(device, 0, 1);
  assertEquals([machine.built.interruptLevel(11), qtest.interruptLevel], [1, 1]);
  assertEquals(qtest.acknowledgeInterrupt(), 0x73);
  device.pci.setInterrupt(device, 0, 0);
  assertEquals(seen, [1, 0]);
});

Deno.test("port CF9 resets the machine", async () => {
  await using pc = await testPc();
  const { machine, qtest } = pc;
  await machine.cont();
  const reset = new Promise<object>((resolve) => machine.events.on("RESET", resolve));
  qtest.out(0xcf9, 0x02);
  assertEquals(qtest.in(0xcf9), 0x02);
  qtest.out(0xcf9, 0x06);
  assertEquals(await reset, { guest: true, reason: "guest-reset" });
  assertEquals(qtest.in(0xcf9), 0);
});

Deno.test("RAM from 3.5 GiB on is split around the hole", async () => {
  await using pc = await testPc({ ramBytes: 4 * GiB });
  const { machine } = pc;
  machine.memory.writeValue(0x1_0000_0000, 4, 0x12345678);
  assertEquals(machine.ram.slice(3 * GiB, 4)[0], 0x78);
  assertEquals(machine.memory.read(3 * GiB, new Uint8Array(1)), false);
});

Deno.test("RAM that is not to be had is refused in QEMU's words", async () => {
  await assertRejects(
    () => testPc({ ramBytes: 1e6 * GiB }),
    MachineError,
    "cannot set up guest memory 'pc.ram': Cannot allocate memory",
  );
});

Deno.test("the boot order is checked in QEMU's words and lands in CMOS", async () => {
  await using pc = await testPc({ ramBytes: 16 * MiB });
  const { machine, qtest } = pc;
  assertEquals(machine.built.setBootOrder("x"), "Invalid boot device 'x'");
  assertEquals(machine.built.setBootOrder("cc"), "Boot device 'c' was given twice");
  assertEquals(machine.built.setBootOrder("abcd"), "Too many boot devices for PC");
  assertEquals(machine.built.setBootOrder("ce"), "Invalid boot device for PC: 'e'");
  assertEquals(machine.built.setBootOrder("dc"), undefined);
  qtest.out(0x70, 0x3d);
  assertEquals(qtest.in(0x71), 0x23);
});

Deno.test("user's devices: buses, ids and types are refused in QEMU's words", async () => {
  await using pc = await testPc();
  const { machine } = pc;
  const add = (driver: string, more: object = {}) => machine.addDevice({ driver, properties: [], ...more });
  const rows: readonly [() => Promise<unknown>, string][] = [
    [() => add("foo"), "'foo' is not a valid device model name"],
    [() => add("i8257"), "Parameter 'driver' expects a pluggable device type"],
    [() => add("piix3-ide", { bus: "nope" }), "Bus 'nope' not found"],
    [() => add("piix3-ide", { bus: "isa.0" }), "Device 'piix3-ide' can't go on ISA bus"],
    [() => add("piix3-ide", { properties: [["foo", "1"]] }), "Property 'piix3-ide.foo' not found"],
    [() => add("floppy", { properties: [["unit", "2"]] }), "Can't create floppy unit 2, bus supports only 2 units"],
    [() => add("floppy", { hotplug: true }), "Bus 'floppy-bus.0' does not support hotplugging"],
  ];
  for (const [attempt, message] of rows) {
    const error = await assertRejects(attempt, Error);
    assertEquals(error.message, message);
  }
  const device = await add("piix3-ide", { id: "foo" });
  assertEquals([device.path, device.buses.map(({ name }) => name)], [
    "/machine/peripheral/foo",
    ["foo.1", "foo.0"],
  ]);
  const nameless = await add("piix3-ide");
  assertEquals([nameless.path, nameless.buses.map(({ name }) => name)], [
    // Attempts that failed count.
    "/machine/peripheral-anon/device[1]",
    ["ide.3", "ide.2"],
  ]);
});

Deno.test("boot indexes become paths for the firmware, in their order", async () => {
  await using pc = await testPc();
  const { machine, qtest } = pc;
  await machine.addDevice({ driver: "ide-cd", properties: [["bootindex", "7"]], bus: "ide.1" });
  await machine.addDevice({ driver: "ide-cd", properties: [["bootindex", "1"], ["unit", "1"]], bus: "ide.0" });
  const again = machine.addDevice({ driver: "ide-cd", properties: [["bootindex", "1"]], bus: "ide.0" });
  assertEquals((await assertRejects(() => again, Error)).message, "The bootindex 1 has already been used");
  await machine.cont();
  const item = (key: number, length: number) => {
    qtest.out(0x510, key, 2);
    return Uint8Array.from({ length }, () => qtest.in(0x511));
  };
  const count = new DataView(item(0x19, 4).buffer).getUint32(0);
  const entries = item(0x19, 4 + 64 * count);
  for (let at = 4; at < entries.length; at += 64) {
    const view = new DataView(entries.buffer, at, 64);
    const name = new TextDecoder().decode(entries.subarray(at + 8, at + 17));
    if (name !== "bootorder") continue;
    const text = new TextDecoder().decode(item(view.getUint16(4), view.getUint32(0)));
    assertEquals(text, "/pci@i0cf8/ide@1,1/drive@0/disk@1\n/pci@i0cf8/ide@1,1/drive@1/disk@0\0");
    return;
  }
  throw new Error("there is no bootorder");
});
