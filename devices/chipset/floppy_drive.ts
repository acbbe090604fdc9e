/**
 * A floppy drive as everybody but the guest sees it: a device on the floppy controller's bus with a drive behind it.
 *
 * Left out: what the guest would do with it. The controller answers as if no drive were attached.
 *
 * @module
 */
import { type BlockBackend, Permission, REMOVABLE_SHARED } from "../../block/mod.ts";
import {
  Device,
  type DeviceContext,
  type DeviceOptions,
  type DeviceType,
  prop,
  PropertyError,
  type PropertyValues,
} from "../bus/mod.ts";

const DRIVE_TYPES = ["144", "288", "120", "none", "auto"] as const;
/** What a drive is whose type nobody gave and whose medium, if any, says nothing. */
const FALLBACK_TYPE = "288";
const UNITS = 2;
const ANY_UNIT = 0xffff_ffff;
const SECTOR_BYTES = 512;

const PROPERTIES = {
  "unit": prop.uint32(ANY_UNIT),
  "drive": prop.drive<BlockBackend>(),
  "backend_defaults": prop.onOffAuto(),
  "logical_block_size": prop.blockSize(),
  "physical_block_size": prop.blockSize(),
  "min_io_size": prop.size32(0),
  "opt_io_size": prop.size32(0),
  "discard_granularity": prop.size32(0xffff_ffff),
  "write-cache": prop.onOffAuto(),
  "share-rw": prop.bool(false),
  "account-invalid": prop.onOffAuto(),
  "account-failed": prop.onOffAuto(),
  "drive-type": prop.choice("FdcDriveType", DRIVE_TYPES, "auto", {
    description: "FDC drive type, 144/288/120/none/auto",
  }),
};

/** The drive. */
export class FloppyDrive extends Device<typeof PROPERTIES> {
  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(floppy, context, values, options);
  }

  protected override async onRealize(): Promise<void> {
    const { properties } = this;
    if (properties.unit === ANY_UNIT) properties.unit = this.#freeUnit();
    const { unit } = properties;
    if (unit >= UNITS) {
      throw new PropertyError(`Can't create floppy unit ${unit}, bus supports only ${UNITS} units`);
    }
    if (this.#neighbours.some((other) => other.properties.unit === unit)) {
      throw new PropertyError(`Floppy unit ${unit} is in use`);
    }
    properties.logical_block_size ||= SECTOR_BYTES;
    properties.physical_block_size ||= SECTOR_BYTES;
    if (properties.logical_block_size > properties.physical_block_size) {
      throw new PropertyError("logical_block_size > physical_block_size not supported");
    }
    if (properties.logical_block_size !== SECTOR_BYTES || properties.physical_block_size !== SECTOR_BYTES) {
      throw new PropertyError("Physical and logical block size must be 512 for floppy");
    }
    if (properties["drive-type"] === "auto") properties["drive-type"] = FALLBACK_TYPE;
    await properties.drive?.setPermissions(
      Permission.consistentRead | Permission.write,
      REMOVABLE_SHARED | (properties["share-rw"] ? Permission.write : 0),
    );
    properties.drive?.setDevice({
      path: this.path,
      id: this.id ?? "",
      removable: true,
      mediumChanged() {},
      ejectRequest() {},
      isTrayOpen: () => false,
      isMediumLocked: () => false,
      resized() {},
    });
  }

  protected override onUnrealize(): void {
    this.properties.drive?.setDevice(undefined);
  }

  get #neighbours(): FloppyDrive[] {
    return (this.bus?.devices ?? []).filter((device) =>
      device instanceof FloppyDrive && device !== this
    ) as FloppyDrive[];
  }

  #freeUnit(): number {
    const taken = new Set(this.#neighbours.map(({ properties }) => properties.unit));
    return [0, 1].find((unit) => !taken.has(unit)) ?? UNITS;
  }
}

/** `floppy`. */
export const floppy = {
  name: "floppy",
  busType: "floppy-bus",
  category: "Storage",
  description: "virtual floppy drive",
  userCreatable: true,
  properties: PROPERTIES,
  create: (context, values = {}, options = {}) => new FloppyDrive(context, values, options),
} satisfies DeviceType<typeof PROPERTIES>;
