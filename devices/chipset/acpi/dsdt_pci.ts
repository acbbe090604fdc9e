/**
 * The host bridge in ACPI's namespace: what it passes on, how its interrupts are routed, slots that come and go.
 *
 * PIIX3 has four interrupt routing registers, PIRQA to PIRQD; each is a link device that the operating system sets.
 * Hot-plug speaks to the port block of `acpi_hotplug.ts`: slots that came, slots that are to go, the eject register.
 *
 * Left out: slots behind bridges, a window above 4 GiB, `_DSM` with names of network cards.
 *
 * Source: [ACPI 6.5] 6.2.13 "_PRT", 6.2.2 "_CRS", 6.3 "Device Insertion, Removal, and Status Objects"; [PIIX3] "PIRQRC";
 * QEMU's docs/specs/acpi_pci_hotplug.rst.
 *
 * @module
 */
import {
  acquire,
  and,
  arg,
  createDwordField,
  device,
  eisaId,
  field,
  FieldAccess,
  ifThen,
  less,
  local,
  method,
  mutex,
  name,
  named,
  notify,
  operationRegion,
  packageOf,
  RegionSpace,
  release,
  returns,
  run,
  scope,
  setBits,
  shiftLeft,
  type Statement,
  store,
} from "./aml.ts";
import {
  busNumbers,
  INTERRUPT_NUMBER_OFFSET,
  interrupts,
  memoryWindow,
  ports,
  portWindow,
  resourceTemplate,
} from "./resources.ts";

/** Ports that the host bridge does not pass on, since chips behind it answer there. */
export const PCI_HOTPLUG_PORTS = { port: 0xae00, lengthBytes: 0x18 } as const;
export const CPU_HOTPLUG_PORTS = { port: 0xaf00, lengthBytes: 0x20 } as const;
export const GPE0_PORTS = { port: 0xafe0, lengthBytes: 4 } as const;
const CONFIG_PORTS = { port: 0xcf8, lengthBytes: 8 } as const;

/** The display's memory below 1 MiB, and what lies between the end of RAM and the I/O APIC. */
const LEGACY_DISPLAY = [0xa0000, 0xbffff] as const;
const IOAPIC_ADDRESS = 0xfec0_0000;

const SLOTS = 32;
const PINS = 4;
const LINKS = ["LNKA", "LNKB", "LNKC", "LNKD"] as const;
/** PIIX3's slot, whose power management function has the system control interrupt. */
const PIIX3_SLOT = 1;
const SCI = 9;
const ROUTABLE = [5, 10, 11];
const ROUTING_REGISTERS = 0x60;
const ROUTED_NOWHERE = 0x80;
const ROUTED_TO = 0x0f;

const PRESENT = 0x0b;
const DISABLED = 0x09;
const NOTIFY_DEVICE_CHECK = 1;
const NOTIFY_EJECT_REQUEST = 3;

/** Slots by what they can. */
export interface PciSlots {
  /** Where RAM below 4 GiB ends. */
  readonly lowRamBytes: number;
  /** A bit for each slot whose device may go, or that is empty. */
  readonly removable: number;
}

/** The bridge, its links, its hot-plug event; `inside` is what hangs on it besides. */
export function pciHost(slots: PciSlots, inside: readonly Statement[]): Statement[] {
  return [
    scope("\\_SB", [
      device("PCI0", [
        named("_HID", eisaId("PNP0A03")),
        named("_UID", 0),
        named("_BBN", 0),
        named("_CRS", resourceTemplate(windows(slots.lowRamBytes))),
        named("_PRT", packageOf(routes())),
        ...hotplug(slots),
        ...inside,
      ]),
      ...linkDevices(),
    ]),
    scope("\\_GPE", [
      method("_E01", 0, [
        acquire(name("\\_SB.PCI0.BLCK")),
        store(0, name("\\_SB.PCI0.BNUM")),
        run("\\_SB.PCI0.DVNT", name("\\_SB.PCI0.PCIU"), NOTIFY_DEVICE_CHECK),
        run("\\_SB.PCI0.DVNT", name("\\_SB.PCI0.PCID"), NOTIFY_EJECT_REQUEST),
        release(name("\\_SB.PCI0.BLCK")),
      ]),
    ]),
  ];
}

function windows(lowRamBytes: number) {
  const own = [CONFIG_PORTS, PCI_HOTPLUG_PORTS, CPU_HOTPLUG_PORTS, GPE0_PORTS];
  let next = 0;
  const passed = [];
  for (const { port, lengthBytes } of own) {
    passed.push(portWindow(next, port - 1));
    next = port + lengthBytes;
  }
  return [
    busNumbers(0x00, 0xff),
    ports(CONFIG_PORTS.port, CONFIG_PORTS.lengthBytes),
    ...passed,
    portWindow(next, 0xffff),
    memoryWindow(...LEGACY_DISPLAY, { cacheable: true }),
    memoryWindow(lowRamBytes, IOAPIC_ADDRESS - 1),
  ];
}

