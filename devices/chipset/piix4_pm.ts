/**
 * PIIX4's power management function as a pc board has it beside PIIX3: ACPI registers, SMBus, the APM ports.
 *
 * Where the ACPI registers are seen says PMBA; the SMBus and the GPE and hotplug blocks stay where the board wants them.
 *
 * Left out: sleep states S3 and S4 (a request for them is noted and the machine goes on), the idle timers of the chip.
 *
 * Source: [PIIX4] 7.1 "PCI Function 3 Configuration Registers", 7.2 "I/O Space Registers"; [ACPI 6.5] 4.8.
 *
 * @module
 */
import {
  type ConfigRegister,
  type Device,
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  MemoryRegion,
  type OutputPin,
  PCI_PROPERTIES,
  PciDevice,
  type PciIdentity,
  prop,
  type PropertyValues,
} from "../bus/mod.ts";
import { AcpiGpe0, AcpiPciHotplug, cpuHotplugRegion, Gpe0Event, type PciHotplugState } from "./acpi_hotplug.ts";
import { AcpiPm1, Pm1Event, type Pm1State } from "./acpi_pm1.ts";
import { PmSmbus, type PmSmbusState } from "./pm_smbus.ts";
import { SmBus } from "./smbus_eeprom.ts";

const PROPERTIES = {
  "smb_io_base": prop.uint32(0),
  "disable_s3": prop.uint8(0),
  "disable_s4": prop.uint8(0),
  "s4_val": prop.uint8(2),
  "acpi-pci-hotplug-with-bridge-support": prop.bool(true),
  "acpi-root-pci-hotplug": prop.bool(true),
  "memory-hotplug-support": prop.bool(true),
  "smm-compat": prop.bool(false),
  "smm-enabled": prop.bool(false),
  "x-not-migrate-acpi-index": prop.bool(false),
  ...PCI_PROPERTIES,
};

const IDENTITY: PciIdentity = { vendor: 0x8086, device: 0x7113, revision: 3, classCode: 0x0680, interruptPin: 1 };

const APM_PORT = 0xb2;
const GPE_PORT = 0xafe0;
const PCI_HOTPLUG_PORT = 0xae00;
const CPU_HOTPLUG_PORT = 0xaf00;
const SCI_IRQ = 9;

const APM_ENABLE_ACPI = 0xf1;
const APM_DISABLE_ACPI = 0xf0;
const DEVACTB_APM_SMI = 0x02;
/** Bit 25 of register 58: a write to the APM port raises an SMI. */
const DEVACTB_APM_ENABLED = 0x0200_0000;
const SOFT_OFF = 0;

/** Plain storage from 40 to FF, all of it writable, with the values after power-on that are not zero. */
function deviceRegisters(smbusBase: number, smm: boolean): ConfigRegister[] {
  const initial: Readonly<Record<number, number>> = {
    0x40: 0x01,
    0x58: smm ? 0 : DEVACTB_APM_ENABLED,
    0x5c: 0x1000_0000,
    0x60: 0x6000_0000,
    0x90: (smbusBase | 1) >>> 0,
    0xd0: 0x0009_0000,
  };
  const named: Readonly<Record<number, string>> = {
    0x40: "pm-base",
    0x58: "device-activity",
    0x80: "pm-control",
    0x90: "smbus-base",
    0xd0: "smbus-host",
  };
  const reset = [0x58, 0x80];
  const registers: ConfigRegister[] = Array.from({ length: 48 }, (_, index) => {
    const offset = 0x40 + 4 * index;
    return {
      name: named[offset] ?? `device-${offset.toString(16)}`,
      offset,
      size: 4,
      reset: initial[offset] ?? 0,
      writable: 0xffff_ffff,
      keepsOnReset: !reset.includes(offset),
    };
  });
  // Of this one a reset sets the lowest byte only.
  return [...registers, { name: "pm-base-low", offset: 0x40, size: 1, reset: 0x01, writable: 0xff }];
}

