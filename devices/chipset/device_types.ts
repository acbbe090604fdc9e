/**
 * All device types of this folder, for `-device X,help`, `info qdm` and saved states.
 *
 * @module
 */
import type { DeviceType } from "../bus/mod.ts";
import { fwCfgIo } from "./fw_cfg.ts";
import { hpet } from "./hpet.ts";
import { i440fx } from "./i440fx.ts";
import { i8042 } from "./i8042.ts";
import { isaPit } from "./i8254.ts";
import { i8257 } from "./i8257.ts";
import { isaI8259 } from "./i8259.ts";
import { ioapic } from "./ioapic.ts";
import { kvmvapic } from "./kvmvapic.ts";
import { mc146818rtc } from "./mc146818rtc.ts";
import { i440fxHost } from "./pci_host.ts";
import { isaPcspk } from "./pcspk.ts";
import { piix3 } from "./piix3.ts";
import { piix4Pm } from "./piix4_pm.ts";
import { port92 } from "./port92.ts";
import { ps2Kbd } from "./ps2_keyboard.ts";
import { ps2MouseType } from "./ps2_mouse.ts";
import { smbusEeprom } from "./smbus_eeprom.ts";
import { vmmouse } from "./vmmouse.ts";
import { vmport } from "./vmport.ts";

/** Every type, in no particular order. */
export const chipsetDeviceTypes: readonly DeviceType[] = [
  i440fxHost,
  i440fx,
  piix3,
  piix4Pm,
  smbusEeprom,
  i8257,
  isaI8259,
  hpet,
  ioapic,
  mc146818rtc,
  isaPit,
  isaPcspk,
  i8042,
  ps2Kbd,
  ps2MouseType,
  vmport,
  vmmouse,
  port92,
  fwCfgIo,
  kvmvapic,
];
