/**
 * Boot sectors and a machine to boot them: the smallest guests there are.
 *
 * @module
 */
import { HostClock, ManualClock } from "../../base/clocks.ts";
import { SeededRandom } from "../../base/random.ts";
import { IoVector } from "../../base/io_vector.ts";
import { MiB } from "../../base/units.ts";
import { BlockBackend, BlockGraph, type BlockNode } from "../../block/mod.ts";
import { MemoryRegion } from "../../devices/bus/mod.ts";
import { type InstructionClock, Machine, pc, standardDeviceTypes, V86Accelerator } from "../../machine/mod.ts";

const SEABIOS = "/usr/share/seabios/bios-256k.bin";

/** Whether SeaBIOS is there: Debian's package `seabios`. */
export function haveSeaBios(): boolean {
  try {
    return Deno.statSync(SEABIOS).isFile;
  } catch {
    return Deno.env.get("MOA_REQUIRE_ORACLE") === "1";
  }
}

/** A disk of 1 MiB that begins with `code` as its boot sector. */
export function bootDisk(code: readonly number[]): Uint8Array<ArrayBuffer> {
  const disk = new Uint8Array(MiB);
  disk.set(code);
  disk.set([0x55, 0xaa], 510);
  return disk;
}

/** A machine with a CPU, and what it wrote to port 402, where SeaBIOS tells its progress too. */
export interface Guest extends AsyncDisposable {
  readonly machine: Machine;
  readonly cpu: V86Accelerator;
  /** What was written so far. */
  text(): string;
  /** What is in the memory that the disk's image lies in. */
  image(): Promise<Uint8Array<ArrayBuffer>>;
  /** Resolves when that matches. */
  waitFor(pattern: RegExp): Promise<void>;
}

/** How a guest is made. */
export interface GuestOptions {
  readonly firmware?: Uint8Array;
  readonly icount?: InstructionClock;
  readonly disk: Uint8Array<ArrayBuffer>;
  /** Where the disk's image is written. */
  readonly folder: string;
  /** The time of day, which stands still; the host's where absent. */
  readonly hostNs?: number;
  /** The disk is memory, not a file. */
  readonly inMemory?: boolean;
  /** What format `disk` is an image in; raw where absent. */
  readonly format?: "raw" | "qcow2";
  /** Sees each byte as it is written to port 402. */
  readonly watch?: (byte: number) => void;
}

const LIMIT_MS = 60_000;

/** The node that holds the image. */
const IMAGE = "image";

async function openDisk(graph: BlockGraph, options: GuestOptions): Promise<BlockNode> {
  const { disk, folder, inMemory, format = "raw" } = options;
  if (!inMemory) {
    const filename = `${folder}/disk.img`;
    await Deno.writeFile(filename, disk);
    return await graph.open({ driver: format, file: { driver: "file", filename, "node-name": IMAGE } });
  }
  const image = await graph.open({ driver: "memory", size: disk.length, "node-name": IMAGE });
  await image.write(0, IoVector.of(disk));
  const node = await graph.open({ driver: format, file: IMAGE });
  await graph.release(image);
  return node;
}

/** Builds a machine that boots `disk`; it stands still. */
export async function makeGuest(options: GuestOptions): Promise<Guest> {
  const realtime = new HostClock();
  const random = new SeededRandom(1);
  const { icount } = options;
  const warn = (line: string) => void (text += `\n${line}\n`);
  const cpu = await V86Accelerator.create({ realtime, random, warn, ...(icount === undefined ? {} : { icount }) });
  const { hostNs } = options;
  const host = hostNs === undefined ? new HostClock({ sinceEpoch: true }) : new ManualClock(hostNs);
  const clocks = { virtual: cpu.clock, realtime, host };
  const graph = new BlockGraph({ clocks, random });
  const backend = new BlockBackend({ graph, name: "ide0-hd0" });
  const node = await openDisk(graph, options);
  await backend.insertMedium(node);
  await graph.release(node);
  let text = "";
  const waiting = new Set<() => void>();
  const machine = await Machine.create({
    board: pc,
    accelerator: cpu,
    graph,
    clocks,
    random,
    types: standardDeviceTypes(),
    ramBytes: 32 * MiB,
    drives: [{ interface: "ide", bus: 0, unit: 0, backend, media: "disk" }],
    firmware: options.firmware ?? await Deno.readFile(SEABIOS),
    warn,
  });
  const port = MemoryRegion.io("debug", 1, {
    read: () => 0xe9,
    write: (_offset, _size, value) => {
      text += String.fromCharCode(value);
      options.watch?.(value);
      for (const look of waiting) look();
    },
  });
  machine.ports.root.add(port, 0x402, 1);
  return {
    machine,
    cpu,
    text: () => text,
    image: async () => {
      const bytes = new Uint8Array(options.disk.length);
      await graph.find(IMAGE)!.read(0, IoVector.of(bytes));
      return bytes;
    },
    waitFor: (pattern) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no ${pattern} in:\n${text}`)), LIMIT_MS);
        const look = () => {
          if (!pattern.test(text)) return;
          waiting.delete(look);
          clearTimeout(timer);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    [Symbol.asyncDispose]: () => machine[Symbol.asyncDispose](),
  };
}
