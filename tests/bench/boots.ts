/**
 * How soon firmware reaches a boot sector.
 *
 * @module
 */
import { MiB } from "../../base/units.ts";
import { Vm } from "../../mod.ts";
import { bootSector } from "../guests/booted.ts";
import type { Benchmark } from "./harness.ts";

const LIMIT_MS = 180_000;

/** Benchmarks of booting from a disk in `directory`. */
export function bootBenchmarks(directory: string): Benchmark[] {
  return [
    {
      name: "start to a boot sector, SeaBIOS",
      unit: "s",
      target: 0.5,
      lessIsBetter: true,
      prepare: () => makeBootDisk(directory),
      ours: () => toBootSector(`${directory}/boot.raw`),
    },
  ];
}

/** The sector says "B" to the first serial port. */
async function makeBootDisk(directory: string): Promise<void> {
  const disk = new Uint8Array(MiB);
  disk.set(bootSector("mov dx, 0x3f8\n mov al, 0x42\n out dx, al\nstand: hlt\n jmp stand"));
  await Deno.writeFile(`${directory}/boot.raw`, disk);
}

async function toBootSector(disk: string): Promise<number> {
  const start = performance.now();
  await using vm = await Vm.start({ accel: "v86", serial: ["script"], drives: [`file=${disk},format=raw,if=ide`] });
  await vm.serial.waitFor("B", { timeoutMs: LIMIT_MS });
  return (performance.now() - start) / 1000;
}
