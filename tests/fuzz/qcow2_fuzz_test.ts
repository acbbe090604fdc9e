/**
 * A few seconds of fuzzing with fixed seeds, and drivers that are broken on purpose: a fuzzer that does not see those
 * sees nothing.
 *
 * @module
 */
import { openDescriptors } from "../support/fds.ts";
import { assertEquals, assertMatch } from "@std/assert";
import { type BlockDriver, builtinDrivers, type DriverDefinition, type DriverTable } from "../../block/mod.ts";
import { CORPUS } from "./corpus.ts";
import { fuzzQcow2 } from "./qcow2_fuzz.ts";
import { targetNamed, TARGETS } from "./targets.ts";

const QCOW2 = targetNamed("qcow2");

/** moa's drivers with another qcow2. */
function withQcow2(change: (driver: BlockDriver, sound: DriverDefinition) => BlockDriver): DriverTable {
  return {
    ...builtinDrivers,
    load: (name) => {
      const loading = builtinDrivers.load(name);
      if (name !== "qcow2" || loading === undefined) return loading;
      return loading.then((sound): DriverDefinition => ({
        ...sound,
        open: async (options, context) => change(await sound.open(options, context), sound),
      }));
    },
  };
}

/** `driver` with some of its methods replaced. */
function override(driver: BlockDriver, methods: Partial<BlockDriver>): BlockDriver {
  return new Proxy(driver, {
    get: (target, name) => {
      if (Object.hasOwn(methods, name)) return Reflect.get(methods, name);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

Deno.test("fuzzing: damaged qcow2 images end in success or in block errors, and are left alone when only looked at", async () => {
  for (const target of TARGETS) {
    assertEquals(await fuzzQcow2({ target, runs: target.name === "qcow2" ? 120 : 30 }), []);
  }
});

for (const { target, seed, what } of CORPUS) {
  Deno.test(`fuzzing: ${what}`, async () => {
    assertEquals(await fuzzQcow2({ target: targetNamed(target), runs: 1, seed }), []);
  });
}

Deno.test("fuzzing sees an exception that is no block error", async () => {
  const drivers = withQcow2((driver) =>
    override(driver, {
      // What a forgotten check of a table's size comes to.
      status: (at, length) =>
        new DataView(new ArrayBuffer(8)).getUint32(at) === 0 ? driver.status(at, length) : never(),
    })
  );
  const [finding] = await fuzzQcow2({ target: QCOW2, runs: 20, drivers });
  assertMatch(finding?.problem ?? "", /RangeError/);
});

Deno.test("fuzzing sees an image that was written while it was only looked at", async () => {
  const drivers = withQcow2((driver) =>
    override(driver, {
      info: async () => {
        for (const path of openDescriptors().values()) {
          if (path.endsWith("/image")) await Deno.writeFile(path, new Uint8Array(1), { append: true });
        }
        return await driver.info!();
      },
    })
  );
  const [finding] = await fuzzQcow2({ target: QCOW2, runs: 20, drivers });
  assertMatch(finding?.problem ?? "", /only looked at/);
});

Deno.test("fuzzing sees a repair that claims more than it did", async () => {
  const drivers = withQcow2((driver) =>
    override(driver, {
      check: async ({ fix }) => {
        const result = await driver.check!({ fix: "none" });
        return fix === "none" ? result : { ...result, corruptions: 0, leaks: 0, checkErrors: 0 };
      },
    })
  );
  const [finding] = await fuzzQcow2({ target: QCOW2, runs: 60, drivers });
  assertMatch(finding?.problem ?? "", /after a repair/);
});

function never(): never {
  throw new Error("unreachable");
}
