/**
 * PIIX3's IDE function, 8086:7010: two channels in compatibility mode with a bus master each.
 *
 * Command blocks are at 1F0 and 170, control registers at 3F6 and 376, interrupts are ISA's 14 and 15; BAR 4 holds the
 * bus masters, 8 bytes for each channel. Timing registers are plain storage: they have no effect in QEMU either.
 *
 * Source: Intel 82371SB (PIIX3) datasheet, 2.3 "PCI configuration registers, function 1", 2.7.
 *
 * @module
 */
import {
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  type IrqLine,
  MemoryRegion,
  OutputPin,
  PCI_PROPERTIES,
  PciDevice,
  type PropertyValues,
} from "../bus/mod.ts";
import { BusMaster, type BusMasterState } from "./bus_master.ts";
import { Channel, type ChannelState } from "./channel.ts";
import type { Drive, DriveRequest } from "./drive.ts";
import { IdeBus } from "./ide_bus.ts";
import { busMasterTraces, ideTraces } from "./traces.ts";

interface ChannelAndMaster {
  readonly channel: ChannelState;
  readonly master: BusMasterState;
}

/** The function's volatile state, with that of its drives. */
export interface Piix3IdeState {
  readonly primary: ChannelAndMaster;
  readonly secondary: ChannelAndMaster;
}

const COMMAND_PORTS = [0x1f0, 0x170] as const;
const CONTROL_PORTS = [0x3f6, 0x376] as const;
const BAR_BYTES = 16;

/** The function. */
export class Piix3Ide extends PciDevice<typeof PCI_PROPERTIES, Piix3IdeState> {
  readonly #interrupts = [new OutputPin(), new OutputPin()] as const;
  readonly #channels: Channel[] = [];
  readonly #masters: BusMaster[] = [];
  readonly #ports: MemoryRegion[] = [];

  constructor(
    context: DeviceContext,
    values?: Partial<PropertyValues<typeof PCI_PROPERTIES>>,
    options?: DeviceOptions,
  ) {
    const identity = { vendor: 0x8086, device: 0x7010, classCode: 0x0101, programmingInterface: 0x80 };
    super(piix3Ide, context, identity, values, options);
    this.config.define([
      { name: "status", offset: 0x06, size: 2, reset: 0x0280, writeOneToClear: 0xf900 },
    ]);
  }

  /** Both channels, once realized. */
  get channels(): readonly Channel[] {
    return this.#channels;
  }

  /** Connects the interrupt of channel `index` (ISA's 14 and 15), which is no pin of the function's. */
  override connect(target: IrqLine, index = 0): void {
    this.#interrupts[index]?.connect(target);
  }

