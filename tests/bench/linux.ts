/**
 * Linux in the machine, beside QEMU's TCG with the same kernel, initial RAM disk and command line: how soon its shell
 * is there, how fast it reads a disk. A whole process each time, timed from outside, over its serial port.
 *
 * Left out where `MOA_GUESTS` names no packages (tests/guests).
 *
 * @module
 */
import { MiB } from "../../base/units.ts";
import { EXT4_MODULES, IDE_MODULES, initrd, linuxPackages, VIRTIO_MODULES } from "../guests/linux.ts";
import type { Benchmark } from "./harness.ts";

const DISK_MIB = 256;
const PROMPT = "moa# ";
const OURS = ["deno", "task", "-q", "start"] as const;
const THEIRS = ["qemu-system-x86_64", "-accel", "tcg"] as const;
/** The drive as an option, and the guest's name of it. */
const DISKS = { "virtio-blk": ["virtio", "vda"], "IDE with DMA": ["ide", "sda"] } as const;

/** How long an idle guest is watched. */
const IDLE_SECONDS = 10;

/** Benchmarks of Linux; none without its packages. */
export function linuxBenchmarks(directory: string): Benchmark[] {
  const packages = linuxPackages();
  if (packages === undefined) return [];
  const files = { kernel: packages.kernel, initrd: `${directory}/initrd`, disk: `${directory}/linux.raw` };
  const prepare = async () => {
    await Deno.writeFile(files.initrd, initrd(packages, [...IDE_MODULES, ...VIRTIO_MODULES, ...EXT4_MODULES]));
    await Deno.writeFile(files.disk, ReadableStream.from(randomParts()));
  };
  const boot = async (program: readonly string[]) => {
    const start = performance.now();
    await using _guest = await LinuxProcess.start(program, files, "ide");
    return (performance.now() - start) / 1000;
  };
  const idle = async (program: readonly string[]) => {
    await using guest = await LinuxProcess.start(program, files, "ide");
    // What starts late (writers of logs, clocks that are compared) has its time.
    await guest.shell("sleep 5");
    const before = await guest.processorSeconds();
    await guest.shell(`sleep ${IDLE_SECONDS}`);
    return (await guest.processorSeconds() - before) / IDLE_SECONDS * 100;
  };
  return [
    {
      name: "Linux: idle, of a core",
      unit: "%",
      target: 3,
      lessIsBetter: true,
      prepare,
      ours: () => idle(OURS),
    },
    {
      name: "Linux: kernel and busybox to the shell",
      unit: "s",
      target: 1 / 1.5,
      lessIsBetter: true,
      prepare,
      ours: () => boot(OURS),
      theirs: () => boot(THEIRS),
    },
    ...Object.entries(DISKS).flatMap(([name, [drive, disk]]) =>
      ["", "iflag=direct"].map((flags): Benchmark => {
        const read = async (program: readonly string[]) => {
          await using guest = await LinuxProcess.start(program, files, drive);
          const start = performance.now();
          await guest.shell(`dd if=/dev/${disk} of=/dev/null bs=1M ${flags}`);
          return DISK_MIB / ((performance.now() - start) / 1000);
        };
        return {
          name: `Linux: dd of ${DISK_MIB} MiB, ${name}${flags && `, ${flags}`}`,
          unit: "MiB/s",
          target: 1,
          prepare,
          ours: () => read(OURS),
          theirs: () => read(THEIRS),
        };
      })
    ),
  ];
}

/** The disk's bytes, 1 MiB at a time: no two parts are alike, none is zeroes. */
function* randomParts(): Generator<Uint8Array> {
  for (let part = 0; part < DISK_MIB; part++) {
    const bytes = new Uint8Array(MiB);
    for (let at = 0; at < MiB; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    yield bytes;
  }
}

/** A program that runs Linux, with its shell on standard input and output. */
class LinuxProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<string>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Resolves at the shell's prompt. */
  static async start(
    [program, ...first]: readonly string[],
    { kernel, initrd, disk }: { readonly kernel: string; readonly initrd: string; readonly disk: string },
    drive: string,
  ): Promise<LinuxProcess> {
    const child = new Deno.Command(program!, {
      args: [
        ...first,
        ..."-m 128 -net none -display none -monitor none -serial stdio -kernel".split(" "),
        kernel,
        "-initrd",
        initrd,
        "-append",
        "console=ttyS0 quiet",
        "-drive",
        `file=${disk},format=raw,if=${drive},snapshot=on`,
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const guest = new LinuxProcess(child);
    await guest.#untilPrompt();
    return guest;
  }

  async shell(line: string): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(`${line}\n`));
    await this.#untilPrompt();
  }

  /** What the program has used so far, with what it has started itself: `deno task` is a parent. */
  async processorSeconds(): Promise<number> {
    const script = `cat /proc/$1/stat; for child in $(cat /proc/$1/task/$1/children); do cat /proc/$child/stat; done`;
    const { stdout } = await new Deno.Command("sh", { args: ["-c", script, "sh", `${this.#child.pid}`] }).output();
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    return lines.reduce((sum, line) => {
      // After the name in brackets: state is the third field, user and system time the 14th and 15th, in hundredths.
      const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
      return sum + (Number(fields[11]) + Number(fields[12])) / 100;
    }, 0);
  }

  async #untilPrompt(): Promise<void> {
    let seen = "";
    while (!seen.includes(PROMPT)) {
      const { value, done } = await this.#reader.read();
      if (done) throw new Error(`the guest ended before its prompt: ${seen}`);
      seen += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#writer.abort().catch(() => {});
    while (!(await this.#reader.read()).done);
    await this.#child.status;
  }
}
