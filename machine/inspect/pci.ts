/**
 * The functions of the PCI bus as data: what `info pci` and `query-pci` show.
 *
 * @module
 */
import { className, PciBus } from "../../devices/bus/mod.ts";
import { buses } from "../devices.ts";
import type { Machine } from "../machine.ts";

/** One function. */
export interface PciFunctionInfo {
  readonly bus: number;
  readonly slot: number;
  readonly function: number;
  readonly classCode: number;
  readonly className: string;
  readonly vendor: number;
  readonly device: number;
  readonly subsystemVendor: number;
  readonly subsystem: number;
  /** Empty where the user gave none. */
  readonly id: string;
  /** The object path. */
  readonly path: string;
  /** Where it has an interrupt pin: the line that software noted down, and pin 1 (A) to 4 (D). */
  readonly interrupt: { readonly line: number; readonly pin: number } | undefined;
  readonly bars: readonly {
    readonly index: number;
    readonly kind: "io" | "memory";
    readonly prefetchable: boolean;
    readonly is64Bit: boolean;
    /** `undefined` while the region is not seen; QEMU prints that as 2^64-1. */
    readonly address: number | undefined;
    readonly sizeBytes: number;
  }[];
}

/** All functions of all buses, by slot and function. */
export function pciFunctions(machine: Machine): PciFunctionInfo[] {
  return [...buses(machine)].filter((bus) => bus instanceof PciBus).flatMap((bus) =>
    bus.functions.map((device) => {
      const { config } = device;
      const pin = config.get("interrupt-pin");
      return {
        bus: bus.number,
        slot: device.slot,
        function: device.function,
        classCode: config.get("class"),
        className: className(config.get("class")),
        vendor: config.get("vendor"),
        device: config.get("device"),
        subsystemVendor: config.get("subsystem-vendor"),
        subsystem: config.get("subsystem"),
        id: device.id ?? "",
        path: device.path,
        interrupt: pin === 0 ? undefined : { line: config.get("interrupt-line"), pin },
        bars: device.bars.map(({ index, kind, prefetchable, is64Bit, address, sizeBytes }) => ({
          index,
          kind,
          prefetchable,
          is64Bit,
          address,
          sizeBytes,
        })),
      };
    })
  );
}
