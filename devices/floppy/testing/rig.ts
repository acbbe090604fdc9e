/**
 * A bare machine with a floppy controller, its DMA controller, and drives over disks in memory.
 *
 * @module
 */
import { IoVector } from "../../../base/io_vector.ts";
import { BlockBackend, BlockGraph } from "../../../block/mod.ts";
import { type TestMachine, testMachine } from "../../bus/testing.ts";
import { Dma8237, i8257 } from "../../chipset/mod.ts";
import { floppy, FloppyDrive } from "../floppy_drive.ts";
import { FloppyController, isaFdc } from "../isa_fdc.ts";

/** A drive of a test machine; without a size it is empty. */
export interface RigDisk {
  readonly kilobytes?: number;
  readonly readOnly?: boolean;
}

/** The machine. */
export class FloppyRig implements AsyncDisposable {
  readonly machine: TestMachine = testMachine();
  readonly dma: Dma8237;
  readonly fdc: FloppyController;
  readonly graph: BlockGraph;
  readonly backends: BlockBackend[] = [];
  readonly drives: FloppyDrive[] = [];

  private constructor() {
    const { machine } = this;
    this.graph = new BlockGraph({ clocks: machine.clocks, random: machine.random, trace: machine.trace });
    this.dma = i8257.create(machine, { "base": 0x00, "page-base": 0x80, "dshift": 0 });
    this.fdc = isaFdc.create(machine);
  }

  static async start(disks: readonly RigDisk[]): Promise<FloppyRig> {
    const rig = new FloppyRig();
    await rig.dma.realize(rig.machine.isa);
    await rig.fdc.realize(rig.machine.isa);
    for (const [unit, disk] of disks.entries()) {
      const { kilobytes, readOnly = false } = disk;
      const backend = new BlockBackend({ graph: rig.graph, name: `floppy${unit}`, readOnly });
      rig.backends.push(backend);
      if (kilobytes !== undefined) await rig.insert(unit, kilobytes);
      const drive = floppy.create(rig.machine, { drive: backend, unit });
      await drive.realize(rig.fdc.floppyBus);
      rig.drives.push(drive);
    }
    for (const device of [rig.dma, rig.fdc, ...rig.drives]) await device.reset();
    return rig;
  }

  /** Puts a disk in whose sectors carry {@link sectorBytes}. */
  async insert(unit: number, kilobytes: number): Promise<void> {
    const node = await this.graph.open({ driver: "memory", size: kilobytes * 1024 });
    for (let sector = 0; sector < kilobytes * 2; sector++) {
      await node.write(sector * 512, IoVector.of(sectorBytes(sector)));
    }
    await this.backends[unit]!.insertMedium(node);
  }

  /** What lies on a disk. */
  async onDisk(unit: number, sector: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(512);
    await this.backends[unit]!.read(sector * 512, IoVector.of(bytes));
    return bytes;
  }

  /** Sends a command, waits until nothing is in flight. */
  async command(...bytes: number[]): Promise<void> {
    for (const byte of bytes) this.machine.out(0x3f5, byte);
    await this.fdc.stop();
  }

  /** The result phase. */
  result(): number[] {
    const bytes: number[] = [];
    while ((this.machine.in(0x3f4) & 0xd0) === 0xd0) bytes.push(this.machine.in(0x3f5));
    return bytes;
  }

  /** Programs channel 2. */
  programDma(address: number, lengthBytes: number, direction: "to-memory" | "from-memory"): void {
    const count = lengthBytes - 1;
    const mode = direction === "to-memory" ? 0x46 : 0x4a;
    const writes = [[0x0c, 0], [0x0b, mode], [4, address & 0xff], [4, address >> 8 & 0xff], [0x81, address >> 16]];
    for (const [port, value] of [...writes, [5, count & 0xff], [5, count >> 8], [0x0a, 2]]) {
      this.machine.out(port!, value!);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const backend of this.backends) await backend[Symbol.asyncDispose]();
    await this.graph[Symbol.asyncDispose]();
  }
}

/** The content of a sector. */
export function sectorBytes(sector: number): Uint8Array {
  return Uint8Array.from({ length: 512 }, (_, at) => sector * 7 + at * 13);
}
