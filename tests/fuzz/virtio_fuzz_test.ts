/**
 * A second of mad virtio drivers with fixed seeds, and devices that are broken on purpose: a fuzzer that does not see
 * those sees nothing.
 *
 * @module
 */
import { assertEquals, assertMatch } from "@std/assert";
import { DeviceTypes } from "../../devices/bus/mod.ts";
import { virtioBlkPci, VirtioPci } from "../../devices/virtio/mod.ts";
import { standardDeviceTypes } from "../../machine/mod.ts";
import { VIRTIO_CORPUS } from "./corpus.ts";
import { fuzzVirtio } from "./virtio_fuzz.ts";

/** moa's devices with a disk that does `plant` before each kick is heard. */
function broken(plant: (disk: VirtioBlkLike) => void): DeviceTypes {
  const others = standardDeviceTypes().list().filter(({ name }) => name !== virtioBlkPci.name);
  const type: typeof virtioBlkPci = {
    ...virtioBlkPci,
    create(...args) {
      const disk = virtioBlkPci.create(...args);
      const realize = disk.realize.bind(disk);
      disk.realize = async (bus) => {
        await realize(bus);
        if (!(disk instanceof VirtioPci)) return;
        const { device } = disk;
        const kick = device.kick.bind(device);
        device.kick = (index) => {
          plant(disk);
          kick(index);
        };
      };
      return disk;
    },
  };
  return new DeviceTypes([...others, type]);
}

type VirtioBlkLike = Pick<VirtioPci<typeof virtioBlkPci.properties>, "device" | "context">;

Deno.test("fuzzing: a virtio disk outlives every driver", async () => {
  assertEquals(await fuzzVirtio({ runs: 40 }), []);
});

for (const { seed, what } of VIRTIO_CORPUS) {
  Deno.test(`fuzzing: virtio: ${what}`, async () => {
    assertEquals(await fuzzVirtio({ runs: 1, seed }), []);
  });
}

Deno.test("fuzzing sees a virtio disk that throws", async () => {
  const types = broken(() => {
    throw new TypeError("planted");
  });
  assertMatch((await fuzzVirtio({ runs: 2, types }))[0]?.problem ?? "", /planted/);
});

Deno.test("fuzzing sees a virtio disk that reads behind RAM", async () => {
  const types = broken(({ context }) => void context.memory.readValue(16 << 20, 4));
  assertMatch((await fuzzVirtio({ runs: 2, types }))[0]?.problem ?? "", /read at RAM's end \+ 0/);
});

Deno.test("fuzzing sees a virtio disk that a reset does not mend", async () => {
  let kicks = 0;
  const types = broken(({ device }) => {
    if (++kicks > 5) device.fail("planted");
  });
  assertMatch((await fuzzVirtio({ runs: 2, types }))[0]?.problem ?? "", /needs a reset|does not end/);
});
