/**
 * The virtio-blk driver over moa's pc, and the same steps over the pc of real QEMU: both say the same.
 *
 * @module
 */
import { assertEquals, assertRejects } from "@std/assert";
import "../../base/host/preload.ts";
import { haveProgram } from "../../tests/support/programs.ts";
import { QemuGuest } from "../../tests/support/qemu_guest.ts";
import { guestBus } from "../guest_bus.ts";
import { testPc } from "../testing.ts";
import { type GuestBus, IdeGuest, VirtioBlkError, VirtioBlkGuest, type VirtioBlkOptions } from "./mod.ts";

const MiB = 1024 * 1024;
/** Small, so that transfers are cut into several requests. */
const AREA = { address: 0x20_0000, sizeBytes: 0x4_0000 };
const LINE = 15;

interface Setup {
  readonly properties?: string;
  readonly driver: VirtioBlkOptions;
}

const SETUPS: readonly Setup[] = [
  { driver: { interface: "legacy" } },
  { driver: { interface: "legacy", wait: "pin", eventIndex: true } },
  { driver: { interface: "legacy", wait: "messages", indirect: true } },
  { driver: { wait: "pin" } },
  { driver: { wait: "messages", eventIndex: true, indirect: true, depth: 3 } },
  { properties: "packed=on", driver: { packed: true, wait: "messages" } },
  { properties: "packed=on", driver: { packed: true, wait: "pin", eventIndex: true } },
  { properties: "packed=on,disable-legacy=on", driver: { packed: true, indirect: true, eventIndex: true } },
  { properties: "num-queues=3", driver: { wait: "messages" } },
];

function name({ properties = "", driver }: Setup): string {
  return `${properties} ${JSON.stringify(driver)}`;
}

/** A raw image of 4 MiB, removed at the end. */
async function image(): Promise<{ file: string } & AsyncDisposable> {
  const folder = await Deno.makeTempDir({ prefix: "moa-virtio-" });
  const file = `${folder}/disk.raw`;
  await Deno.writeFile(file, Uint8Array.from({ length: 4 * MiB }, (_, i) => (i >> 9) & 0xff));
  return { file, [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
}

async function withMoa<T>(file: string, properties: string, play: (bus: GuestBus) => Promise<T>): Promise<T> {
  await using pc = await testPc({ drives: [{ name: "d", file, format: "raw" }] });
  const texts = `drive=d,serial=moa-7,queue-size=64,${properties}`.split(",").filter((text) => text !== "");
  await pc.machine.addDevice({
    driver: "virtio-blk-pci",
    properties: texts.map((text) => text.split("=") as [string, string]),
  });
  return await play(guestBus(pc.machine));
}

async function withQemu<T>(file: string, properties: string, play: (bus: GuestBus) => Promise<T>): Promise<T> {
  await using guest = await QemuGuest.start([
    "-drive",
    `if=none,id=d,file=${file},format=raw`,
    "-device",
    `virtio-blk-pci,drive=d,serial=moa-7,queue-size=64,${properties}`,
  ]);
  return await play(guest);
}

/** A driver's life: what it was told, as data to compare. */
async function life(bus: GuestBus, driver: VirtioBlkOptions): Promise<unknown> {
  const signal = AbortSignal.timeout(300_000);
  const [disk] = await VirtioBlkGuest.detect(bus, { area: AREA, line: LINE, ...driver });
  const queue = disk!.queues - 1;
  const call = { signal, queue };
  const said: unknown[] = [
    disk!.transport.kind,
    disk!.features.toString(16),
    (await disk!.transport.offered()).toString(16),
    [...(await disk!.config()).bytes],
    [...await disk!.transport.read(36, 21)],
    await disk!.identify(call),
  ];
  const before = await disk!.read(3, 2, call);
  await disk!.write(16, Uint8Array.from({ length: 40 * 512 }, (_, i) => i * 7 & 0xff), call);
  await disk!.flush(call);
  const after = await disk!.read(15, 50, call);
  await disk!.writeZeroes(20, 3, { ...call, unmap: true });
  await disk!.discard(24, 8, call);
  const zeroed = await disk!.read(20, 3, call);
  said.push([before[0], before[512]], await digest(after), zeroed.every((byte) => byte === 0));
  const failures = [
    () => disk!.read(8190, 8, call),
    () => disk!.write(8192, new Uint8Array(512), call),
    () => disk!.discard(8191, 2, call),
  ];
  for (const failing of failures) said.push((await assertRejects(failing, VirtioBlkError)).status);
  // Rounds enough for a ring of 64 to wrap.
  for (let round = 0; round < 8; round++) {
    const requests = Array.from({ length: 3 }, (_, i) => ({
      kind: "read" as const,
      sector: (round * 31 + i * 200) % 8000,
      lengthBytes: 1024,
    }));
    said.push([...await disk!.transfer(requests, call)]);
    said.push(await digest(await bus.readMemory(disk!.dataAddress(2, queue), 1024)));
  }
  await disk!.reset();
  said.push(await disk!.transport.status());
  return said;
}

async function digest(bytes: Uint8Array): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as BufferSource));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

for (const setup of SETUPS) {
  Deno.test({
    name: `a virtio-blk driver's life is as on QEMU: ${name(setup)}`,
    ignore: !haveProgram("qemu-system-x86_64"),
    async fn() {
      const { properties = "", driver } = setup;
      await using ours = await image();
      await using theirs = await image();
      const said = await withMoa(ours.file, properties, (bus) => life(bus, driver));
      assertEquals(said, await withQemu(theirs.file, properties, (bus) => life(bus, driver)));
      assertEquals(await digest(await Deno.readFile(ours.file)), await digest(await Deno.readFile(theirs.file)));
    },
  });
}

for (const first of ["ide", "virtio"] as const) {
  Deno.test(`both controllers of one machine without firmware, ${first} first: DMA of both arrives`, async () => {
    await using disk = await image();
    const content = (await Deno.readFile(disk.file)).slice(0, 4096);
    const raw = { file: disk.file, format: "raw", readOnly: true } as const;
    const cd = { name: "c", ...raw, at: { interface: "ide", media: "cdrom", bus: 0, unit: 0 } } as const;
    await using pc = await testPc({ drives: [cd, { name: "d", ...raw }] });
    await pc.machine.addDevice({ driver: "virtio-blk-pci", properties: [["drive", "d"]] });
    const bus = guestBus(pc.machine);
    const drivers = {
      ide: async () => {
        const guest = await IdeGuest.detect(bus);
        return async () => await guest.cd(0, 0).readDma(0, 2);
      },
      virtio: async () => {
        const [guest] = await VirtioBlkGuest.detect(bus, { area: AREA });
        return async () => await guest!.read(0, 8);
      },
    };
    const one = await drivers[first]();
    const other = await drivers[first === "ide" ? "virtio" : "ide"]();
    assertEquals([await one(), await other()], [content, content]);
  });
}
