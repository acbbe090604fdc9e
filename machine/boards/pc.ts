/**
 * The machine `pc` as QEMU 7.2 builds it: i440FX and PIIX3 (pc-i440fx-7.2).
 *
 * Devices are realized in QEMU's order, so that paths and numbers in the object tree agree with QEMU's.
 *
 * Left out: what {@link MISSING} names.
 *
 * @module
 */
import type { Bus, Device, IrqLine, IsaBus } from "../../devices/bus/mod.ts";
import { irqLine, UNCONNECTED } from "../../devices/bus/mod.ts";
import {
  addPcItems,
  bootOrderBytes,
  cmosBytes,
  coprocessorErrorPort,
  type FwCfg,
  fwCfgIo,
  Hpet,
  hpet,
  I440fx,
  I440fxHost,
  i8042,
  i8257,
  type IoApic,
  ioapic,
  isaI8259,
  isaPcspk,
  isaPit,
  kvmvapic,
  mc146818rtc,
  PC_HPET_INTCAP,
  type Pic8259,
  Piix3,
  type Piix4Pm,
  type Pit8254,
  port92,
  progressPort,
  type RealTimeClock,
  vmmouse,
  vmport,
} from "../../devices/chipset/mod.ts";
import { Vga } from "../../devices/vga/mod.ts";
import { MiB } from "../../base/units.ts";
import { layOutLinux } from "../firmware/linux.ts";
import type { BuiltInBios } from "../firmware/mod.ts";
import type { Board, BoardSite, BuiltBoard, LoaderRom } from "./board.ts";
import { CpuDevice } from "./cpu_device.ts";
import { boardControllers } from "./board_controllers.ts";
import { BoardInterrupts, LINE_COUNT } from "./interrupts.ts";
import { makeBuiltInBios } from "./pc_bios.ts";
import { buildPcFloppies, buildPcIde, cmosDisks, cmosFloppies } from "./pc_drives.ts";
import { buildPcMemory, type PcMemory } from "./pc_memory.ts";
import { addDeviceFiles, addFirmwareFiles, addLinux, addOptionRoms } from "./pc_firmware.ts";
import { buildPorts } from "./pc_ports.ts";
import { addSmbios } from "./pc_smbios.ts";
import { buildPowerManagement } from "./pc_power.ts";
import { pcRoms } from "./pc_roms.ts";

/** What QEMU's pc has and this one has not. */
const MISSING = ["e1000", "local APIC registers"];

const IOAPIC_ADDRESS = 0xfec0_0000;
const HPET_ADDRESS = 0xfed0_0000;
const SLOT_PIIX3 = 1 << 3;

/** `-machine pc`. */
export const pc: Board = {
  name: "pc-i440fx-7.2",
  aliases: ["pc"],
  description: "Standard PC (i440FX + PIIX, 1996)",
  isDefault: true,
  defaultRamBytes: 128 * MiB,
  build: (site) => new PcBuilder(site).build(),
};

/** The steps of building, and what they hand on to one another. */
class PcBuilder {
  readonly #site: BoardSite;
  readonly #interrupts = new BoardInterrupts();
  readonly #memory: PcMemory;
  readonly #cpu: CpuDevice;
  readonly #fwCfg: FwCfg;
  /** Moa's own firmware, where there is a CPU and no other one for it. */
  readonly #bios: BuiltInBios | undefined;
  readonly #firmware: LoaderRom | undefined;
  #bootOrder: string;

