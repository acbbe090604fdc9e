/**
 * The devices `ide-hd` and `ide-cd`: a drive of the core with properties, on a bus, joined to a backend.
 *
 * Their state is kept by the controller, since a channel's drives are one register set to the guest.
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import { type BlockBackend, DEVICE_SHARED, type DeviceHooks, Permission, REMOVABLE_SHARED } from "../../block/mod.ts";
import { Device, type DeviceType, PropertyError, type PropertyTable } from "../bus/mod.ts";
import { applyPolicies, firstSector } from "../drive/mod.ts";
import { EmptyBackend } from "./backend.ts";
import { CdDrive } from "./cd.ts";
import { Disk } from "./disk.ts";
import type { Drive } from "./drive.ts";
import { IdeBus } from "./ide_bus.ts";
import {
  CD_PROPERTIES,
  type CommonValues,
  HD_PROPERTIES,
  type HdValues,
  settleGeometry,
  settleIdeBlockSizes,
} from "./ide_properties.ts";

const VERSION = "2.5+";

/** What both kinds of drive do. */
abstract class IdeDevice<Table extends PropertyTable> extends Device<Table> {
  #drive: Drive | undefined;

  /** The drive itself: registers and state. @throws AssertionFailure before it is realized */
  get drive(): Drive {
    assert(this.#drive !== undefined, `${this.type.name} is not realized`);
    return this.#drive;
  }

  get ide(): IdeBus {
    assert(this.bus instanceof IdeBus, `${this.type.name} is on no IDE bus`);
    return this.bus;
  }

  protected abstract get common(): CommonValues;
  protected abstract makeDrive(backend: BlockBackend | undefined, unit: 0 | 1): Promise<Drive>;
  protected abstract hooks(drive: Drive): DeviceHooks;

  protected override async onRealize(): Promise<void> {
    const values = this.common;
    const bus = this.ide;
    const unit = bus.claim(this, values.unit);
    values.unit = unit;
    const backend = values.drive;
    settleIdeBlockSizes(values);
    const drive = await this.makeDrive(backend, unit);
    if (backend !== undefined) {
      applyPolicies(values, backend);
      backend.setDevice(this.hooks(drive));
    }
    this.#drive = drive;
    bus.channel.plug(drive);
  }

  protected override onUnrealize(): void {
    const { drive, ide } = this;
    this.common.drive?.setDevice(undefined);
    ide.channel.unplug(drive.unit);
  }

  protected override async onStop(): Promise<void> {
    await this.#drive?.job;
  }

  /** Settles the names that the guest sees. */
  protected settleNames(unit: 0 | 1): { serial: string; firmware: string } {
    const values = this.common;
    values.serial ??= `QM${String(this.ide.firstSerial + unit).padStart(5, "0")}`;
    values.ver ??= VERSION;
    return { serial: values.serial, firmware: values.ver };
  }
}

/** `ide-hd`. */
export class IdeHardDisk extends IdeDevice<typeof HD_PROPERTIES> {
  protected get common(): CommonValues {
    return this.properties;
  }

  protected async makeDrive(backend: BlockBackend | undefined, unit: 0 | 1): Promise<Drive> {
    if (backend === undefined) throw new PropertyError("No drive specified");
    if (!backend.isInserted) throw new PropertyError("Device needs media, but drive is empty");
    if (backend.readOnly) throw new PropertyError("Block node is read-only");
    const values: HdValues = this.properties;
    const shared = DEVICE_SHARED | (values["share-rw"] ? Permission.write : 0);
    await backend.setPermissions(Permission.consistentRead | Permission.write, shared);
    const sectors = Math.floor(backend.sizeBytes / SECTOR_BYTES);
    settleGeometry(values, await firstSector(backend), sectors);
    return new Disk(this.ide.channel, unit, backend, {
      ...this.settleNames(unit),
      model: values.model || "QEMU HARDDISK",
      wwn: values.wwn,
      rotationRate: values.rotation_rate,
      geometry: { cylinders: values.cyls, heads: values.heads, sectors: values.secs },
      physicalBlockBytes: values.physical_block_size,
      trim: values.discard_granularity !== 0,
    });
  }

  protected hooks(drive: Drive): DeviceHooks {
    return {
      path: this.path,
      id: this.id ?? "",
      removable: false,
      mediumChanged() {},
      ejectRequest() {},
      isTrayOpen: () => false,
      isMediumLocked: () => false,
      resized: () => (drive as Disk).resized(),
    };
  }
}

/** `ide-cd`. */
export class IdeCdDrive extends IdeDevice<typeof CD_PROPERTIES> {
  protected get common(): CommonValues {
    return this.properties;
  }

  protected async makeDrive(backend: BlockBackend | undefined, unit: 0 | 1): Promise<Drive> {
    const { model, wwn } = this.properties;
    await backend?.setPermissions(
      Permission.consistentRead,
      REMOVABLE_SHARED | (this.properties["share-rw"] ? Permission.write : 0),
    );
    return new CdDrive(this.ide.channel, unit, backend ?? new EmptyBackend(), {
      ...this.settleNames(unit),
      model: model || "QEMU DVD-ROM",
      wwn,
    });
  }

  protected hooks(drive: Drive): DeviceHooks {
    const cd = drive as CdDrive;
    return {
      path: this.path,
      id: this.id ?? "",
      removable: true,
      mediumChanged: (loaded) => cd.mediumChanged(loaded),
      ejectRequest: (force) => cd.ejectRequest(force),
      isTrayOpen: () => cd.trayOpen,
      isMediumLocked: () => cd.locked,
      resized() {},
    };
  }
}

/** The type `ide-hd`. */
export const ideHd: DeviceType<typeof HD_PROPERTIES> = {
  name: "ide-hd",
  busType: "IDE",
  category: "Storage",
  description: "virtual IDE disk",
  userCreatable: true,
  properties: HD_PROPERTIES,
  create: (context, values, options) => new IdeHardDisk(ideHd, context, values, options),
};

/** The type `ide-cd`. */
export const ideCd: DeviceType<typeof CD_PROPERTIES> = {
  name: "ide-cd",
  busType: "IDE",
  category: "Storage",
  description: "virtual IDE CD-ROM",
  userCreatable: true,
  properties: CD_PROPERTIES,
  create: (context, values, options) => new IdeCdDrive(ideCd, context, values, options),
};
