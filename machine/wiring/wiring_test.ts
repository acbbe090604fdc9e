import { assertEquals, assertRejects } from "@std/assert";
import { ManualClock } from "../../base/clocks.ts";
import { parseOptionPairs } from "../../base/keyval.ts";
import { SeededRandom } from "../../base/random.ts";
import { TraceEvents } from "../../base/trace.ts";
import { type WiredMachine, wireMachine } from "./build.ts";
import { WiringError } from "./errors.ts";
import type { DeviceWish, DriveWish, MachineWishes } from "./options.ts";

const NULL_DISK = "driver=null-co,size=1M,read-zeroes=on";

function drive(text: string): DriveWish {
  return { origin: `-drive ${text}`, pairs: parseOptionPairs(text).pairs };
}

function device(text: string): DeviceWish {
  return { origin: `-device ${text}`, pairs: parseOptionPairs(text, "driver").pairs };
}

async function wire(wishes: MachineWishes, warnings: string[] = [], strict = true): Promise<WiredMachine> {
  const clock = new ManualClock();
  return await wireMachine(wishes, {
    clocks: { realtime: clock, host: clock },
    random: new SeededRandom(1),
    trace: new TraceEvents(),
    warn: (text, origin) => void warnings.push(origin === undefined ? text : `${origin}: ${text}`),
    notice: (text) => void warnings.push(text),
    strict,
  });
}

/** What `info block` would list: names, and where they are attached. */
async function drivesOf(wishes: MachineWishes): Promise<string[]> {
  const { machine } = await wire(wishes);
  await using _ = machine;
  return machine.backends.list().map(({ name, device }) => `${name} ${device?.path ?? "-"}`);
}

async function refusal(wishes: MachineWishes): Promise<string> {
  const error = await assertRejects(() => wire(wishes), WiringError);
  return `${error.stage}: ${error.origin === undefined ? "" : `${error.origin}: `}${error.message}`;
}

Deno.test("an empty pc has QEMU's three empty drives", async () => {
  assertEquals(await drivesOf({}), [
    "ide1-cd0 /machine/unattached/device[19]",
    "floppy0 /machine/unattached/device[13]",
    "sd0 -",
  ]);
  assertEquals(await drivesOf({ nodefaults: true }), []);
});

Deno.test("drives take the first free place, or the one that they name", async () => {
  const drives = [drive(`${NULL_DISK},index=3`), drive(NULL_DISK), drive(NULL_DISK), drive(`${NULL_DISK},if=none`)];
  const names = (await drivesOf({ drives, nodefaults: true })).map((line) => line.split(" ")[0]);
  assertEquals(names, ["ide1-hd1", "ide0-hd0", "ide0-hd1", "none0"]);
});

Deno.test("a disk of the user takes the place of the default CD drive", async () => {
  const drives = [drive(`${NULL_DISK},if=none,id=d`)];
  const found = await drivesOf({ drives, devices: [device("ide-hd,drive=d,id=disk")] });
  assertEquals(found.map((line) => line.split(" ")[0]), ["d", "floppy0", "sd0"]);
  assertEquals(found[0], "d /machine/peripheral/disk");
});

Deno.test("if=virtio makes a disk of its own, after the devices of the user", async () => {
  const drives = [drive(`${NULL_DISK},if=virtio`), drive(`${NULL_DISK},if=virtio`), drive(`${NULL_DISK},if=none,id=d`)];
  assertEquals(await drivesOf({ nodefaults: true, drives, devices: [device("virtio-blk-pci,drive=d,id=disk")] }), [
    "virtio0 /machine/peripheral-anon/device[0]/virtio-backend",
    "virtio1 /machine/peripheral-anon/device[1]/virtio-backend",
    "d /machine/peripheral/disk/virtio-backend",
  ]);
});

