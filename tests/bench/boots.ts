/**
 * Guests on the CPU, against the real program with its own translator: how soon a boot sector and a shell are reached.
 *
 * The kernel is that of `MOA_GUESTS` (see tests/guests); without it its row is absent.
 *
 * @module
 */
import { MiB } from "../../base/units.ts";
import { Vm } from "../../mod.ts";
import { initrd, linuxPackages } from "../guests/linux.ts";
import { bootSector } from "../guests/booted.ts";
import type { Benchmark } from "./harness.ts";

const PROMPT = "moa# ";
const LIMIT_MS = 180_000;

/** Benchmarks of booting and of states in `directory`. */
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
    ...kernelBenchmarks(directory),
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

function kernelBenchmarks(directory: string): Benchmark[] {
  const packages = linuxPackages();
  if (packages === undefined) return [];
  const image = `${directory}/initrd`;
  const append = "console=ttyS0 quiet panic=-1";
  return [{
    name: "kernel and busybox to the prompt",
    unit: "s",
    target: 1 / 1.5,
    lessIsBetter: true,
    prepare: () => Deno.writeFile(image, initrd(packages)),
    ours: async () => {
      const start = performance.now();
      await using vm = await Vm.start({
        accel: "v86",
        serial: ["script"],
        kernel: packages.kernel,
        initrd: image,
        append,
      });
      await vm.serial.waitFor(PROMPT, { timeoutMs: LIMIT_MS });
      return (performance.now() - start) / 1000;
    },
    theirs: () => qemuToPrompt(["-kernel", packages.kernel, "-initrd", image, "-append", append]),
  }];
}

async function qemuToPrompt(args: readonly string[]): Promise<number> {
  const start = performance.now();
  await using child = new Deno.Command("qemu-system-x86_64", {
    args: ["-accel", "tcg", "-m", "128", "-display", "none", "-monitor", "none", "-serial", "stdio", ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  let seen = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    seen = seen.slice(-PROMPT.length) + text;
    if (seen.includes(PROMPT)) break;
  }
  child.kill("SIGKILL");
  return (performance.now() - start) / 1000;
}
