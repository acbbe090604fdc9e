import { assertEquals } from "@std/assert";
import { type Chips, chips } from "./testing.ts";
import { FwCfgKey } from "./fw_cfg.ts";
import { addPcItems } from "./fw_cfg_pc.ts";
import { PM_TIMER_HZ } from "./acpi_pm1.ts";
import { nsAtTick } from "./ticks.ts";

function item(machine: Chips, key: number, length: number): number[] {
  machine.out(0x510, key, 2);
  return Array.from({ length }, () => machine.in(0x511));
}

Deno.test("fw_cfg: items, files and their directory", async () => {
  const machine = await chips();
  addPcItems(machine.fwCfg, {
    ramBytes: 2 ** 27,
    lowRamBytes: 2 ** 27,
    cpus: 1,
    maxCpus: 1,
    noGraphic: false,
    bootMenu: true,
  });
  assertEquals(item(machine, FwCfgKey.RamSize, 8), [0, 0, 0, 8, 0, 0, 0, 0]);
  assertEquals(item(machine, FwCfgKey.BootMenu, 3), [1, 0, 0]);
  const directory = item(machine, FwCfgKey.FileDirectory, 4 + 64);
  assertEquals(directory.slice(0, 12), [0, 0, 0, 5, 0, 0, 0, 0, 0, 0x20, 0, 0]);
  assertEquals(String.fromCharCode(...directory.slice(12, 25)), "bios-geometry");
  const e820 = item(machine, FwCfgKey.FirstFile + 3, 40);
  assertEquals(e820.slice(20), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 1, 0, 0, 0]);
});

Deno.test("fw_cfg: DMA selects, skips and reads; a write is refused", async () => {
  const machine = await chips();
  const request = (control: number, length: number) => {
    const view = new DataView(new ArrayBuffer(16));
    view.setUint32(0, control);
    view.setUint32(4, length);
    view.setBigUint64(8, 0x2000n);
    machine.memory.write(0x1000, new Uint8Array(view.buffer));
    machine.out(0x518, 0x0010_0000, 4); // big-endian 1000h
    return machine.memory.readValue(0x1000, 4);
  };
  assertEquals(request(0x0008, 0), 0); // select signature
  assertEquals(request(0x0004, 1), 0);
  machine.memory.writeValue(0x2000, 4, 0xffff_ffff);
  assertEquals(request(0x0002, 4), 0);
  assertEquals(machine.memory.readValue(0x2000, 4), 0x0055_4d45); // "EMU", then zero
  assertEquals(request(0x0010, 4), 0x0100_0000);
});

const PM = 0x600;

async function mapped(): Promise<Chips> {
  const machine = await chips();
  machine.pm.writeConfig(0x40, 4, PM | 1);
  machine.pm.writeConfig(0x80, 1, 1);
  return machine;
}

Deno.test("the power management timer runs at 3.579545 MHz and its carry interrupts", async () => {
  const machine = await mapped();
  machine.out(PM, 0xffff, 2);
  machine.out(PM + 2, 0x0001, 2);
  machine.clock.advance(nsAtTick(PM_TIMER_HZ, PM_TIMER_HZ));
  assertEquals(machine.in(PM + 8, 4), PM_TIMER_HZ);
  assertEquals(machine.irqLevels[9], 0);
  machine.clock.advance(nsAtTick(2 ** 23 - PM_TIMER_HZ, PM_TIMER_HZ));
  assertEquals(machine.irqLevels[9], 1);
  machine.out(PM, 0x0001, 2);
  assertEquals(machine.irqLevels[9], 0);
});

Deno.test("the power button asks, soft off switches off", async () => {
  const machine = await mapped();
  machine.out(PM + 2, 0x0100, 2);
  machine.pm.pressPowerButton();
  assertEquals([machine.in(PM, 2) & 0x100, machine.irqLevels[9]], [0x100, 1]);
  machine.out(PM + 4, 0x2001, 2);
  assertEquals(machine.shutdowns.count, 1);
  machine.out(PM + 4, 0x3c01, 2);
  assertEquals(machine.warnings.length, 1);
});

Deno.test("registers follow the base address, over a snapshot too", async () => {
  const machine = await mapped();
  machine.out(PM + 2, 0x0021, 2);
  const other = await chips();
  other.pm.load(machine.pm.save());
  assertEquals(other.in(PM + 2, 2), 0x21);
  other.pm.writeConfig(0x40, 4, 0xb001);
  assertEquals([other.in(PM + 2, 2), other.in(0xb002, 2)], [0xffff, 0x21]);
});

Deno.test("the SMBus writes and reads an EEPROM byte by byte and by words", async () => {
  const machine = await chips();
  const transact = (address: number, command: number, control: number) => {
    for (const [port, value] of [[0xb100, 0xff], [0xb104, address], [0xb103, command], [0xb102, control]] as const) {
      machine.out(port, value);
    }
    machine.in(0xb100);
    return machine.in(0xb100);
  };
  machine.out(0xb105, 0x5a);
  assertEquals(transact(0xa0, 0x10, 0x48), 0x02);
  assertEquals(transact(0xa1, 0x10, 0x48), 0x02);
  assertEquals(machine.in(0xb105), 0x5a);
  machine.eeprom.program(Uint8Array.of(0x80, 0x08, 0x07));
  assertEquals(transact(0xa1, 1, 0x4c), 0x02);
  assertEquals([machine.in(0xb105), machine.in(0xb106)], [0x08, 0x07]);
  assertEquals(transact(0x11, 0, 0x48), 0x04);
});
