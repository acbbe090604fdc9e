/**
 * A second of harmful media and kernels with fixed seeds, and firmware that is broken on purpose.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { CALL_PORT } from "../../machine/firmware/bios/rom.ts";
import { fuzzBoots } from "./boot_fuzz.ts";

Deno.test("fuzzing: the built-in firmware outlives whatever is booted from", async () => {
  assertEquals(await fuzzBoots({ runs: 40 }), []);
});

Deno.test("fuzzing sees firmware that touches what is behind RAM", async () => {
  const [finding] = await fuzzBoots({
    runs: 1,
    plant: (machine) => {
      const write = machine.ports.writeValue.bind(machine.ports);
      machine.ports.writeValue = (port, size, value) => {
        if (port === CALL_PORT) machine.memory.writeValue(0x40_0010, 1, 1);
        write(port, size, value);
      };
    },
  });
  assertMatch(finding?.problem ?? "", /written at RAM's end \+ 16/);
});

Deno.test("fuzzing sees a call that never ends", async () => {
  const [finding] = await fuzzBoots({
    runs: 1,
    plant: (machine) => {
      const read = machine.ports.readValue.bind(machine.ports);
      machine.ports.readValue = (port, size) => port === CALL_PORT + 1 ? 1 : read(port, size);
    },
  });
  assertMatch(finding?.problem ?? "", /never ended/);
});
