/**
 * Whatever a guest asks of the firmware, nothing is thrown, every call ends, and it still serves afterwards.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { SeededRandom } from "../../../base/random.ts";
import { BlockBackend, BlockGraph } from "../../../block/mod.ts";
import { Vga } from "../../../devices/vga/mod.ts";
import { testMachine } from "../../../devices/bus/testing.ts";
import { BuiltInBios } from "./bios.ts";
import { FRAME_BYTES } from "./call.ts";
import { OWN_SERVICE } from "./rom.ts";
import { callFirmware, FRAME_AT } from "./testing.ts";

const INTERRUPTS = [0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x1a, 0x40];
/** These print much: one call in a hundred. */
const BOOTING = [0x18, 0x19, OWN_SERVICE.bootMenu, OWN_SERVICE.optionRom];
const CALLS = 5000;
/** Functions are few: a random one would mostly be none. */
const FUNCTIONS: Readonly<Record<number, readonly number[]>> = {
  0x10: [...Array.from({ length: 0x1b }, (_, index) => index), 0x4f, 0x4f, 0x11, 0x11],
  0x13: [0x00, 0x02, 0x03, 0x04, 0x08, 0x15, 0x41, 0x42, 0x43, 0x44, 0x47, 0x48, 0x4b],
  0x15: [0xe8, 0x87, 0x88, 0xc0, 0x24, 0x86, 0xc2, 0xc2, 0x53],
  0x1a: [0x00, 0x02, 0x04, 0xb1],
};
const EXTENDED = 0x9fc00;
const UNITS = [0, 1, 0x80, 0x81, 0xe0];

for (const seed of [1, 2, 3]) {
  Deno.test(`nonsense for the firmware's services, seed ${seed}`, async () => {
    const random = new SeededRandom(seed);
    const machine = testMachine();
    await using graph = new BlockGraph({ clocks: machine.clocks, random: machine.random, trace: machine.trace });
    await using floppy = new BlockBackend({ graph, name: "floppy" });
    await using disk = new BlockBackend({ graph, name: "disk" });
    await floppy.insertMedium(await graph.open({ driver: "memory", size: 1440 * 1024 }));
    await disk.insertMedium(await graph.open({ driver: "memory", size: 2 ** 21 }));
    await new Vga(machine, {}, {}).realize(machine.pci);
    const bios = new BuiltInBios(machine, {
      lowRamBytes: 2 ** 24,
      highRamBytes: 0,
      bootOrder: () => "cad",
      bootMenu: true,
      strictBoot: false,
      disks: () => [{ kind: "floppy", backend: floppy }, { kind: "disk", backend: disk }],
      toSerial: false,
      kernel: undefined,
      optionRoms: [],
      files: () => undefined,
    });
    await bios.realize(machine.isa);
    let sleeping = 0;
    for (let i = 0; i < CALLS; i++) {
      const frame = new Uint8Array(FRAME_BYTES);
      random.fill(frame);
      const numbers = i % 100 === 0 ? BOOTING : INTERRUPTS;
      const interrupt = numbers[random.below(numbers.length)]!;
      const view = new DataView(frame.buffer);
      view.setUint16(FRAME_AT.number, interrupt, true);
      const functions = FUNCTIONS[interrupt] ?? Array.from({ length: 0x20 }, (_, index) => index);
      frame[FRAME_AT.ax + 1] = functions[random.below(functions.length)]!;
      // Strings of 64 Ki characters take their time.
      if (frame[FRAME_AT.ax + 1] === 0x13) frame[FRAME_AT.cx + 1] = 0;
      if (interrupt === 0x10 || interrupt === 0x15) frame[FRAME_AT.ax] = random.below(0x38);
      if (random.below(2) === 0) frame[FRAME_AT.dx] = UNITS[random.below(UNITS.length)]!;
      // The firmware's own data lies where every program can write.
      for (const area of [0x400, EXTENDED]) {
        if (random.below(4) === 0) machine.memory.writeValue(area + random.below(0x100), 1, random.below(0x100));
      }
      if (await callFirmware(machine, frame) !== "sleeps") continue;
      // A key or the time would end it; a reset ends all.
      if (++sleeping % 8 === 0) await bios.reset();
    }
    await bios.reset();
    const wanted = new Uint8Array(FRAME_BYTES);
    new DataView(wanted.buffer).setUint16(FRAME_AT.number, OWN_SERVICE.powerOn, true);
    await callFirmware(machine, wanted);
    new DataView(wanted.buffer).setUint16(FRAME_AT.number, 0x12, true);
    const size = await callFirmware(machine, wanted);
    assert(size !== "sleeps");
    assertEquals(new DataView(size.buffer).getUint16(FRAME_AT.ax, true), 639);
  });
}
