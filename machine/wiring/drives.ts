/**
 * Opens a machine's drives in QEMU's order: nodes, drives as they were given, then those that a board has by default.
 *
 * @module
 */
import type { OptionPair } from "../../base/keyval.ts";
import {
  BlockError,
  type BlockGraph,
  driveId,
  type DriveInterface,
  openDrive,
  parseBlockdev,
  parseDrive,
} from "../../block/mod.ts";
import { blame, WiringError } from "./errors.ts";
import type { DriveWish, MachineWishes } from "./options.ts";
import { DrivePlaces } from "./places.ts";

/** Device types of users in whose presence a board adds no CD drive of its own. */
const REPLACES_CD = ["ide-cd", "ide-hd", "ide-drive", "scsi-cd", "scsi-hd"];
/** Interfaces whose drives may be told what to do with errors. */
const TAKES_ERROR_POLICY: readonly DriveInterface[] = ["ide", "scsi", "virtio", "none"];
const REPLACES_FLOPPY = ["isa-fdc", "floppy"];

/** Interfaces that QEMU has and that are not built here. */
const NOT_BUILT: Partial<Record<DriveInterface, string>> = {
  pflash: "moa has no flash chips yet",
  xen: "moa has no Xen devices",
};

/** Opens everything; `undo` closes what was opened if something later fails. `warn` gets whole lines. */
export async function openDrives(
  graph: BlockGraph,
  wishes: MachineWishes,
  undo: AsyncDisposableStack,
  warn: (text: string, origin?: string) => void,
): Promise<DrivePlaces> {
  const opener = new DriveOpener(graph, wishes, undo, warn);
  for (const { origin, text } of wishes.blockdevs ?? []) {
    await blame("drives", origin, () => graph.open(parseBlockdev(text)));
  }
  checkIds(wishes.drives ?? []);
  for (const request of wishes.drives ?? []) await opener.open(request, false);
  if (!wishes.nodefaults) await opener.openDefaults();
  return opener.places;
}

/** QEMU finds names that are given twice before it opens anything. */
function checkIds(requests: readonly DriveWish[]): void {
  const known = new Set<string>();
  for (const { pairs, origin } of requests) {
    const id = pairs.findLast(({ name }) => name === "id")?.value;
    if (id === undefined) continue;
    if (known.has(id)) throw new WiringError(`Duplicate ID '${id}' for drive`, "drives", origin);
    known.add(id);
  }
}

class DriveOpener {
  readonly places = new DrivePlaces();
  readonly #graph: BlockGraph;
  readonly #wishes: MachineWishes;
  readonly #undo: AsyncDisposableStack;
  readonly #warn: (text: string, origin?: string) => void;

  constructor(
    graph: BlockGraph,
    wishes: MachineWishes,
    undo: AsyncDisposableStack,
    warn: (text: string, origin?: string) => void,
  ) {
    this.#graph = graph;
    this.#wishes = wishes;
    this.#undo = undo;
    this.#warn = warn;
  }

  async open({ pairs, origin }: DriveWish, isDefault: boolean): Promise<void> {
    await blame("drives", origin, async () => {
      const drive = parseDrive(pairs, { snapshot: this.#wishes.snapshot ?? false });
      for (const warning of drive.warnings) this.#warn(`warning: ${warning}`, origin);
      const busType = drive.interface ?? this.#wishes.defaultInterface ?? "ide";
      const policy = drive.errorPolicyGiven;
      if (policy !== undefined && !TAKES_ERROR_POLICY.includes(busType)) {
        throw new WiringError(`${policy} is not supported by this bus type`, "drives", origin);
      }
      const { bus, unit } = this.places.choose(busType, drive, origin);
      const name = drive.id ?? driveId(busType, bus, unit, drive.media);
      const backend = await openDrive(this.#graph, drive, name);
      this.#undo.use(backend);
      refuseUnbuilt(busType);
      const { media, isEmpty } = drive;
      this.places.add({ backend, interface: busType, bus, unit, media, origin, isDefault, isEmpty });
    });
  }

  /** An empty CD drive, floppy drive and card reader, unless something else is there. */
  async openDefaults(): Promise<void> {
    const types = new Set([
      ...(this.#wishes.devices ?? []).map(({ pairs }) => pairs.findLast(({ name }) => name === "driver")?.value ?? ""),
      ...(this.#wishes.globals ?? []).map(({ driver }) => driver),
    ]);
    const free = (busType: DriveInterface, bus: number, unit: number, replacements: readonly string[]) =>
      this.places.at(busType, bus, unit) === undefined && !replacements.some((type) => types.has(type));
    if (free("ide", 1, 0, REPLACES_CD)) await this.open({ pairs: [pair("index", "2"), pair("media", "cdrom")] }, true);
    if (free("floppy", 0, 0, REPLACES_FLOPPY)) await this.open({ pairs: [pair("if", "floppy")] }, true);
    if (free("sd", 0, 0, [])) await this.open({ pairs: [pair("if", "sd")] }, true);
  }
}

/** Refused by name once the image has proved good, so that a wrong name is still told first. */
function refuseUnbuilt(busType: DriveInterface): void {
  const reason = NOT_BUILT[busType];
  if (reason !== undefined) {
    const feature = `if=${busType}`;
    throw new BlockError({ kind: "unsupported", feature, text: `${reason} (${feature})` }, { help: "Use if=ide." });
  }
}

function pair(name: string, value: string): OptionPair {
  return { name, value };
}
