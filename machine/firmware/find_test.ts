import { assertEquals, assertThrows } from "@std/assert";
import { TempFolder } from "../../tests/support/temp.ts";
import { MachineError } from "../errors.ts";
import { findFirmware } from "./find.ts";

Deno.test("firmware is found in the first folder that has it; what cannot be firmware is named", async () => {
  await using temp = await TempFolder.make();
  const name = "no-such-firmware.bin";
  assertEquals(findFirmware(name, [temp.path]), undefined);
  const path = await temp.write(name, "ROM");
  assertEquals(findFirmware(name, ["/nonexistent", temp.path]), new TextEncoder().encode("ROM"));
  await Deno.truncate(path, 17 << 20);
  const text = `could not read firmware '${path}': File too large (more than 16 MiB)`;
  assertThrows(() => findFirmware(name, [temp.path]), MachineError, text);
  await Deno.remove(path);
  await Deno.mkdir(path);
  assertThrows(() => findFirmware(name, [temp.path]), MachineError, "Is a directory");
});
