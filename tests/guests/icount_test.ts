/**
 * Time by instructions: the same disk and seed give the same run.
 */
import { assert, assertEquals } from "@std/assert";
import { bootDisk, haveSeaBios, makeGuest } from "./boot_sector.ts";

/**
 * Reads 9 sectors one by one by int 13h and says after each the low byte of the PIT's count and of the time stamp
 * counter, as hexadecimal digits would: so the trace holds time itself.
 */
const READER = [
  ...[0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0xbe, 0x02, 0x00], // ds = es = 0, si = 2
  ...[0xbb, 0x00, 0x10, 0xb8, 0x01, 0x02, 0x89, 0xf1, 0xba, 0x80, 0x00, 0xcd, 0x13], // int 13h: sector si to 1000
  ...[0xba, 0x02, 0x04, 0xb0, 0x3a, 0xee, 0xa0, 0x00, 0x10, 0xee], // ':' and the first byte
  ...[0x30, 0xc0, 0xe6, 0x43, 0xe4, 0x40, 0xee, 0xe4, 0x40, 0xee], // latch counter 0 and say both bytes
  ...[0x0f, 0x31, 0xba, 0x02, 0x04, 0xee, 0x88, 0xe0, 0xee], // rdtsc: two bytes
  ...[0x46, 0x83, 0xfe, 0x0b, 0x75, 0xd0], // the next, to sector 10
  ...[0xb0, 0x21, 0xee, 0xfa, 0xf4, 0xeb, 0xfd], // '!' and the end
];

async function trace(folder: string): Promise<{ text: string; instructions: number }> {
  const disk = bootDisk(READER);
  for (let sector = 1; sector < 10; sector++) disk.fill(0x60 + sector, 512 * sector, 512 * (sector + 1));
  await using guest = await makeGuest({
    folder,
    disk,
    icount: { shift: 3, sleep: false },
    hostNs: Date.UTC(2026, 0, 2) * 1e6,
    inMemory: true,
  });
  await guest.machine.cont();
  await guest.waitFor(/:i[^]{4}!/);
  await guest.machine.stop();
  return { text: guest.text(), instructions: guest.cpu.core.instructions };
}

Deno.test({
  name: "with -icount sleep=off two runs of SeaBIOS and a boot sector that reads are one run",
  ignore: !haveSeaBios(),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const first = await trace(folder);
      const second = await trace(folder);
      assert(first.instructions > 1e6);
      assertEquals(second, first);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
