/**
 * The SMBIOS tables of a pc, in fw_cfg.
 *
 * @module
 */
import { OptionError } from "../../base/option_error.ts";
import { type Device, PciDevice } from "../../devices/bus/mod.ts";
import { type FwCfg, SMBIOS_FILES, smbiosFiles } from "../../devices/chipset/mod.ts";
import type { BoardSite } from "./board.ts";
import type { PcMemory } from "./pc_memory.ts";

const FOUR_GIB = 0x1_0000_0000;
const UUID_BYTES = 16;

/** What the tables are made from. */
export interface SmbiosSources {
  readonly fwCfg: FwCfg;
  readonly site: BoardSite;
  readonly names: { readonly product: string; readonly version: string };
  readonly memory: PcMemory;
}

/** Puts both files in, or replaces them. @throws {OptionError} what the user wants has no place in them */
export function addSmbios({ fwCfg, site, names, memory }: SmbiosSources): void {
  const { accelerator, firmwareItems, ram } = site;
  const { lowRamBytes, highRamBytes } = memory;
  const high = highRamBytes > 0 ? [{ address: FOUR_GIB, lengthBytes: highRamBytes }] : [];
  const { entryPoint, tables } = smbiosFiles({
    names: { manufacturer: "QEMU", ...names },
    uuid: firmwareItems.uuid ?? new Uint8Array(UUID_BYTES),
    sockets: [{ cores: 1, threads: 1 }],
    processorId: accelerator.can.processorId,
    ramBytes: ram.sizeBytes,
    ranges: [{ address: 0, lengthBytes: lowRamBytes }, ...high],
    pciPlace: (id, designation) => placeOf(site.devices(), id, designation),
  }, firmwareItems.smbios ?? {});
  fwCfg.setFile(SMBIOS_FILES.entryPoint, entryPoint);
  fwCfg.setFile(SMBIOS_FILES.tables, tables);
}

function placeOf(devices: readonly Device[], id: string, designation: string | undefined): number {
  const device = devices.find((candidate) => candidate.id === id);
  if (!(device instanceof PciDevice)) {
    throw new OptionError(`No PCI device ${id} for SMBIOS type 41 entry ${designation ?? "(null)"}`);
  }
  return device.slot << 3 | device.function;
}