/** Pin INTA of slot 1 is PIRQA, of slot 2 PIRQB and so on, in rounds. */
function routes() {
  const rows = [];
  for (let slot = 0; slot < SLOTS; slot++) {
    for (let pin = 0; pin < PINS; pin++) {
      const link = LINKS[(pin + slot + PINS - 1) % PINS]!;
      const sci = slot === PIIX3_SLOT && pin === 0;
      rows.push(packageOf([slotAddress(slot) + 0xffff, pin, name(sci ? "\\_SB.LNKS" : `\\_SB.${link}`), 0]));
    }
  }
  return rows;
}

function slotAddress(slot: number): number {
  return slot * 0x1_0000;
}

function slotName(slot: number): string {
  return `S${(slot * 8).toString(16).toUpperCase().padStart(2, "0")}`;
}

function hotplug({ removable }: PciSlots): Statement[] {
  const slots = Array.from({ length: SLOTS }, (_, slot) => slot);
  const ejectable = slots.filter((slot) => slot > PIIX3_SLOT && (removable & 1 << slot) !== 0);
  return [
    operationRegion("PCST", RegionSpace.SystemIo, PCI_HOTPLUG_PORTS.port, 8),
    field("PCST", FieldAccess.Dword, "zeroes", [["PCIU", 32], ["PCID", 32]]),
    operationRegion("SEJ", RegionSpace.SystemIo, PCI_HOTPLUG_PORTS.port + 8, 4),
    field("SEJ", FieldAccess.Dword, "zeroes", [["B0EJ", 32]]),
    operationRegion("BNMR", RegionSpace.SystemIo, PCI_HOTPLUG_PORTS.port + 0x10, 4),
    field("BNMR", FieldAccess.Dword, "zeroes", [["BNUM", 32]]),
    mutex("BLCK"),
    method("PCEJ", 1, [
      acquire(name("BLCK")),
      store(0, name("BNUM")),
      store(shiftLeft(1, arg(0)), name("B0EJ")),
      release(name("BLCK")),
    ]),
    ...ejectable.map((slot) =>
      device(slotName(slot), [
        named("_ADR", slotAddress(slot)),
        named("_SUN", slot),
        method("_EJ0", 1, [run("PCEJ", name("_SUN"))]),
      ])
    ),
    method(
      "DVNT",
      2,
      ejectable.map((slot) => ifThen(and(arg(0), 2 ** slot), [notify(name(slotName(slot)), arg(1))])),
    ),
  ];
}

/** PIIX3's routing registers as fields of its function; they stand inside the bridge's ISA device. */
export function routingRegisters(): Statement[] {
  return [
    operationRegion("PIRQ", RegionSpace.PciConfig, ROUTING_REGISTERS, LINKS.length),
    field("PIRQ", FieldAccess.Byte, "preserve", LINKS.map((_, index) => [registerName(index), 8] as const)),
  ];
}

function registerName(index: number): string {
  return `PRQ${index}`;
}

function linkDevices(): Statement[] {
  return [
    ...LINKS.map((link, index) => {
      const register = name(`\\_SB.PCI0.ISA.${registerName(index)}`);
      return device(link, [
        named("_HID", eisaId("PNP0C0F")),
        named("_UID", index),
        named("_PRS", resourceTemplate([interrupts(...ROUTABLE)])),
        method("_STA", 0, [ifThen(and(register, ROUTED_NOWHERE), [returns(DISABLED)]), returns(PRESENT)]),
        method("_DIS", 0, [setBits(register, ROUTED_NOWHERE)]),
        method("_CRS", 0, [
          store(resourceTemplate([interrupts(0)]), local(0)),
          createDwordField(local(0), INTERRUPT_NUMBER_OFFSET, "IRQN"),
          ifThen(less(register, ROUTED_NOWHERE), [store(and(register, ROUTED_TO), name("IRQN"))]),
          returns(local(0)),
        ], { serialized: true }),
        method("_SRS", 1, [
          createDwordField(arg(0), INTERRUPT_NUMBER_OFFSET, "IRQW"),
          store(name("IRQW"), register),
        ], { serialized: true }),
      ]);
    }),
    device("LNKS", [
      named("_HID", eisaId("PNP0C0F")),
      named("_UID", LINKS.length),
      named("_PRS", resourceTemplate([interrupts(SCI)])),
      named("_CRS", resourceTemplate([interrupts(SCI)])),
      method("_STA", 0, [returns(PRESENT)]),
      method("_DIS", 0, []),
      method("_SRS", 1, []),
    ]),
  ];
}
