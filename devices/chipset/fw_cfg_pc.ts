/**
 * The items that firmware finds on a pc board.
 *
 * ACPI and SMBIOS tables, boot order and geometries are the board's to add: they follow from its devices.
 *
 * Source: QEMU's docs/specs/fw_cfg.txt, "Firmware Configuration Items"; sizes as QEMU 7.2 shows them.
 *
 * @module
 */
import { type FwCfg, FwCfgKey } from "./fw_cfg.ts";

export interface PcFirmwareItems {
  readonly ramBytes: number;
  /** The part below the hole under 4 GiB. */
  readonly lowRamBytes: number;
  readonly cpus: number;
  readonly maxCpus: number;
  readonly noGraphic: boolean;
  readonly bootMenu: boolean;
  /** The HPET's address is told. */
  readonly hpet?: boolean;
  /** 16 bytes. */
  readonly uuid?: Uint8Array;
  /** OpenFirmware paths of `bootindex`, in order. */
  readonly bootPaths?: readonly string[];
  /** Milliseconds for `-boot splash-time` and `reboot-timeout`; -1 for never. */
  readonly rebootTimeoutMs?: number;
  readonly splashTimeMs?: number;
  readonly splash?: { readonly name: string; readonly content: Uint8Array };
}

const E820_RAM = 1;
const E820_RESERVED = 2;
/** What AMD processors keep for HyperTransport below 1 TiB. */
const HYPERTRANSPORT_ADDRESS = 0xfd_0000_0000;
const HYPERTRANSPORT_BYTES = 0x3_0000_0000;
const FOUR_GIB = 0x1_0000_0000;

/** Puts a pc's items into `fwCfg`. */
export function addPcItems(fwCfg: FwCfg, items: PcFirmwareItems): void {
  fwCfg.set(FwCfgKey.Uuid, items.uuid ?? new Uint8Array(16));
  fwCfg.setNumber(FwCfgKey.RamSize, items.ramBytes, 8);
  fwCfg.setNumber(FwCfgKey.NoGraphic, items.noGraphic ? 1 : 0, 2);
  fwCfg.setNumber(FwCfgKey.CpuCount, items.cpus, 2);
  fwCfg.setNumber(FwCfgKey.MaxCpus, items.maxCpus, 2);
  fwCfg.setNumber(FwCfgKey.BootMenu, items.bootMenu ? 1 : 0, 2);
  fwCfg.setNumber(FwCfgKey.Irq0Override, 1, 4);
  if (items.hpet ?? true) fwCfg.set(FwCfgKey.Hpet, hpetItem());
  fwCfg.setFile("bios-geometry", new Uint8Array(0));
  fwCfg.setFile("bootorder", textItem((items.bootPaths ?? []).join("\n")));
  fwCfg.setFile("etc/boot-fail-wait", numberItem(items.rebootTimeoutMs ?? -1));
  if (items.splash !== undefined) fwCfg.setFile(items.splash.name, items.splash.content);
  if (items.splashTimeMs !== undefined) {
    fwCfg.setFile("etc/boot-menu-wait", Uint8Array.of(items.splashTimeMs & 0xff, items.splashTimeMs >> 8));
  }
  fwCfg.setFile("etc/e820", e820(items));
  fwCfg.setFile("etc/system-states", systemStates());
}

/** Address, length and kind of each range, as the BIOS call E820 gives them. */
function e820({ ramBytes, lowRamBytes }: PcFirmwareItems): Uint8Array {
  const ranges: [address: number, length: number, kind: number][] = [
    [HYPERTRANSPORT_ADDRESS, HYPERTRANSPORT_BYTES, E820_RESERVED],
    [0, lowRamBytes, E820_RAM],
  ];
  if (ramBytes > lowRamBytes) ranges.push([FOUR_GIB, ramBytes - lowRamBytes, E820_RAM]);
  const view = new DataView(new ArrayBuffer(20 * ranges.length));
  for (const [index, [address, length, kind]] of ranges.entries()) {
    view.setBigUint64(20 * index, BigInt(address), true);
    view.setBigUint64(20 * index + 8, BigInt(length), true);
    view.setUint32(20 * index + 16, kind, true);
  }
  return new Uint8Array(view.buffer);
}

/** For S0 to S5 the type that the control register takes, and a bit for those there are: running and soft off. */
function systemStates(): Uint8Array {
  const available = 0x80;
  return Uint8Array.of(available, 0, 0, 1, 2, available);
}

/** One timer block: its capabilities' low word, its address; room for eight blocks. */
function hpetItem(): Uint8Array {
  const view = new DataView(new ArrayBuffer(1 + 8 * 15));
  view.setUint8(0, 1);
  view.setUint32(1, 0x8086_a201, true);
  view.setBigUint64(5, 0xfed0_0000n, true);
  return new Uint8Array(view.buffer);
}

function textItem(text: string): Uint8Array {
  return text === "" ? new Uint8Array(0) : new TextEncoder().encode(`${text}\0`);
}

function numberItem(value: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(4));
  view.setInt32(0, value, true);
  return new Uint8Array(view.buffer);
}
