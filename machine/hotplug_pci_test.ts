/**
 * A disk comes to PCI and goes from it, as the guest's firmware sees it through ACPI's ports, against real QEMU.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import "../base/host/preload.ts";
import { nextTurn } from "../base/turn.ts";
import { haveProgram } from "../tests/support/programs.ts";
import { QemuGuest } from "../tests/support/qemu_guest.ts";
import { TempFolder } from "../tests/support/temp.ts";
import { type GuestBus, VirtioBlkGuest } from "./guest/mod.ts";
import { guestBus } from "./guest_bus.ts";
import { testPc } from "./testing.ts";

const Port = {
  up: 0xae00,
  down: 0xae04,
  eject: 0xae08,
  removable: 0xae0c,
  gpeStatus: 0xafe0,
  gpeEnable: 0xafe2,
} as const;
const PCI_EVENT = 2;
const MiB = 1024 * 1024;

/** The same life on both machines: what `act` does by the monitor, and what the guest reads. */
async function life(bus: GuestBus, act: (line: string) => Promise<unknown>): Promise<number[]> {
  const seen: number[] = [];
  const look = async () => {
    for (const port of [Port.up, Port.up, Port.down, Port.removable]) seen.push(await bus.in32(port));
    seen.push(await bus.in8(Port.gpeStatus));
  };
  await look();
  await act("device_add virtio-blk-pci,drive=d,id=v,addr=7");
  await look();
  await bus.out8(Port.gpeStatus, PCI_EVENT);
  const [disk] = await VirtioBlkGuest.detect(bus, { area: { address: 0x20_0000, sizeBytes: 0x4_0000 } });
  await disk!.write(5, new Uint8Array(512).fill(0x77));
  seen.push((await disk!.read(5, 1))[0]!);
  await act("device_del v");
  await look();
  await bus.out8(Port.gpeStatus, PCI_EVENT);
  await bus.out32(Port.eject, 0xc0 << 1 | 1 << 7); // Of several slots the lowest goes.
  await act("info block");
  await look();
  return seen;
}

Deno.test({
  name: "a disk is plugged in and taken out through ACPI as on QEMU",
  ignore: !haveProgram("qemu-system-x86_64"),
  async fn() {
    await using temp = await TempFolder.make();
    const [ours, theirs] = [
      await temp.write("a.raw", new Uint8Array(MiB)),
      await temp.write("b.raw", new Uint8Array(MiB)),
    ];
    await using pc = await testPc({ drives: [{ name: "d", file: ours, format: "raw" }] });
    const { machine } = pc;
    const deleted: unknown[] = [];
    machine.events.on("DEVICE_DELETED", (event) => void deleted.push(event));
    const seen = await life(guestBus(machine), async (line) => {
      if (line.startsWith("device_add")) {
        const properties: [string, string][] = [["drive", "d"], ["addr", "7"]];
        await machine.plugDevice({ driver: "virtio-blk-pci", id: "v", properties });
      } else if (line === "device_del v") {
        await machine.unplugDevice("v");
        await assertRejects(() => machine.unplugDevice("v"), Error, "Device v is already in the process of unplug");
      } else {
        await machine.exclusive(async () => {});
        await nextTurn();
      }
    });
    await using guest = await QemuGuest.start(["-drive", `if=none,id=d,file=${theirs},format=raw`]);
    assertEquals(seen, await life(guest, (line) => guest.monitor(line)));
    assertEquals(deleted, [
      { path: "/machine/peripheral/v/virtio-backend" },
      { device: "v", path: "/machine/peripheral/v" },
    ]);
    assertEquals([machine.findDevice("v"), machine.backends.find("d")], [undefined, undefined]);
  },
});

Deno.test("the guest hears of it by SCI, and a reset lets go of what was asked to leave", async () => {
  await using temp = await TempFolder.make();
  const file = await temp.write("a.raw", new Uint8Array(MiB));
  await using pc = await testPc({ drives: [{ name: "d", file, format: "raw" }] });
  const { machine } = pc;
  const bus = guestBus(machine);
  await bus.out8(Port.gpeEnable, PCI_EVENT);
  assertEquals(machine.built.interruptLevel(9), 0);
  await machine.plugDevice({ driver: "virtio-blk-pci", id: "v", properties: [["drive", "d"]] });
  assertEquals(machine.built.interruptLevel(9), 1);
  await machine.unplugDevice("v");
  assert(machine.findDevice("v")?.realized);
  await machine.reset();
  await machine.exclusive(async () => {});
  assertEquals(machine.findDevice("v"), undefined);
});
