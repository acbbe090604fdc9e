/**
 * A bare machine with `piix3-ide` and drives over disks in memory, for tests of this folder.
 *
 * @module
 */
import { IoVector } from "../../../base/io_vector.ts";
import { BlockBackend, BlockGraph, type BlockNode } from "../../../block/mod.ts";
import { parseProperties } from "../../bus/mod.ts";
import { type TestMachine, testMachine } from "../../bus/testing.ts";
import { ideCd, ideHd } from "../ide_device.ts";
import { Piix3Ide } from "../piix3_ide.ts";
import { type Dialogue, type Medium, patternedSectors, sectorPattern } from "./ata_dialogues.ts";
import type { ProbeBus } from "./probe.ts";
import { OTHER_BYTES, OTHER_PATTERN } from "./recording.ts";

const FUNCTION = 1 << 3 | 1;
/** Function 0 of the slot, as much of it as a scan looks at. */
const BRIDGE = 1 << 3;
const BRIDGE_CONFIG: Readonly<Record<number, number>> = { 0x00: 0x70008086, 0x08: 0x06010000, 0x0c: 0x00800000 };
/** Larger disks are not kept in memory: they are `null-co`. */
const MAX_MEMORY_DISK = 1024 * 1024 * 1024;
const MAX_POLLS = 10_000;

/** The machine, seen by a guest. */
export class Rig implements ProbeBus, AsyncDisposable {
  readonly machine: TestMachine;
  readonly ide: Piix3Ide;
  readonly graph: BlockGraph;
  readonly backends = new Map<string, BlockBackend>();
  #configAddress = 0;

  private constructor(machine: TestMachine) {
    this.machine = machine;
    this.ide = new Piix3Ide(machine, { addr: FUNCTION });
    this.graph = new BlockGraph({ clocks: machine.clocks, random: machine.random, trace: machine.trace });
  }

  /** Builds a machine with these drives; backends are called `drive0` to `drive3`. */
  static async start(media: readonly Medium[] = []): Promise<Rig> {
    const rig = new Rig(testMachine());
    await rig.ide.realize(rig.machine.pci);
    rig.ide.connect(rig.machine.isa.irq(14), 0);
    rig.ide.connect(rig.machine.isa.irq(15), 1);
    for (const medium of media) await rig.plug(medium);
    await rig.ide.reset();
    return rig;
  }

  async plug(medium: Medium): Promise<BlockBackend> {
    const name = `drive${medium.index}`;
    const isCd = medium.kind === "ide-cd";
    const backend = new BlockBackend({ graph: this.graph, name, readOnly: isCd });
    this.backends.set(name, backend);
    if (medium.sizeBytes !== undefined) await backend.insertMedium(await this.image(medium.sizeBytes, 0, medium.drive));
    const texts = (medium.properties ?? "").split(",").filter(Boolean).map((text): [string, string] => {
      const [key = "", value = ""] = text.split("=");
      return [key, value];
    });
    const bus = this.ide.buses.find((candidate) => candidate.name === `ide.${medium.index >> 1}`)!;
    const place = { drive: backend, unit: medium.index & 1 };
    const device = isCd
      ? ideCd.create(this.machine, { ...parseProperties(ideCd, texts), ...place })
      : ideHd.create(this.machine, { ...parseProperties(ideHd, texts), ...place });
    await device.realize(bus);
    return backend;
  }

  /** A disk with the pattern in it. */
  async image(sizeBytes: number, firstPattern: number, drive = ""): Promise<BlockNode> {
    const inMemory = sizeBytes <= MAX_MEMORY_DISK;
    const discard = drive.includes("discard=unmap") ? "unmap" : "ignore";
    const node = await this.graph.open(
      inMemory
        ? { driver: "memory", size: sizeBytes, discard }
        : { driver: "null-co", size: sizeBytes, "read-zeroes": true },
    );
    for (const sector of inMemory ? patternedSectors(sizeBytes) : []) {
      await node.write(sector * 512, IoVector.of(sectorPattern(sector + firstPattern)));
    }
    return node;
  }

  in8(port: number): number {
    return this.machine.in(port, 1);
  }

  in16(port: number): number {
    return this.machine.in(port, 2);
  }

  in32(port: number): number {
    if (port !== 0xcfc) return this.machine.in(port, 4);
    if ((this.#configAddress >> 8 & 0xff) === BRIDGE) return BRIDGE_CONFIG[this.#configAddress & 0xfc] ?? 0;
    return this.machine.pci.at(this.#configAddress >> 8 & 0xff)?.readConfig(this.#configAddress & 0xfc, 4) ??
      0xffff_ffff;
  }

  out8(port: number, value: number): void {
    this.machine.out(port, value, 1);
  }

  out16(port: number, value: number): void {
    this.machine.out(port, value, 2);
  }

  out32(port: number, value: number): void {
    if (port === 0xcf8) this.#configAddress = value;
    else if (port !== 0xcfc) this.machine.out(port, value, 4);
    else this.machine.pci.at(this.#configAddress >> 8 & 0xff)?.writeConfig(this.#configAddress & 0xfc, 4, value);
  }

  ins16(port: number, into: Uint8Array): void {
    for (let at = 0; at + 1 < into.length; at += 2) {
      const value = this.machine.in(port, 2);
      into[at] = value & 0xff;
      into[at + 1] = value >> 8;
    }
  }

  outs16(port: number, bytes: Uint8Array): void {
    for (let at = 0; at + 1 < bytes.length; at += 2) this.machine.out(port, bytes[at]! | bytes[at + 1]! << 8, 2);
  }

  readMemory(address: number, lengthBytes: number): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    this.machine.ram.read(address, bytes);
    return bytes;
  }

  writeMemory(address: number, bytes: Uint8Array): void {
    this.machine.ram.write(address, bytes);
  }

  interruptLevel(line: number): 0 | 1 {
    return this.machine.irqLevels[line]!;
  }

  async waitForInterrupt(line: number, signal?: AbortSignal): Promise<void> {
    for (let i = 0; this.interruptLevel(line) === 0; i++) {
      signal?.throwIfAborted();
      if (i > MAX_POLLS) throw new Error(`no interrupt ${line}`);
      await this.pause();
    }
  }

  async poll(port: number, mask: number, value: number): Promise<number> {
    for (let i = 0; i < MAX_POLLS; i++) {
      const read = this.in8(port);
      if ((read & mask) === value) return read;
      await this.pause();
    }
    throw new Error(`port ${port.toString(16)} stays at ${this.in8(port).toString(16)}`);
  }

  async pause(): Promise<void> {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  }

  /** `eject [-f] DRIVE` and `change DRIVE @other`, as the monitor does them. */
  async monitor(line: string): Promise<string> {
    const [command, ...words] = line.split(" ");
    const backend = this.backends.get(words.find((word) => word.startsWith("drive")) ?? "")!;
    if (!backend.openTray(command === "eject" && words.includes("-f"))) return "";
    await backend.removeMedium();
    if (command === "change") {
      await backend.insertMedium(await this.image(OTHER_BYTES, OTHER_PATTERN));
      backend.closeTray();
    }
    return "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ide.stop();
    for (const backend of this.backends.values()) await backend[Symbol.asyncDispose]();
    await this.graph[Symbol.asyncDispose]();
  }
}

/** Runs `dialogue` over moa. */
export async function play(dialogue: Dialogue): Promise<string[]> {
  await using rig = await Rig.start(dialogue.media);
  return await dialogue.run(rig);
}
