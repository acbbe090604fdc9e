/**
 * A second of harmful machine states with fixed seeds, and devices that are broken on purpose: a fuzzer that does not
 * see those sees nothing.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { DeviceTypes, type SavedDevice } from "../../devices/bus/mod.ts";
import { pciSerial } from "../../devices/serial/mod.ts";
import { MachineError, standardDeviceTypes } from "../../machine/mod.ts";
import { STATE_CORPUS } from "./corpus.ts";
import { fuzzStates } from "./state_fuzz.ts";

/** moa's devices with a serial port that takes up states as `load` does. */
function broken(load: (saved: SavedDevice, sound: (saved: SavedDevice) => void) => void): DeviceTypes {
  const others = standardDeviceTypes().list().filter(({ name }) => name !== pciSerial.name);
  const type: typeof pciSerial = {
    ...pciSerial,
    create(...args) {
      const port = pciSerial.create(...args);
      const sound = port.load.bind(port);
      port.load = (saved) => load(saved, sound);
      return port;
    },
  };
  return new DeviceTypes([...others, type]);
}

Deno.test("fuzzing: whatever state an image brings, it is refused, or the machine works with it", async () => {
  assertEquals(await fuzzStates({ runs: 12 }), []);
});

for (const { seed, what } of STATE_CORPUS) {
  Deno.test(`fuzzing: a machine's state: ${what}`, async () => {
    assertEquals(await fuzzStates({ runs: 1, seed }), []);
  });
}

Deno.test("fuzzing sees a device that throws at a state", async () => {
  const types = broken(() => {
    throw new TypeError("planted");
  });
  assertMatch((await fuzzStates({ runs: 20, types }))[0]?.problem ?? "", /planted/);
});

Deno.test("fuzzing sees a state that is refused when half of it is loaded", async () => {
  const types = broken(() => {
    throw new MachineError("planted");
  });
  assertMatch((await fuzzStates({ runs: 20, types }))[0]?.problem ?? "", /refused, and yet changed: planted/);
});
