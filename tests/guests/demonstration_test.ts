/**
 * The demonstration guest: what it says, and what it does to its disk.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { COUNT_SECTOR } from "../../tools/system/demonstration/guest.ts";
import { demonstrationDisk } from "../../tools/system/demonstration/disk.ts";
import { haveSeaBios } from "./boot_sector.ts";
import { boot } from "./booted.ts";

const SECTOR = 512;

for (const firmware of ["SeaBIOS", "built-in firmware"] as const) {
  Deno.test({
    name: `demonstration guest over ${firmware}: entries are on the disk and on the serial port, and q switches off`,
    ignore: firmware === "SeaBIOS" && !haveSeaBios(),
    fn: async () => {
      const { disk, readmeAt } = demonstrationDisk();
      assertEquals(new TextDecoder().decode(disk.subarray(readmeAt, readmeAt + 9)), "This disk");
      await using machine = await boot(disk, firmware === "SeaBIOS" ? {} : { bios: "built-in" });
      const { vm } = machine;
      await vm.serial.waitFor(/entry 3 in sector 2004: written and read back/, { timeoutMs: 60_000 });
      assert(vm.serial.text.includes("This is the demonstration guest of moa."));
      await vm.stop();
      const image = await machine.image();
      const words = new Uint32Array(image.slice(COUNT_SECTOR * SECTOR, (COUNT_SECTOR + 5) * SECTOR).buffer);
      assert(words[1]! >= 3, `count on the disk: ${words[1]}`);
      // The third entry: its number in every word behind the mark.
      const third = words.subarray(4 * SECTOR / 4, 5 * SECTOR / 4);
      assertEquals([...third.subarray(1)].every((word) => word === 3), true);
      await vm.cont();
      const off = vm.event("SHUTDOWN", { timeoutMs: 60_000 });
      // The guest's time ends before the key is up again.
      void vm.sendKeys("q");
      assertEquals((await off).guest, true);
    },
  });
}
