/**
 * The ACPI tables as three files of the firmware configuration device: the pointer, all tables, and the script that
 * puts them into memory.
 *
 * The files are made anew whenever firmware asks, since where PIIX4's registers are is only known once it has set up
 * PCI. Sizes are rounded up, so that the directory, which was read before, stays true.
 *
 * Left out: sleep states S1, S3 and S4, hot-plug of CPUs and memory.
 *
 * Source: [ACPI 6.5] 5.2 and 7.4.2 "_Sx"; QEMU's docs/specs/fw_cfg.rst.
 *
 * @module
 */
import { concatBytes } from "../../../base/bytes.ts";
import { OptionError } from "../../../base/option_error.ts";
import { KiB, MiB } from "../../../base/units.ts";
import { named, packageOf, scope, type Statement } from "./aml.ts";
import { eventTimer, isaBridge, type IsaContents, processors, reservedPorts } from "./dsdt_isa.ts";
import { pciHost, type PciSlots } from "./dsdt_pci.ts";
import { LoaderScript, LoaderZone } from "./linker.ts";
import {
  CHECKSUM_OFFSET,
  facs,
  fadt,
  FADT_DSDT_OFFSET,
  FADT_FACS_OFFSET,
  type FixedHardware,
  hpetTable,
  madt,
  rsdp,
  RSDP_ADDRESS_OFFSET,
  RSDP_CHECKSUM_OFFSET,
  rsdt,
  RSDT_ENTRIES_OFFSET,
  table,
  waet,
} from "./tables.ts";

const RSDP_FILE = "etc/acpi/rsdp";
const TABLES_FILE = "etc/acpi/tables";
const LOADER_FILE = "etc/table-loader";

const TABLES_BYTES = 128 * KiB;
const LOADER_BYTES = 4 * KiB;
/** How far each may grow. */
export const ACPI_ROOM_BYTES = { [TABLES_FILE]: 2 * MiB, [LOADER_FILE]: 64 * KiB, [RSDP_FILE]: 4 * KiB } as const;
const FACS_ALIGNMENT = 64;
const RSDP_ALIGNMENT = 16;

/** What there is to describe. */
export interface AcpiMachine {
  readonly hardware: FixedHardware;
  readonly slots: PciSlots;
  readonly isa: IsaContents;
  readonly cpus: number;
  readonly hpet: boolean;
  /** Tables that the user gave, whole, with their headers. */
  readonly extra: readonly Uint8Array[];
}

/** The files' bytes, by name. */
export type AcpiFiles = Record<typeof RSDP_FILE | typeof TABLES_FILE | typeof LOADER_FILE, Uint8Array>;

/** The description of everything that no table is fixed for. */
export function dsdt(machine: AcpiMachine): Uint8Array {
  const softOff = named("\\_S5", packageOf([0, 0, 0, 0])); // the type that PIIX4 takes for it is 0
  const definition: Statement[] = [
    ...pciHost(machine.slots, [isaBridge(machine.isa)]),
    scope("\\_SB", [reservedPorts(), ...machine.hpet ? [eventTimer()] : [], ...processors(machine.cpus)]),
    softOff,
  ];
  return table("DSDT", 1, concatBytes(definition.map(({ bytes }) => bytes)));
}

/** Makes the three files. @throws {OptionError} tables of the user's are too large */
export function acpiFiles(machine: AcpiMachine): AcpiFiles {
  const script = new LoaderScript();
  script.allocate(RSDP_FILE, RSDP_ALIGNMENT, LoaderZone.FirmwareSegment);
  script.allocate(TABLES_FILE, FACS_ALIGNMENT, LoaderZone.High);
  const blob = new TableBlob(script);
  const facsAt = blob.add(facs(), [], { checksummed: false });
  const dsdtAt = blob.add(dsdt(machine));
  const tables = [
    blob.add(fadt(machine.hardware, facsAt, dsdtAt), [FADT_FACS_OFFSET, FADT_DSDT_OFFSET]),
    blob.add(madt(machine.cpus)),
    ...machine.hpet ? [blob.add(hpetTable())] : [],
    blob.add(waet()),
    ...machine.extra.map((content) => blob.add(content)),
  ];
  const rsdtAt = blob.add(rsdt(tables), tables.map((_, index) => RSDT_ENTRIES_OFFSET + 4 * index));
  const pointer = rsdp(rsdtAt);
  script.addPointer(RSDP_FILE, RSDP_ADDRESS_OFFSET, 4, TABLES_FILE);
  script.addChecksum(RSDP_FILE, RSDP_CHECKSUM_OFFSET, 0, pointer.length);
  const tableBytes = blob.toBytes();
  if (tableBytes.length > ACPI_ROOM_BYTES[TABLES_FILE]) {
    throw new OptionError(`ACPI tables of ${tableBytes.length} bytes do not fit into ${ACPI_ROOM_BYTES[TABLES_FILE]}`);
  }
  return {
    [RSDP_FILE]: pointer,
    [TABLES_FILE]: tableBytes,
    [LOADER_FILE]: script.toBytes(LOADER_BYTES),
  };
}

/** Tables one after the other. */
class TableBlob {
  readonly #script: LoaderScript;
  readonly #tables: Uint8Array[] = [];
  #lengthBytes = 0;

  constructor(script: LoaderScript) {
    this.#script = script;
  }

  /** Appends a table, with the places of the addresses in it; returns where it begins. */
  add(content: Uint8Array, addressOffsets: readonly number[] = [], { checksummed = true } = {}): number {
    const at = this.#lengthBytes;
    this.#tables.push(content);
    this.#lengthBytes += content.length;
    for (const offset of addressOffsets) this.#script.addPointer(TABLES_FILE, at + offset, 4, TABLES_FILE);
    if (checksummed) this.#script.addChecksum(TABLES_FILE, at + CHECKSUM_OFFSET, at, content.length);
    return at;
  }

  toBytes(): Uint8Array {
    const whole = new Uint8Array(Math.ceil(this.#lengthBytes / TABLES_BYTES) * TABLES_BYTES);
    whole.set(concatBytes(this.#tables));
    return whole;
  }
}
