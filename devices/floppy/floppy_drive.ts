/**
 * A floppy drive: head, medium, change line; a device on the controller's bus with a backend behind it.
 *
 * Left out: what motors and heads take of time; index pulses.
 *
 * Source: [82078] 2.1.8 "Digital Input Register"; behaviour of QEMU 7.2's `floppy` for properties and their errors.
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
import { applyPolicies, DRIVE_PROPERTIES, settleBlockSizes } from "../drive/mod.ts";
import { type DriveKind, driveKindFor, type FloppyFormat, formatIn } from "./geometry.ts";
import { SECTOR_BYTES } from "./registers.ts";

export const DRIVE_TYPES = ["144", "288", "120", "none", "auto"] as const;
const UNITS = 2;
const ANY_UNIT = 0xffff_ffff;
/** Heads step one beyond the last cylinder; a seek that goes further is not made. */
const FURTHEST_CYLINDER = 80;

const PROPERTIES = {
  "unit": prop.uint32(ANY_UNIT),
  ...DRIVE_PROPERTIES,
  "drive-type": prop.choice("FdcDriveType", DRIVE_TYPES, "auto", {
    description: "FDC drive type, 144/288/120/none/auto",
  }),
};

/** What the controller says of a unit when none is told there. */
export interface UnitDefaults {
  /** `fdtypeA`, `fdtypeB`. */
  typeOf(unit: number): typeof DRIVE_TYPES[number];
  /** What a drive is whose type nobody gave and whose medium, if any, says nothing. */
  readonly fallback: typeof DRIVE_TYPES[number];
}

export interface FloppyDriveState {
  cylinder: number;
  /** The side that the last data was on. */
  head: number;
  changed: boolean;
}

/** The drive. */
export class FloppyDrive extends Device<typeof PROPERTIES, FloppyDriveState> {
  #state: FloppyDriveState = { cylinder: 0, head: 0, changed: true };

  constructor(context: DeviceContext, values: Partial<PropertyValues<typeof PROPERTIES>>, options: DeviceOptions) {
    super(floppy, context, values, options);
  }

  get backend(): BlockBackend | undefined {
    return this.properties.drive;
  }

  /** Where the head is. */
  get cylinder(): number {
    return this.#state.cylinder;
  }

  /** The side that the last data was on; refusals name it. */
  get head(): number {
    return this.#state.head;
  }

  set head(head: number) {
    this.#state.head = head;
  }

  /** Whether a medium is in. */
  get loaded(): boolean {
    return this.format !== undefined && this.backend?.isInserted === true;
  }

  /** How the medium is formatted; `undefined` without one, or for a drive of no type. */
  get format(): FloppyFormat | undefined {
    const kind = this.properties["drive-type"];
    if (kind === "auto" || kind === "none" || this.backend?.isInserted !== true) return undefined;
    return formatIn(kind, this.backend.sizeBytes);
  }

  get writeProtected(): boolean {
    return !this.loaded || this.backend!.readOnly;
  }

  /** The change line: set when a medium goes, cleared by a step with a medium in. */
  get changed(): boolean {
    return this.#state.changed;
  }

  /** Moves the head, as far as it goes; a step with a medium in clears the change line. */
  seek(cylinder: number): void {
    const furthest = this.format?.cylinders ?? FURTHEST_CYLINDER;
    const target = cylinder > furthest ? this.#state.cylinder : Math.max(0, cylinder);
    if (target !== this.#state.cylinder && this.loaded) this.#state.changed = false;
    this.#state.cylinder = target;
  }

  protected override async onRealize(): Promise<void> {
    const { properties } = this;
    this.#settleUnit();
    this.#settleBlockSizes();
    const backend = properties.drive;
    properties["drive-type"] = this.#settledType(backend);
    if (backend === undefined) return;
    const policies = [["werror", backend.werror !== "enospc"], ["rerror", backend.rerror !== "report"]] as const;
    for (const [name, changed] of policies) {
      if (changed) throw new PropertyError(`fdc doesn't support drive option ${name}`);
    }
    await backend.setPermissions(
      Permission.consistentRead | (backend.readOnly ? 0 : Permission.write),
      REMOVABLE_SHARED | (properties["share-rw"] ? Permission.write : 0),
    );
    applyPolicies(properties, backend);
    backend.setDevice({
      path: this.path,
      id: this.id ?? "",
      removable: true,
      hasTray: false,
      mediumChanged: () => this.#state.changed = true,
      ejectRequest() {},
      isTrayOpen: () => false,
      isMediumLocked: () => false,
      resized() {},
    });
  }

  protected override onUnrealize(): void {
    this.properties.drive?.setDevice(undefined);
  }

  protected override onReset(): void {
    this.#state = { cylinder: 0, head: 0, changed: true };
  }

  protected override saveState(): FloppyDriveState {
    return { ...this.#state };
  }

  protected override loadState(state: FloppyDriveState): void {
    this.#state = { ...state };
  }

  #settleUnit(): void {
    const { properties } = this;
    const taken = new Set(this.#neighbours.map(({ properties }) => properties.unit));
    if (properties.unit === ANY_UNIT) properties.unit = [0, 1].find((unit) => !taken.has(unit)) ?? UNITS;
    const { unit } = properties;
    if (unit >= UNITS) {
      throw new PropertyError(`Can't create floppy unit ${unit}, bus supports only ${UNITS} units`);
    }
    if (taken.has(unit)) throw new PropertyError(`Floppy unit ${unit} is in use`);
  }

  #settleBlockSizes(): void {
    const { properties } = this;
    settleBlockSizes(properties);
    if (properties.logical_block_size !== SECTOR_BYTES || properties.physical_block_size !== SECTOR_BYTES) {
      throw new PropertyError("Physical and logical block size must be 512 for floppy");
    }
  }

  /** As given for the drive, else for its unit; else what its medium needs, else what the controller falls back to. */
  #settledType(backend: BlockBackend | undefined): DriveKind | "none" {
    const defaults = unitDefaults(this.bus?.parent);
    const given = this.properties["drive-type"];
    const wanted = given === "auto" ? defaults?.typeOf(this.properties.unit) ?? "auto" : given;
    if (wanted !== "auto") return wanted;
    const byMedium = backend?.isInserted === true ? driveKindFor(backend.sizeBytes) : undefined;
    const fallback = defaults?.fallback ?? "288";
    return byMedium ?? (fallback === "auto" ? "288" : fallback);
  }

  get #neighbours(): FloppyDrive[] {
    return (this.bus?.devices ?? []).filter((device) =>
      device instanceof FloppyDrive && device !== this
    ) as FloppyDrive[];
  }
}

/** The defaults that a controller has for its units; whoever has them is a {@link UnitDefaults}. */
function unitDefaults(controller: Device | undefined): UnitDefaults | undefined {
  const { fdtypeA, fdtypeB, fallback } = (controller?.properties ?? {}) as Readonly<Record<string, unknown>>;
  const typeNamed = (value: unknown) => DRIVE_TYPES.find((type) => type === value);
  const known = typeNamed(fallback);
  if (known === undefined) return undefined;
  return { typeOf: (unit) => typeNamed(unit === 0 ? fdtypeA : fdtypeB) ?? "auto", fallback: known };
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
