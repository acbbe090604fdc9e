/**
 * Where drives go: buses and units by interface, and which drives nobody took.
 *
 * Source: behaviour of QEMU 7.2's `-drive`.
 *
 * @module
 */
import type { BlockBackend, DriveInterface, DriveOptions } from "../../block/mod.ts";
import { WiringError } from "./errors.ts";

/** Units on one bus of an interface; the others have one bus without an end. */
const UNITS_OF_BUS: Partial<Record<DriveInterface, number>> = { ide: 2, scsi: 7 };

/** A drive that was opened, and where it is. */
export interface PlacedDrive {
  readonly backend: BlockBackend;
  readonly interface: DriveInterface;
  readonly bus: number;
  readonly unit: number;
  readonly media: "disk" | "cdrom";
  readonly origin: string | undefined;
  /** The board made it by itself: it may stay unused. */
  readonly isDefault: boolean;
  readonly isEmpty: boolean;
}

/** The places that are taken. */
export class DrivePlaces {
  readonly placed: PlacedDrive[] = [];

  add(drive: PlacedDrive): void {
    this.placed.push(drive);
  }

  at(busType: DriveInterface, bus: number, unit: number): PlacedDrive | undefined {
    return this.placed.find((drive) => drive.interface === busType && drive.bus === bus && drive.unit === unit);
  }

  /** Where a drive goes: as it says, else in the first free place. @throws WiringError where that is taken */
  choose(busType: DriveInterface, drive: DriveOptions, origin: string | undefined): { bus: number; unit: number } {
    const perBus = UNITS_OF_BUS[busType] ?? Infinity;
    let bus = drive.bus ?? 0;
    let { unit } = drive;
    if (drive.index !== undefined) {
      bus = perBus === Infinity ? 0 : Math.floor(drive.index / perBus);
      unit = perBus === Infinity ? drive.index : drive.index % perBus;
    }
    if (unit === undefined) {
      for (unit = 0; this.at(busType, bus, unit) !== undefined;) {
        if (++unit < perBus) continue;
        unit = 0;
        bus++;
      }
    }
    if (unit >= perBus) throw new WiringError(`unit ${unit} too big (max is ${perBus - 1})`, "drives", origin);
    if (this.at(busType, bus, unit) !== undefined) {
      const index = perBus === Infinity ? unit : bus * perBus + unit;
      throw new WiringError(`drive with bus=${bus}, unit=${unit} (index=${index}) exists`, "drives", origin);
    }
    return { bus, unit };
  }

  /** Drives that the user gave an interface that the board has no place on. */
  get orphans(): PlacedDrive[] {
    return this.placed.filter(({ interface: busType, bus, unit, isDefault }) => {
      if (isDefault || busType === "none") return false;
      if (busType === "virtio") return false;
      if (busType === "ide") return bus > 1;
      return busType !== "floppy" || bus > 0 || unit > 1;
    });
  }
}