Deno.test("refusals name the option and come in QEMU's order", async () => {
  const nodefaults = true;
  assertEquals(
    await refusal({ nodefaults, drives: [drive(`${NULL_DISK},index=0`), drive(`${NULL_DISK},index=0`)] }),
    `drives: -drive ${NULL_DISK},index=0: drive with bus=0, unit=0 (index=0) exists`,
  );
  assertEquals(
    await refusal({ nodefaults, drives: [drive(`${NULL_DISK},unit=2`)] }),
    `drives: -drive ${NULL_DISK},unit=2: unit 2 too big (max is 1)`,
  );
  assertEquals(
    await refusal({ nodefaults, drives: [drive(`${NULL_DISK},if=scsi`)] }),
    `devices: -drive ${NULL_DISK},if=scsi: machine type does not support if=scsi,bus=0,unit=0`,
  );
  assertEquals(
    await refusal({ nodefaults, drives: [drive("if=virtio")] }),
    "devices: -drive if=virtio: Device needs media, but drive is empty",
  );
  assertEquals(
    await refusal({ nodefaults, devices: [device("ide-hd,bus=nosuch")] }),
    "devices: -device ide-hd,bus=nosuch: Bus 'nosuch' not found",
  );
  assertEquals(
    await refusal({ nodefaults, devices: [device("ide-cd,id=x"), device("ide-cd,id=x")] }),
    "drives: -device ide-cd,id=x: Duplicate ID 'x' for device",
  );
  assertEquals(await refusal({ nodefaults, bootOrder: "e" }), "devices: Invalid boot device for PC: 'e'");
});

Deno.test("ide-drive is an old name: refused in strict mode, else taken with a note", async () => {
  const wishes = {
    nodefaults: true,
    drives: [drive(`${NULL_DISK},if=none,id=d`)],
    devices: [device("ide-drive,drive=d,bus=ide.0,id=disk")],
  };
  assertEquals(
    await refusal(wishes),
    "devices: -device ide-drive,drive=d,bus=ide.0,id=disk: 'ide-drive' is not a valid device model name",
  );
  const warnings: string[] = [];
  const { machine } = await wire(wishes, warnings, false);
  await using _ = machine;
  assertEquals(machine.findDevice("disk")?.type.name, "ide-hd");
  assertEquals(warnings.length, 1);
});

Deno.test("-global is a default: what a device says itself goes before it", async () => {
  const { machine } = await wire({
    nodefaults: true,
    globals: [{ driver: "ide-hd", property: "serial", value: "GLOBAL" }],
    drives: [drive(`${NULL_DISK},if=none,id=a`), drive(`${NULL_DISK},if=none,id=b`)],
    devices: [device("ide-hd,drive=a,id=one"), device("ide-hd,drive=b,id=two,serial=OWN")],
  });
  await using _ = machine;
  assertEquals(["one", "two"].map((id) => machine.findDevice(id)?.properties.serial), ["GLOBAL", "OWN"]);
});

Deno.test("the real-time clock begins where it is told", async () => {
  const startSeconds = Date.UTC(2006, 5, 17, 16, 1, 21) / 1000;
  const { machine } = await wire({ nodefaults: true, timeOfDay: { clock: "virtual", startSeconds } });
  await using _ = machine;
  const read = (index: number) => {
    machine.ports.writeValue(0x70, 1, index);
    return machine.ports.readValue(0x71, 1).toString(16);
  };
  assertEquals([0x32, 9, 8, 7, 4, 2, 0].map(read), ["20", "6", "6", "17", "16", "1", "21"]);
});

Deno.test("-boot once= counts until the first reset", async () => {
  const { machine } = await wire({ nodefaults: true, bootOrder: "c", bootOnce: "d" });
  await using _ = machine;
  const firstDevice = () => {
    machine.ports.writeValue(0x70, 1, 0x3d);
    return machine.ports.readValue(0x71, 1);
  };
  assertEquals(firstDevice(), 3);
  await machine.reset();
  assertEquals(firstDevice(), 2);
});
