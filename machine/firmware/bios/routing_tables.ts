/**
 * How interrupts are wired, for systems without ACPI: the PCI interrupt routing table ($PIR) and the MultiProcessor
 * Specification's tables (_MP_, PCMP), for one CPU, one I/O APIC and PIIX3.
 *
 * Source: "PCI IRQ Routing Table Specification" 1.0 (Microsoft); [MP] MultiProcessor Specification 1.4, 4; [PIIX3] 2.2.7.
 *
 * @module
 */
import { bytes, struct, u16, u32, u8 } from "../../../base/struct.ts";

const SLOTS = 32;
const PINS = 4;
const PIIX3_PLACE = 1 << 3;
const PIIX3_ID = 0x7000_8086;
const PIRQ_ROUTES = 0x60;
const LOCAL_APIC_ADDRESS = 0xfee0_0000;
const IO_APIC_ADDRESS = 0xfec0_0000;
/** The interval timer's input of the I/O APIC, as ACPI's tables have it. */
const TIMER_INPUT = 2;
const CASCADE = 2;

/** The wire, 0 to 3, that pin 0 to 3 of a slot is on. */
export function wireOf(slot: number, pin: number): number {
  return (slot + PINS - 1 + pin) % PINS;
}

const PirHeader = struct("little", 32, {
  signature: bytes(4),
  version: u16,
  lengthBytes: u16,
  routerBus: u8,
  routerPlace: u8,
  exclusive: u16,
  compatible: u32,
  miniport: u32,
  reserved: bytes(11),
  checksum: u8,
});

/** What stands before the rows of the PCI interrupt routing table. */
export const PIR_HEADER_BYTES = PirHeader.sizeBytes;

/** The PCI interrupt routing table; `routable` has a bit for each interrupt that a wire may be routed to. */
export function pirTable(routable: number): Uint8Array {
  const rows: number[] = [];
  for (let slot = 1; slot < SLOTS; slot++) {
    rows.push(0, slot << 3);
    for (let pin = 0; pin < PINS; pin++) rows.push(PIRQ_ROUTES + wireOf(slot, pin), routable & 0xff, routable >> 8);
    // Soldered on, or the number of the slot.
    rows.push(slot === PIIX3_PLACE >> 3 ? 0 : slot, 0);
  }
  const header = PirHeader.toBytes({
    signature: ascii("$PIR"),
    version: 0x0100,
    lengthBytes: PirHeader.sizeBytes + rows.length,
    routerBus: 0,
    routerPlace: PIIX3_PLACE,
    exclusive: 0,
    compatible: PIIX3_ID,
    miniport: 0,
    reserved: new Uint8Array(11),
    checksum: 0,
  });
  return summed(Uint8Array.of(...header, ...rows), PirHeader.offsetOf.checksum);
}

const MpHeader = struct("little", 44, {
  signature: bytes(4),
  lengthBytes: u16,
  revision: u8,
  checksum: u8,
  oem: bytes(8),
  product: bytes(12),
  oemTable: u32,
  oemBytes: u16,
  entries: u16,
  localApic: u32,
  extendedBytes: u16,
  extendedChecksum: u8,
  reserved: u8,
});

const Entry = { cpu: 0, bus: 1, ioApic: 2, interrupt: 3, localInterrupt: 4 } as const;
const Kind = { vectored: 0, nonMaskable: 1, fromPic: 3 } as const;
const MP_REVISION = 4;
const PCI_BUS = 0;
const ISA_BUS = 1;
const IO_APIC = 0;
const USABLE = 1;
const USABLE_AND_FIRST = 3;
const LOCAL_APIC_VERSION = 0x14;
const IO_APIC_VERSION = 0x20;
const AS_THE_BUS_HAS_IT = 0;
const HIGH_AND_LEVEL = 0x0d;
const ALL_CPUS = 0xff;

/** What the CPU says of itself in a few bits: the sixth family, with a coprocessor and a local APIC. */
const CPU = { signature: 0x600, features: 0x201 } as const;

/** The configuration table: the CPU, the buses, the I/O APIC, and what comes in where; `wires` has each PCI wire's line. */
export function mpTable(wires: readonly number[]): Uint8Array {
  const entries: number[][] = [
    [
      Entry.cpu,
      0,
      LOCAL_APIC_VERSION,
      USABLE_AND_FIRST,
      ...dword(CPU.signature),
      ...dword(CPU.features),
      ...Array(8).fill(0),
    ],
    [Entry.bus, PCI_BUS, ...ascii("PCI   ")],
    [Entry.bus, ISA_BUS, ...ascii("ISA   ")],
    [Entry.ioApic, IO_APIC, IO_APIC_VERSION, USABLE, ...dword(IO_APIC_ADDRESS)],
  ];
  for (let slot = 1; slot < SLOTS; slot++) {
    for (let pin = 0; pin < PINS; pin++) {
      const source = (slot << 2) | pin;
      entries.push([
        Entry.interrupt,
        Kind.vectored,
        HIGH_AND_LEVEL,
        0,
        PCI_BUS,
        source,
        IO_APIC,
        wires[wireOf(slot, pin)]!,
      ]);
    }
  }
  for (let line = 0; line < 16; line++) {
    if (line === CASCADE || wires.includes(line)) continue;
    const input = line === 0 ? TIMER_INPUT : line;
    entries.push([Entry.interrupt, Kind.vectored, AS_THE_BUS_HAS_IT, 0, ISA_BUS, line, IO_APIC, input]);
  }
  entries.push([Entry.localInterrupt, Kind.fromPic, AS_THE_BUS_HAS_IT, 0, ISA_BUS, 0, ALL_CPUS, 0]);
  entries.push([Entry.localInterrupt, Kind.nonMaskable, AS_THE_BUS_HAS_IT, 0, ISA_BUS, 0, ALL_CPUS, 1]);
  const content = entries.flat();
  const header = MpHeader.toBytes({
    signature: ascii("PCMP"),
    lengthBytes: MpHeader.sizeBytes + content.length,
    revision: MP_REVISION,
    checksum: 0,
    oem: ascii("MOA     "),
    product: ascii("PC          "),
    oemTable: 0,
    oemBytes: 0,
    entries: entries.length,
    localApic: LOCAL_APIC_ADDRESS,
    extendedBytes: 0,
    extendedChecksum: 0,
    reserved: 0,
  });
  return summed(Uint8Array.of(...header, ...content), MpHeader.offsetOf.checksum);
}

/** What systems look for, and that leads to the table at `address`. */
export function mpPointer(address: number): Uint8Array {
  const table = Uint8Array.of(...ascii("_MP_"), ...dword(address), 1, MP_REVISION, 0, 0, 0, 0, 0, 0);
  return summed(table, 10);
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function dword(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
}

/** Makes all bytes add up to zero, by the one at `at`. */
function summed(table: Uint8Array, at: number): Uint8Array {
  table[at] = -table.reduce((sum, byte) => sum + byte, 0) & 0xff;
  return table;
}