export interface Piix4PmState {
  pm1: Pm1State;
  gpe0: Uint8Array;
  pciHotplug: PciHotplugState;
  smbus: PmSmbusState;
  apm: { control: number; status: number };
}

/** The function. Outputs: nameless 0 is the system control interrupt; `smi-irq`. */
export class Piix4Pm extends PciDevice<typeof PROPERTIES, Piix4PmState> {
  /** Where the board's EEPROMs are. */
  readonly smbus: SmBus;
  /** How many CPUs are there; the board sets it. */
  cpus = 1;
  readonly pm1: AcpiPm1;
  readonly gpe0: AcpiGpe0;
  readonly pciHotplug: AcpiPciHotplug;
  readonly #host: PmSmbus;
  readonly #sci: OutputPin;
  readonly #smi: OutputPin;
  readonly #pmRegion = MemoryRegion.container("piix4-pm", 64);
  readonly #regions: MemoryRegion[] = [];
  #apm = { control: 0, status: 0 };

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(piix4Pm, context, IDENTITY, values, options);
    this.#sci = this.addOutputs("", 1)[0]!;
    this.#smi = this.addOutputs("smi-irq", 1)[0]!;
    this.smbus = new SmBus(context, this);
    this.#host = new PmSmbus(this.smbus, () => {});
    this.pm1 = new AcpiPm1(context.clocks.virtual, { update: () => this.#drive(), sleep: (type) => this.#sleep(type) });
    this.gpe0 = new AcpiGpe0(() => this.#drive());
    this.pciHotplug = new AcpiPciHotplug({
      removable: () => this.removableSlots,
      eject: (slot) => this.#eject(slot),
    });
    this.config.define([
      { name: "status", offset: 0x06, size: 2, reset: 0x0280, writeOneToClear: 0xf900 },
      ...deviceRegisters(this.properties.smb_io_base, this.properties["smm-enabled"]),
    ]);
  }

  /** Where the ACPI registers are: 0 as long as firmware has not placed them. */
  get registerPort(): number {
    return this.config.get("pm-base") & 0xffc0;
  }

  /** Firmware finds SMM set up after every reset, and leaves it alone: for a CPU that has none. */
  showSmmAsSetUp(): void {
    const registers = deviceRegisters(this.properties.smb_io_base, false);
    this.config.define(registers.filter(({ name }) => name === "device-activity"));
  }

  /** Somebody pressed the power button: `system_powerdown`. */
  pressPowerButton(): void {
    this.pm1.raise(Pm1Event.PowerButton);
  }

  protected override onRealize(): void {
    const { smb_io_base } = this.properties;
    this.#pmRegion.add(this.pm1.event, 0x00);
    this.#pmRegion.add(this.pm1.control, 0x04);
    this.#pmRegion.add(this.pm1.timer, 0x08);
    this.#pmRegion.enabled = false;
    this.#claim(this.#pmRegion, 0);
    const apm = MemoryRegion.io("apm-io", 2, {
      read: (offset) => offset === 0 ? this.#apm.control : this.#apm.status,
      write: (offset, _size, value) => this.#writeApm(offset, value),
      accessSizes: { min: 1, max: 1 },
    });
    this.#claim(apm, APM_PORT);
    this.#claim(this.#host.region, smb_io_base);
    this.#claim(this.gpe0.region, GPE_PORT);
    this.#claim(this.pciHotplug.region, PCI_HOTPLUG_PORT);
    this.#claim(cpuHotplugRegion(() => this.cpus), CPU_HOTPLUG_PORT);
    if (!this.properties["acpi-root-pci-hotplug"]) return;
    this.pci.hotplug = {
      plugged: (device) => this.#announce(device, "up"),
      unplug: (device) => {
        this.#announce(device, "down");
        return "asked";
      },
    };
  }

  protected override onUnrealize(): void {
    this.pm1.dispose();
    this.pci.hotplug = undefined;
    for (const region of this.#regions.splice(0)) region.container?.remove(region);
  }

  protected override onReset(): void {
    this.pm1.reset();
    this.gpe0.reset();
    this.pciHotplug.reset();
    this.#host.reset();
    this.#apm = { control: 0, status: 0 };
    this.#drive();
  }

  protected override onConfigWrite(): void {
    this.#map();
  }

  protected override onConfigLoaded(): void {
    this.#map();
  }

  protected override saveState(): Piix4PmState {
    return {
      pm1: this.pm1.save(),
      gpe0: this.gpe0.save(),
      pciHotplug: this.pciHotplug.save(),
      smbus: this.#host.save(),
      apm: { ...this.#apm },
    };
  }

  protected override loadState(state: Piix4PmState): void {
    this.#apm = { ...state.apm };
    this.gpe0.load(state.gpe0);
    this.pciHotplug.load(state.pciHotplug);
    this.#host.load(state.smbus);
    this.pm1.load(state.pm1);
  }

  #claim(region: MemoryRegion, port: number): void {
    this.pci.ports.add(region, port);
    this.#regions.push(region);
  }

  /** Shows ACPI and SMBus registers where the configuration space says. */
  #map(): void {
    this.#pmRegion.address = BigInt(this.registerPort);
    this.#pmRegion.enabled = (this.config.get("pm-control") & 1) !== 0;
    // As in QEMU, the property tells where they are now.
    this.properties.smb_io_base = this.config.get("smbus-base") & 0xffc0;
    this.#host.region.address = BigInt(this.properties.smb_io_base);
    this.#host.region.enabled = (this.config.read(0xd2, 1) & 1) !== 0;
  }

  #drive(): void {
    this.#sci.set(this.pm1.asks || this.gpe0.asks ? 1 : 0);
  }

  #sleep(type: number): void {
    if (type === SOFT_OFF) this.context.requestShutdown?.();
    else this.context.warn(`the guest asked for sleep state type ${type}, which this machine does not have`);
  }