  protected override onRealize(): void {
    const traces = ideTraces(this.context.trace);
    const masterTraces = busMasterTraces(this.context.trace);
    const container = MemoryRegion.container("piix-bmdma-container", BAR_BYTES);
    for (const index of [0, 1] as const) {
      const bus = new IdeBus(this.context, this, (name) => this.#makeChannel(name, index, traces), index);
      const { channel } = bus;
      const master = new BusMaster(channel, () => this.dma, masterTraces);
      this.#channels.push(channel);
      this.#masters.push(master);
      this.#claimPorts(channel, index);
      container.add(commandRegion(master), index * 8);
      container.add(tableRegion(master), index * 8 + 4);
    }
    this.addBar(4, "io", container);
  }

  protected override onUnrealize(): void {
    for (const region of this.#ports.splice(0)) region.container?.remove(region);
  }

  #makeChannel(name: string, index: 0 | 1, traces: ReturnType<typeof ideTraces>): Channel {
    const { clocks, request } = this.context;
    return new Channel({
      name,
      port: COMMAND_PORTS[index],
      interrupt: this.#interrupts[index],
      traces,
      nowNs: () => clocks.virtual.nowNs(),
      realtimeNs: () => clocks.realtime.nowNs(),
      ...(request === undefined ? {} : { request: (drive, done) => this.#report(drive, done) }),
    });
  }

  #report(drive: Drive, request: DriveRequest): void {
    const bus = this.buses.find((candidate) => candidate instanceof IdeBus && candidate.channel.drives.includes(drive));
    const device = bus?.devices.find(({ properties }) => properties.unit === drive.unit);
    this.context.request?.({ device: drive.name, path: device?.path ?? this.path, ...request });
  }

  #claimPorts(channel: Channel, index: 0 | 1): void {
    const command = MemoryRegion.io("ide", 8, {
      read: (offset, size) => readCommandBlock(channel, offset, size),
      write: (offset, size, value) => writeCommandBlock(channel, offset, size, value),
      validSizes: { min: 1, max: 4, unaligned: true },
      accessSizes: { min: 1, max: 4, unaligned: true },
    });
    const control = MemoryRegion.io("ide", 1, {
      read: () => channel.readAlternateStatus(),
      write: (_offset, _size, value) => channel.writeControl(value),
      accessSizes: { min: 1, max: 1 },
    });
    this.pci.ports.add(command, COMMAND_PORTS[index]);
    this.pci.ports.add(control, CONTROL_PORTS[index]);
    this.#ports.push(command, control);
  }

  protected override async onReset(): Promise<void> {
    for (const [index, channel] of this.#channels.entries()) {
      await channel.reset();
      this.#masters[index]!.reset();
    }
  }

  protected override async onStop(): Promise<void> {
    for (const channel of this.#channels) await channel.drain();
  }

  protected override onResume(): void {
    for (const channel of this.#channels) channel.resume();
  }

  protected override readonly occasionalState = { waiting: "flush", held: "flush", identity: new Uint8Array(512) };

  protected override saveState(): Piix3IdeState {
    return { primary: this.#saveChannel(0), secondary: this.#saveChannel(1) };
  }

  #saveChannel(index: number): ChannelAndMaster {
    return { channel: this.#channels[index]!.save(), master: this.#masters[index]!.save() };
  }

  protected override loadState(state: Piix3IdeState): void {
    for (const [index, saved] of [state.primary, state.secondary].entries()) {
      this.#channels[index]!.load(saved.channel);
      this.#masters[index]!.load(saved.master);
    }
  }
}

/**
 * The data register is 16 or 32 bits wide, and 8 bits of it read 16 and write nothing; the others have 8, of which 16 bits take two, and
 * 32 bits find nothing.
 */
export function readCommandBlock(channel: Channel, offset: number, size: number): number {
  if (offset === 0) return channel.readData(size === 4 ? 4 : 2);
  if (size === 4) return 0xffff_ffff;
  const low = channel.read(offset);
  if (size === 1) return low;
  return low | (offset < 7 ? channel.read(offset + 1) : 0xff) << 8;
}

/** The counterpart of {@link readCommandBlock}. */
export function writeCommandBlock(channel: Channel, offset: number, size: number, value: number): void {
  if (offset === 0 && size >= 2) return channel.writeData(size === 4 ? 4 : 2, value);
  if (size === 4) return;
  channel.write(offset, value & 0xff);
  if (size === 2 && offset < 7) channel.write(offset + 1, value >> 8);
}

function commandRegion(master: BusMaster): MemoryRegion {
  return MemoryRegion.io("piix-bmdma", 4, {
    read: (offset, size) => master.readCommand(offset, size),
    write: (offset, size, value) => master.writeCommand(offset, size, value),
    validSizes: { min: 1, max: 4, unaligned: true },
    accessSizes: { min: 1, max: 4, unaligned: true },
  });
}

function tableRegion(master: BusMaster): MemoryRegion {
  return MemoryRegion.io("bmdma", 4, {
    read: (offset, size) => master.readTable(offset, size),
    write: (offset, size, value) => master.writeTable(offset, size, value),
  });
}

/** The type `piix3-ide`. */
export const piix3Ide: DeviceType<typeof PCI_PROPERTIES> = {
  name: "piix3-ide",
  busType: "PCI",
  category: "Storage",
  userCreatable: true,
  properties: PCI_PROPERTIES,
  create: (context, values, options) => new Piix3Ide(context, values, options),
};
