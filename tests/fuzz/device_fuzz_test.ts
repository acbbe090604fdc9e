import { assertEquals, assertMatch } from "@std/assert";
import { DeviceTypes } from "../../devices/bus/mod.ts";
import { pciSerial } from "../../devices/serial/mod.ts";
import { standardDeviceTypes } from "../../machine/mod.ts";
import { DEVICE_CORPUS } from "./corpus.ts";
import { fuzzDevices } from "./device_fuzz.ts";

Deno.test("fuzzing: devices come and go, or are refused and leave nothing behind", async () => {
  assertEquals(await fuzzDevices({ runs: 25 }), []);
});

for (const { seed, what } of DEVICE_CORPUS) {
  Deno.test(`fuzzing: devices: ${what}`, async () => {
    assertEquals(await fuzzDevices({ runs: 1, seed }), []);
  });
}

Deno.test("fuzzing sees a device that breaks when it comes", async () => {
  const others = standardDeviceTypes().list().filter(({ name }) => name !== pciSerial.name);
  const type: typeof pciSerial = {
    ...pciSerial,
    create(...args) {
      const port = pciSerial.create(...args);
      port.realize = () => Promise.reject(new TypeError("planted"));
      return port;
    },
  };
  const [finding] = await fuzzDevices({ runs: 20, types: new DeviceTypes([...others, type]) });
  assertMatch(finding?.problem ?? "", /planted/);
});