  #writeApm(offset: number, value: number): void {
    if (offset === 1) {
      this.#apm.status = value;
      return;
    }
    this.#apm.control = value;
    if (value === APM_ENABLE_ACPI) this.pm1.sciEnabled = true;
    else if (value === APM_DISABLE_ACPI) this.pm1.sciEnabled = false;
    else if ((this.config.read(0x5b, 1) & DEVACTB_APM_SMI) !== 0) this.#smi.set(1);
  }

  /** The board's own functions stay; any other slot may be ejected. */
  get removableSlots(): number {
    let slots = 0xffff_ffff;
    for (const { slot, type } of this.pci.functions) {
      if (!type.userCreatable || type.hotpluggable === false) slots &= ~(1 << slot);
    }
    return slots >>> 0;
  }

  #eject(slot: number): void {
    if ((this.removableSlots >>> slot & 1) === 0) return;
    for (const device of this.pci.functions) if (device.slot === slot) this.context.ejected?.(device);
  }

  /** The guest hears that something happened to `device`'s slot, and looks which way. */
  #announce(device: Device, direction: "up" | "down"): void {
    if (!(device instanceof PciDevice)) return;
    this.pciHotplug.announce(1 << device.slot, direction);
    this.gpe0.raise(Gpe0Event.PciHotplug);
  }
}

/** Interrupt 9, the system control interrupt. */
export const PM_SCI_IRQ = SCI_IRQ;
/** Where GPE0 is. */
export const PM_GPE_PORT = GPE_PORT;
/** Where software takes power management over from firmware, and what it writes. */
export const PM_APM = { port: APM_PORT, enable: APM_ENABLE_ACPI, disable: APM_DISABLE_ACPI } as const;

/** `PIIX4_PM`. */
export const piix4Pm = {
  name: "PIIX4_PM",
  busType: "PCI",
  category: "Controller/Bridge/Hub",
  description: "PM",
  userCreatable: false,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new Piix4Pm(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
