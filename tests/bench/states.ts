/**
 * How long the state of a machine takes to save and to load, against the real program.
 *
 * The guest of both is one boot sector, which writes to each word of RAM its address, so that no page is zero or like
 * another. Each measurement has a machine and a disk of its own: what the first `savevm` costs, file system included.
 *
 * @module
 */
import { MiB } from "../../base/units.ts";
import { Vm } from "../../mod.ts";
import { bootSector } from "../guests/booted.ts";
import type { Benchmark } from "./harness.ts";
import { run } from "./qemu.ts";

const RAM_MIB = 384;
const FILLED_FROM = MiB;
/** The last MiB is firmware's. */
const FILLED_BYTES = (RAM_MIB - 2) * MiB;
const READY = "B";
const LIMIT_MS = 180_000;

/** Benchmarks of states in `directory`. */
export function stateBenchmarks(directory: string): Benchmark[] {
  return [stateBenchmark(directory, "savevm"), stateBenchmark(directory, "loadvm")];
}

/** Fills memory in flat 32-bit mode, says so on the first serial port and stands still. */
function fillingSector(): Uint8Array {
  const bytes = (...numbers: number[]) => `db ${numbers.join(", ")}\n`;
  return bootSector(
    "cli\n xor ax, ax\n mov ds, ax\n" +
      bytes(0x0f, 0x01, 0x16) + "dw table\n" + // lgdt
      bytes(0x0f, 0x20, 0xc0, 0x0c, 1, 0x0f, 0x22, 0xc0) + // cr0 |= 1
      bytes(0xea) + "dw flat\n dw 8\n" + // jmp 8:flat
      "flat:\n" + bytes(0x66, 0xb8, 0x10, 0, 0x8e, 0xd8, 0x8e, 0xc0) + // ds = es = 16
      bytes(0xbf) + `dd ${FILLED_FROM}\n` + bytes(0xb9) + `dd ${FILLED_BYTES / 4}\n` + // edi, ecx
      bytes(0x89, 0xf8, 0xab, 0xe2, 0xfb) + // mov eax, edi; stosd; loop
      bytes(0x66, 0xba, 0xf8, 0x03, 0xb0, READY.charCodeAt(0), 0xee, 0xf4, 0xeb, 0xfd) +
      "table: dw 23\n dd gdt\n gdt: dd 0, 0, 0x0000ffff, 0x00cf9a00, 0x0000ffff, 0x00cf9200\n",
  );
}

function stateBenchmark(directory: string, what: "savevm" | "loadvm"): Benchmark {
  const boot = `${directory}/fill.raw`;
  const disk = `${directory}/state.qcow2`;
  const makeDisk = () => run("qemu-img", "convert", "-q", "-O", "qcow2", boot, disk);
  return {
    name: `${what}, ${RAM_MIB} MiB of RAM, all in use`,
    unit: "s",
    target: 1,
    lessIsBetter: true,
    prepare: async () => {
      const image = new Uint8Array(MiB);
      image.set(fillingSector());
      await Deno.writeFile(boot, image);
    },
    ours: async () => {
      await makeDisk();
      await using vm = await Vm.start({ accel: "v86", memory: RAM_MIB, serial: ["script"], hda: disk });
      await vm.serial.waitFor(READY, { timeoutMs: LIMIT_MS });
      const seconds = await timed(() => vm.savevm("a"));
      return what === "savevm" ? seconds : await timed(() => vm.loadvm("a"));
    },
    theirs: async () => {
      await makeDisk();
      return await qemuSeconds(disk, what);
    },
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** The same by QEMU's monitor, from the command to the next prompt. */
async function qemuSeconds(disk: string, what: "savevm" | "loadvm"): Promise<number> {
  const serial = `${disk}.serial`;
  await using child = new Deno.Command("qemu-system-x86_64", {
    args: ["-accel", "tcg", "-m", `${RAM_MIB}`, "-hda", disk, "-display", "none", "-monitor", "stdio"]
      .concat("-serial", `file:${serial}`),
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const input = child.stdin.getWriter();
  const output = child.stdout.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
  let seen = "";
  const prompt = async () => {
    const at = /(?:^|\n)\(qemu\) /;
    while (!at.test(seen)) {
      const { value, done } = await output.next();
      if (done) throw new Error("qemu-system-x86_64 has ended");
      seen += value;
    }
    seen = seen.replace(at, "");
  };
  const command = async (text: string) => {
    await input.write(new TextEncoder().encode(`${text}\n`));
    await prompt();
  };
  try {
    // By then the program has emptied the file.
    await prompt();
    while ((await Deno.readTextFile(serial).catch(() => "")) !== READY) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const seconds = await timed(() => command("savevm a"));
    return what === "savevm" ? seconds : await timed(() => command("loadvm a"));
  } finally {
    await input.close().catch(() => {});
    child.kill("SIGKILL");
  }
}
