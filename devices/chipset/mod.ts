/**
 * The chips of the PC's board.
 *
 * @module
 */
export { chipsetDeviceTypes } from "./device_types.ts";
export { ACPI_ROOM_BYTES, type AcpiFiles, acpiFiles, type AcpiMachine } from "./acpi/acpi_files.ts";
export { ACPI_HEADER_BYTES, AcpiHeader } from "./acpi/tables.ts";
export type { AcpiFloppy, AcpiPort, IsaContents } from "./acpi/dsdt_isa.ts";
export { AcpiGpe0, AcpiPciHotplug, Gpe0Event } from "./acpi_hotplug.ts";
export { AcpiPm1, Pm1Event } from "./acpi_pm1.ts";
export {
  bootOrderBytes,
  cmosBytes,
  type CmosContents,
  type CmosDisk,
  type CmosFloppy,
  splitRam,
} from "./cmos_contents.ts";
export { coprocessorErrorPort, progressPort } from "./debug_ports.ts";
export { FwCfg, fwCfgIo, FwCfgKey } from "./fw_cfg.ts";
export { addPcItems, type PcFirmwareItems } from "./fw_cfg_pc.ts";
export { Hpet, hpet, PC_HPET_INTCAP } from "./hpet.ts";
export { I440fx, i440fx, type I440fxMemory } from "./i440fx.ts";
export { i8042, KeyboardController } from "./i8042.ts";
export { isaPit, Pit8254 } from "./i8254.ts";
export { Dma8237, i8257 } from "./i8257.ts";
export { isaI8259, Pic8259, type PicState } from "./i8259.ts";
export { type ApicMessage, IoApic, ioapic } from "./ioapic.ts";
export { KvmVapic, kvmvapic } from "./kvmvapic.ts";
export { mc146818rtc, RealTimeClock } from "./mc146818rtc.ts";
export { I440fxHost, i440fxHost } from "./pci_host.ts";
export { isaPcspk, PcSpeaker } from "./pcspk.ts";
export { Piix3, piix3 } from "./piix3.ts";
export { Piix4Pm, piix4Pm, PM_APM, PM_GPE_PORT, PM_SCI_IRQ } from "./piix4_pm.ts";
export { Port92, port92 } from "./port92.ts";
export { ps2Kbd, Ps2Keyboard } from "./ps2_keyboard.ts";
export { Ps2Mouse, ps2MouseType } from "./ps2_mouse.ts";
export { isKeyName, type KeyName, keyNamed, scanCodes, translated } from "./scancodes.ts";
export { SMBIOS_CPU_MHZ } from "./smbios/structures.ts";
export { SMBIOS_FILES, smbiosFiles, type SmbiosMachine } from "./smbios/tables.ts";
export type { SmbiosWishes } from "./smbios/wishes.ts";
export { SmBus, SmbusEeprom, smbusEeprom } from "./smbus_eeprom.ts";
export { Vmmouse, vmmouse } from "./vmmouse.ts";
export { Vmport, vmport, type VmportRegisters } from "./vmport.ts";