  constructor(site: BoardSite) {
    this.#site = site;
    this.#bootOrder = site.bootOrder;
    this.#fwCfg = fwCfgIo.create(site.context);
    if (site.firmware === undefined && site.accelerator.can.runsCode) {
      this.#bios = makeBuiltInBios(site, {
        bootOrder: () => this.#bootOrder,
        files: (name) => this.#fwCfg.file(name),
      });
    }
    this.#firmware = this.#bios === undefined ? site.firmware : { name: "built-in", content: this.#bios.image };
    this.#memory = buildPcMemory(site, this.#firmware?.content);
    const { systemMemory, accelerator, addAddressSpace } = site;
    this.#cpu = new CpuDevice(site.context, { systemMemory, accelerator, addAddressSpace });
  }

  async build(): Promise<BuiltBoard> {
    const { context, systemBus } = this.#site;
    const fwCfg = this.#fwCfg;
    await this.#cpu.realize();
    await kvmvapic.create(context).realize(systemBus);
    fwCfg.place(context.objects.machine, "fw_cfg");
    await fwCfg.realize(systemBus);
    const host = await this.#buildHost();
    const piix3 = new Piix3(context, this.#site.systemMemory, { addr: SLOT_PIIX3 });
    await piix3.realize(host.pci);
    const isa = piix3.isaBus;
    await i8257.create(context, { "base": 0x00, "page-base": 0x80, "pageh-base": -1, "dshift": 0 }).realize(isa);
    await i8257.create(context, { "base": 0xc0, "page-base": 0x88, "pageh-base": -1, "dshift": 1 }).realize(isa);
    this.#connectIsa(isa);
    const pic = await this.#buildPics(isa);
    const ioApic = await this.#buildIoApic(host);
    const { vga } = this.#site;
    if (vga !== undefined) await new Vga(context, {}, {}, vga.rom).realize(host.pci);
    const rtc = await this.#buildTimers(isa);
    await buildPorts(this.#site, isa);
    await this.#bios?.realize(isa);
    const floppies = await this.#buildSuperIo(isa);
    const ide = await buildPcIde(this.#site, host.pci, isa);
    const { firmwareItems: items } = this.#site;
    const pm = items.acpi ?? true ? await buildPowerManagement(this.#site, host.pci, isa) : undefined;
    this.#fillFwCfg(fwCfg);
    addFirmwareFiles({ fwCfg, pm, isa, lowRamBytes: this.#memory.lowRamBytes, items });
    addOptionRoms(fwCfg, items);
    const { linux } = items;
    if (linux?.loader !== undefined) {
      addLinux(fwCfg, layOutLinux(linux, this.#memory.lowRamBytes, this.#site.accelerator.can), linux.loader);
    }
    return this.#built({ pic, ioApic }, rtc, pm, () => {
      this.#fillCmos(rtc, ide, floppies);
      addDeviceFiles(fwCfg, () => this.#site.devices(), items);
      const names = { product: pc.description, version: pc.name };
      addSmbios({ fwCfg, site: this.#site, names, memory: this.#memory });
    });
  }

  async #buildHost(): Promise<I440fxHost> {
    const { context, systemMemory, systemPorts, systemBus, ram } = this.#site;
    const { pci, ram: ramRegion } = this.#memory;
    const host = new I440fxHost(context, { ports: systemPorts, memory: pci, memoryOfBusMasters: systemMemory });
    host.place(context.objects.machine, "i440fx");
    await host.realize(systemBus);
    const bridge = new I440fx(
      context,
      {
        system: systemMemory,
        pci,
        ram: ramRegion,
        ramBytes: ram.sizeBytes,
        alwaysRam: !this.#site.accelerator.can.romProtection,
      },
      { addr: 0 },
    );
    await bridge.realize(host.pci);
    this.#cpu.showSmram(bridge.smram);
    return host;
  }

  #connectIsa(isa: IsaBus): void {
    for (let irq = 0; irq < 16; irq++) isa.irqs[irq] = this.#interrupts.lines[irq]!;
  }

  /** The pair of interrupt controllers: the second one asks through input 2 of the first. */
  async #buildPics(isa: IsaBus): Promise<Pic8259> {
    const { context, accelerator } = this.#site;
    const first = isaI8259.create(context, { iobase: 0x20, elcr_addr: 0x4d0, elcr_mask: 0xf8, master: true });
    await first.realize(isa);
    const ownControllers = accelerator.can.interruptControllers === "its own";
    if (ownControllers) this.#connectAccelerator();
    else first.connect(irqLine((level) => accelerator.setInterrupt(0, level)));
    const second = isaI8259.create(context, { iobase: 0xa0, elcr_addr: 0x4d1, elcr_mask: 0xde, master: false });
    await second.realize(isa);
    second.connect(first.input(2));
    first.cascade = second;
    if (ownControllers) return first;
    for (let line = 0; line < 8; line++) {
      if (line !== 2) this.#interrupts.connect(line, first.input(line));
      this.#interrupts.connect(line + 8, second.input(line));
    }
    return first;
  }

  /** The CPU brings its own interrupt controllers: those of the board are there to be seen. */
  #connectAccelerator(): void {
    const { accelerator } = this.#site;
    for (let line = 0; line < LINE_COUNT; line++) {
      this.#interrupts.connect(line, irqLine((level) => accelerator.setInterrupt(line, level)));
    }
  }

  async #buildIoApic(host: I440fxHost): Promise<IoApic> {
    const { context, systemMemory, systemBus } = this.#site;
    const chip = ioapic.create(context);
    chip.place(host.node, "ioapic");
    await chip.realize(systemBus);
    chip.map(0, systemMemory, IOAPIC_ADDRESS);
    if (this.#site.accelerator.can.interruptControllers === "its own") return chip;
    for (let line = 0; line < LINE_COUNT; line++) this.#interrupts.connect(line, chip.input(line));
    return chip;
  }

  /** Progress ports, HPET, real time clock, interval timer and its speaker. */
  async #buildTimers(isa: IsaBus): Promise<RealTimeClock> {
    const { context, systemPorts } = this.#site;
    systemPorts.add(progressPort(), 0x80);
    systemPorts.add(coprocessorErrorPort(isa.irq(13)), 0xf0);
    const timers = this.#site.firmwareItems.hpet ?? true ? await this.#buildHpet() : undefined;
    const rtc = mc146818rtc.create(context, { base_year: 0 });
    await rtc.realize(isa);
    const pit: Pit8254 = isaPit.create(context, { iobase: 0x40 });
    await pit.realize(isa);
    // In legacy mode the HPET takes the places of both; else it passes them on.
    pit.connect(timers?.input(0) ?? isa.irq(0));
    rtc.connect(timers?.input(1) ?? isa.irq(8));
    timers?.connect(pit.input(0));
    const speaker = isaPcspk.create(context);
    speaker.pit = pit;
    await speaker.realize(isa);
    return rtc;
  }

  async #buildHpet(): Promise<Hpet> {
    const { context, systemMemory, systemBus } = this.#site;
    const timers = hpet.create(context, { "hpet-intcap": PC_HPET_INTCAP });
    await timers.realize(systemBus);
    timers.map(0, systemMemory, HPET_ADDRESS);
    for (let line = 0; line < LINE_COUNT; line++) timers.connect(this.#interrupts.lines[line]!, line, "sysbus-irq");
    return timers;
  }

  /** Floppy and keyboard controllers and their like; returns the bus of the floppy drives. */
  async #buildSuperIo(isa: IsaBus): Promise<Bus> {
    const { context, systemBus } = this.#site;
    const floppies = await buildPcFloppies(this.#site, isa);
    const keyboardController = i8042.create(context);
    keyboardController.systemBus = systemBus;
    await keyboardController.realize(isa);
    await vmport.create(context).realize(isa);
    const mouse = vmmouse.create(context);
    await mouse.realize(isa);
    const a20: IrqLine = UNCONNECTED;
    const control = port92.create(context);
    await control.realize(isa);
    keyboardController.connect(a20, 0, "a20");
    control.connect(a20, 0, "a20");
    return floppies;
  }

  /** What the firmware finds in CMOS; again whenever drives may have come before the machine first runs. */
  #fillCmos(rtc: RealTimeClock, ide: Device, floppies: Bus): void {
    const { lowRamBytes, highRamBytes } = this.#memory;
    const contents = {
      lowRamBytes,
      highRamBytes,
      cpus: 1,
      bootOrder: this.#site.bootOrder,
      checksFloppySignature: this.#checksFloppies,
      disks: cmosDisks(ide),
      floppies: cmosFloppies(floppies),
    };
    for (const [index, value] of cmosBytes(contents)) rtc.poke(index, value);
  }

  #fillFwCfg(fwCfg: FwCfg): void {
    addPcItems(fwCfg, {
      ramBytes: this.#site.ram.sizeBytes,
      lowRamBytes: this.#memory.lowRamBytes,
      cpus: 1,
      maxCpus: 1,
      noGraphic: false,
      bootMenu: false,
      ...this.#site.firmwareItems,
    });
  }

  get #checksFloppies(): boolean {
    return this.#site.firmwareItems.skipsFloppyCheck !== true;
  }

  #setBootOrder(rtc: RealTimeClock, order: string): string | undefined {
    const problem = bootOrderProblem(order);
    if (problem !== undefined) return problem;
    this.#bootOrder = order;
    for (const [index, value] of bootOrderBytes(order, this.#checksFloppies)) rtc.poke(index, value);
    return undefined;
  }

  #built(
    chips: { readonly pic: Pic8259; readonly ioApic: IoApic },
    rtc: RealTimeClock,
    pm: Piix4Pm | undefined,
    ready: BuiltBoard["ready"],
  ): BuiltBoard {
    const { linux, optionRoms = [] } = this.#site.firmwareItems;
    return {
      ready,
      acknowledgeInterrupt: () => chips.pic.acknowledge(),
      interruptControllers: () =>
        this.#site.accelerator.cpu?.interruptControllers() ?? boardControllers(chips.pic, chips.ioApic),
      interruptCounts: () => [...this.#interrupts.counts],
      watchInterrupt: (line, changed) => this.#interrupts.watch(line, changed),
      interruptLevel: (line) => this.#interrupts.level(line),
      setBootOrder: (order) => this.#setBootOrder(rtc, order),
      powerButton: () => pm?.pressPowerButton(),
      roms: () =>
        pcRoms({
          options: [...optionRoms, ...linux?.loader === undefined ? [] : [linux.loader]],
          firmware: this.#firmware,
          acpi: pm !== undefined,
        }),
      bootIndexes: [
        ...linux === undefined ? [] : [0],
        ...optionRoms.flatMap(({ bootIndex }) => bootIndex ?? []),
      ],
      missing: MISSING,
      loose: [this.#cpu.apic, this.#cpu],
    };
  }
}

/** What is wrong with a boot order on a pc, in QEMU's words. */
function bootOrderProblem(order: string): string | undefined {
  const seen = new Set<string>();
  for (const letter of order) {
    if (letter < "a" || letter > "p") return `Invalid boot device '${letter}'`;
    if (seen.has(letter)) return `Boot device '${letter}' was given twice`;
    seen.add(letter);
  }
  if (order.length > 3) return "Too many boot devices for PC";
  for (const letter of order) if (!"abcdn".includes(letter)) return `Invalid boot device for PC: '${letter}'`;
  return undefined;
}
