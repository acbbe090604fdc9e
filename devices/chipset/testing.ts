/**
 * The board's chips on a bare machine, for tests of this folder: all of them, reset, at their usual ports.
 *
 * @module
 */
import type { Clock } from "../../base/clocks.ts";
import { type TestMachine, testMachine } from "../bus/testing.ts";
import { coprocessorErrorPort, progressPort } from "./debug_ports.ts";
import { type FwCfg, fwCfgIo } from "./fw_cfg.ts";
import { type Hpet, hpet, PC_HPET_INTCAP } from "./hpet.ts";
import { i8042, type KeyboardController } from "./i8042.ts";
import { isaPit, type Pit8254 } from "./i8254.ts";
import { type Dma8237, i8257 } from "./i8257.ts";
import { isaI8259, type Pic8259 } from "./i8259.ts";
import { type IoApic, ioapic } from "./ioapic.ts";
import { mc146818rtc, type RealTimeClock } from "./mc146818rtc.ts";
import { isaPcspk } from "./pcspk.ts";
import { type Piix4Pm, piix4Pm } from "./piix4_pm.ts";
import { port92 } from "./port92.ts";
import { type SmbusEeprom, smbusEeprom } from "./smbus_eeprom.ts";

export interface Chips extends TestMachine {
  readonly pic: Pic8259;
  readonly pic2: Pic8259;
  readonly pit: Pit8254;
  readonly rtc: RealTimeClock;
  readonly dma: Dma8237;
  readonly dma2: Dma8237;
  readonly keyboardController: KeyboardController;
  readonly hpet: Hpet;
  readonly ioapic: IoApic;
  readonly fwCfg: FwCfg;
  readonly pm: Piix4Pm;
  readonly eeprom: SmbusEeprom;
  /** The level of the first controller's INT. */
  interrupt(): 0 | 1;
  /** How often a reset was asked for. */
  readonly resets: { count: number };
  readonly shutdowns: { count: number };
}

const IOAPIC_ADDRESS = 0xfec0_0000;
const HPET_ADDRESS = 0xfed0_0000;

/** All chips, wired as on a pc board. `startNs` is the time of day at power-on; it goes on with the virtual clock. */
export async function chips(options: { startNs?: number } = {}): Promise<Chips> {
  const resets = { count: 0 };
  const shutdowns = { count: 0 };
  const machine = testMachine();
  const { clock } = machine;
  const startNs = options.startNs ?? 0;
  const host: Clock = {
    nowNs: () => startNs + clock.nowNs(),
    setTimer: (atNs, fire) => clock.setTimer(atNs - startNs, fire),
  };
  const clocks = { ...machine.clocks, host };
  const context = { ...machine, clocks, requestReset: () => resets.count++, requestShutdown: () => shutdowns.count++ };
  const { isa } = machine;
  const pic = isaI8259.create(context, { iobase: 0x20, elcr_addr: 0x4d0, elcr_mask: 0xf8, master: true });
  const pic2 = isaI8259.create(context, { iobase: 0xa0, elcr_addr: 0x4d1, elcr_mask: 0xde, master: false });
  pic.cascade = pic2;
  let level: 0 | 1 = 0;
  pic.connect({ set: (value) => level = value });
  pic2.connect(pic.input(2));
  const pit = isaPit.create(context, { iobase: 0x40 });
  const speaker = isaPcspk.create(context, { iobase: 0x61 });
  speaker.pit = pit;
  const rtc = mc146818rtc.create(context, { base_year: 0 });
  const dma = i8257.create(context, { "base": 0x00, "page-base": 0x80, "dshift": 0 });
  const dma2 = i8257.create(context, { "base": 0xc0, "page-base": 0x88, "dshift": 1 });
  const keyboardController = i8042.create(context);
  keyboardController.systemBus = machine.systemBus;
  const timers = hpet.create(context, { "hpet-intcap": PC_HPET_INTCAP });
  const apic = ioapic.create(context);
  const fwCfg = fwCfgIo.create(context);
  const pm = piix4Pm.create(context, { addr: 0x0b, smb_io_base: 0xb100, "smm-enabled": true });
  const eeprom = smbusEeprom.create(context, { address: 0x50 });
  const onIsa = [pic, pic2, pit, speaker, rtc, dma, dma2, keyboardController, port92.create(context)];
  for (const device of onIsa) await device.realize(isa);
  for (const device of [timers, apic, fwCfg]) await device.realize(machine.systemBus);
  await pm.realize(machine.pci);
  await eeprom.realize(pm.smbus);
  timers.map(0, machine.systemMemory, HPET_ADDRESS);
  apic.map(0, machine.systemMemory, IOAPIC_ADDRESS);
  pit.connect(timers.input(0));
  rtc.connect(timers.input(1));
  timers.connect(pit.input(0));
  timers.connect(isa.irq(0), 0, "sysbus-irq");
  timers.connect(isa.irq(8), 8, "sysbus-irq");
  pm.connect(isa.irq(9));
  machine.isa.ports.add(progressPort(), 0x80);
  machine.isa.ports.add(coprocessorErrorPort(), 0xf0);
  const all = [...onIsa, timers, apic, fwCfg, pm, eeprom, keyboardController.keyboard, keyboardController.mouse];
  for (const device of all) await device.reset();
  return {
    ...machine,
    pic,
    pic2,
    pit,
    rtc,
    dma,
    dma2,
    keyboardController,
    hpet: timers,
    ioapic: apic,
    fwCfg,
    pm,
    eeprom,
    interrupt: () => level,
    resets,
    shutdowns,
  };
}
