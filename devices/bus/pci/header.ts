/**
 * The header that every PCI function has: identity, command and status, interrupt.
 *
 * Source: [PCI 3.0] 6.2.1 to 6.2.4, figure 6-1.
 *
 * @module
 */
import type { ConfigRegister } from "./config_space.ts";

/** Bits of the command register. */
export const Command = {
  IoSpace: 0x0001,
  MemorySpace: 0x0002,
  BusMaster: 0x0004,
  Parity: 0x0040,
  SystemError: 0x0100,
  InterruptDisable: 0x0400,
} as const;

/** Bits of the status register. */
export const Status = {
  Interrupt: 0x0008,
  CapabilityList: 0x0010,
  FastBackToBack: 0x0080,
  DevselMedium: 0x0200,
} as const;

/** Who a function says that it is. */
export interface PciIdentity {
  readonly vendor: number;
  readonly device: number;
  readonly revision?: number;
  /** Class and subclass: 0x0101 for IDE. */
  readonly classCode: number;
  readonly programmingInterface?: number;
  readonly subsystemVendor?: number;
  readonly subsystem?: number;
  /** 0 for none, 1 for INTA#. */
  readonly interruptPin?: 0 | 1 | 2 | 3 | 4;
}

const MULTIFUNCTION = 0x80;

/** The header's registers for `identity`; BARs are added as they are registered. */
export function headerRegisters(identity: PciIdentity, multifunction: boolean): ConfigRegister[] {
  return [
    { name: "vendor", offset: 0x00, size: 2, reset: identity.vendor },
    { name: "device", offset: 0x02, size: 2, reset: identity.device },
    {
      name: "command",
      offset: 0x04,
      size: 2,
      writable: Command.IoSpace | Command.MemorySpace | Command.BusMaster | Command.InterruptDisable |
        Command.SystemError,
    },
    { name: "status", offset: 0x06, size: 2, writeOneToClear: 0xf900 },
    { name: "revision", offset: 0x08, size: 1, reset: identity.revision ?? 0 },
    { name: "programming-interface", offset: 0x09, size: 1, reset: identity.programmingInterface ?? 0 },
    { name: "class", offset: 0x0a, size: 2, reset: identity.classCode },
    { name: "cache-line-size", offset: 0x0c, size: 1, writable: 0xff },
    { name: "latency-timer", offset: 0x0d, size: 1 },
    { name: "header-type", offset: 0x0e, size: 1, reset: multifunction ? MULTIFUNCTION : 0 },
    { name: "bist", offset: 0x0f, size: 1 },
    { name: "subsystem-vendor", offset: 0x2c, size: 2, reset: identity.subsystemVendor ?? 0x1af4 },
    { name: "subsystem", offset: 0x2e, size: 2, reset: identity.subsystem ?? 0x1100 },
    { name: "capabilities", offset: 0x34, size: 1 },
    { name: "interrupt-line", offset: 0x3c, size: 1, writable: 0xff },
    { name: "interrupt-pin", offset: 0x3d, size: 1, reset: identity.interruptPin ?? 0 },
  ];
}

const CLASS_NAMES: ReadonlyMap<number, string> = new Map([
  [0x0001, "VGA controller"],
  [0x0100, "SCSI controller"],
  [0x0101, "IDE controller"],
  [0x0102, "Floppy controller"],
  [0x0103, "IPI controller"],
  [0x0104, "RAID controller"],
  [0x0106, "SATA controller"],
  [0x0107, "SAS controller"],
  [0x0180, "Storage controller"],
  [0x0200, "Ethernet controller"],
  [0x0280, "Network controller"],
  [0x0300, "VGA controller"],
  [0x0380, "Display controller"],
  [0x0401, "Audio controller"],
  [0x0500, "RAM controller"],
  [0x0501, "Flash controller"],
  [0x0580, "Memory controller"],
  [0x0600, "Host bridge"],
  [0x0601, "ISA bridge"],
  [0x0604, "PCI bridge"],
  [0x0680, "Bridge"],
  [0x0700, "Serial port"],
  [0x0c03, "USB controller"],
]);

/** `"IDE controller"`, or `"Class 0123"` where the class has no name. */
export function className(classCode: number): string {
  return CLASS_NAMES.get(classCode) ?? `Class ${classCode.toString(16).padStart(4, "0")}`;
}
