/**
 * Power management of a pc: PIIX4's function 01.3 with its SMBus and eight EEPROMs on it.
 *
 * @module
 */
import type { IsaBus, PciBus } from "../../devices/bus/mod.ts";
import { type Piix4Pm, piix4Pm, smbusEeprom } from "../../devices/chipset/mod.ts";
import type { BoardSite } from "./board.ts";

const FUNCTION = 1 << 3 | 3;
const SMBUS_PORT = 0xb100;
const SCI_IRQ = 9;
const EEPROMS = 8;
const FIRST_EEPROM = 0x50;

/** Makes the function and what it holds. */
export async function buildPowerManagement(site: BoardSite, pci: PciBus, isa: IsaBus): Promise<Piix4Pm> {
  const { context } = site;
  const pm = piix4Pm.create(context, {
    "addr": FUNCTION,
    "smb_io_base": SMBUS_PORT,
    "smm-enabled": true,
  });
  // A CPU without protected memory has no SMM either.
  if (!site.accelerator.can.romProtection) pm.showSmmAsSetUp();
  await pm.realize(pci);
  pm.connect(isa.irq(SCI_IRQ));
  for (let index = 0; index < EEPROMS; index++) {
    await smbusEeprom.create(context, { address: FIRST_EEPROM + index }).realize(pm.smbus);
  }
  return pm;
}
