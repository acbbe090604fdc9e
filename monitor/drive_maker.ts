/**
 * Drives and nodes that are added while the machine stands or runs: `drive_add`, and media for `change`.
 *
 * @module
 */
import { isHelpOption, type OptionPair, parseOptionPairs } from "../base/keyval.ts";
import {
  type BlockBackend,
  BlockError,
  type BlockGraph,
  type BlockNode,
  driveId,
  type DriveInterface,
  nestOptions,
  openDrive,
  parseDrive,
} from "../block/mod.ts";
import type { Machine } from "../machine/mod.ts";
import { explain, MonitorError } from "./errors.ts";

/** What `drive_add` came to; `warnings` are lines for who asked. */
export type DriveAddition =
  & { readonly warnings: readonly string[] }
  & (
    | { readonly kind: "added"; readonly backend: BlockBackend }
    /** An interface that drives cannot be plugged into; QEMU says its number. */
    | { readonly kind: "unpluggable"; readonly interfaceNumber: number }
    | { readonly kind: "node"; readonly node: BlockNode }
    | { readonly kind: "help" }
  );

/** How drives and nodes come from option strings at run time. */
export interface DriveMaker {
  /** `drive_add`: options as in `-drive`. @throws an operating error with QEMU's text */
  addDrive(options: string): Promise<DriveAddition>;
  /** `drive_add -n`: options as in `-blockdev`. */
  addNode(options: string): Promise<DriveAddition>;
  /** Opens an image as `change` does; the caller holds the node. */
  openMedium(filename: string, how: { readonly format?: string; readonly readOnly: boolean }): Promise<BlockNode>;
}

/** QEMU's numbers of interfaces, which one of its messages says. */
const INTERFACE_NUMBERS: Readonly<Record<DriveInterface, number>> = {
  none: 0,
  ide: 1,
  scsi: 2,
  floppy: 3,
  pflash: 4,
  mtd: 5,
  sd: 6,
  virtio: 7,
  xen: 8,
};

/** Adds drives to a machine. */
export class MachineDriveMaker implements DriveMaker {
  readonly #machine: Machine;
  readonly #graph: BlockGraph;
  readonly #defaultInterface: DriveInterface;
  /** Which drive has which unit of `if=none`: it numbers the names of those that have none. */
  readonly #units = new Map<number, BlockBackend>();

  /** `unplugged` are the drives with `if=none` that the machine was started with, by unit. */
  constructor(
    machine: Machine,
    options: {
      readonly defaultInterface?: DriveInterface;
      readonly unplugged?: ReadonlyMap<number, BlockBackend>;
    } = {},
  ) {
    this.#machine = machine;
    this.#graph = machine.graph;
    this.#defaultInterface = options.defaultInterface ?? "ide";
    for (const [unit, backend] of options.unplugged ?? []) this.#units.set(unit, backend);
  }

  async addDrive(options: string): Promise<DriveAddition> {
    const { pairs, warnings } = parseOptionPairs(options);
    return await warned(warnings, () => this.#addDrive(pairs));
  }

  async #addDrive(pairs: readonly OptionPair[]): Promise<DriveAddition> {
    checkId(pairs.findLast(({ name }) => name === "id")?.value);
    const drive = parseDrive(pairs);
    const { warnings } = drive;
    if (drive.helpWanted) return { kind: "help", warnings };
    const busType = drive.interface ?? this.#defaultInterface;
    const unit = drive.unit ?? drive.index ?? this.#freeUnit();
    if (busType === "none" && this.#heldBy(unit) !== undefined) {
      throw new MonitorError(`drive with bus=${drive.bus ?? 0}, unit=${unit} (index=${unit}) exists`);
    }
    const name = drive.id ?? driveId(busType, drive.bus ?? 0, unit, drive.media);
    const backend = await openDrive(this.#graph, drive, name);
    if (busType !== "none") {
      await backend[Symbol.asyncDispose]();
      return { kind: "unpluggable", interfaceNumber: INTERFACE_NUMBERS[busType], warnings };
    }
    this.#machine.backends.add(backend);
    this.#units.set(unit, backend);
    return { kind: "added", backend, warnings };
  }

  async addNode(options: string): Promise<DriveAddition> {
    const { pairs, warnings } = parseOptionPairs(options);
    return await warned(warnings, async () => {
      if (!pairs.some(({ name }) => name === "node-name")) throw new MonitorError("'node-name' needs to be specified");
      return { kind: "node", node: await this.#graph.openImage({ options: nestOptions(pairs) }), warnings: [] };
    });
  }

  openMedium(filename: string, how: { readonly format?: string; readonly readOnly: boolean }): Promise<BlockNode> {
    if (how.format !== undefined && isHelpOption(how.format)) {
      throw new BlockError({ kind: "option", text: `Unknown driver '${how.format}'` });
    }
    return this.#graph.openImage({
      filename,
      options: { "read-only": how.readOnly, ...(how.format === undefined ? {} : { driver: how.format }) },
    });
  }

  #heldBy(unit: number): BlockBackend | undefined {
    const backend = this.#units.get(unit);
    return backend !== undefined && this.#machine.backends.has(backend) ? backend : undefined;
  }

  #freeUnit(): number {
    let unit = 0;
    while (this.#heldBy(unit) !== undefined) unit++;
    return unit;
  }
}

/** Puts warnings before whatever comes of `work`, an error included. */
async function warned(short: readonly string[], work: () => Promise<DriveAddition>): Promise<DriveAddition> {
  const lines = (texts: readonly string[]) => texts.map((text) => `warning: ${text}`);
  try {
    const added = await work();
    return { ...added, warnings: lines([...short, ...added.warnings]) };
  } catch (error) {
    if (short.length === 0) throw error;
    const { text, hint } = explain(error);
    throw new MonitorError([...lines(short), text].join("\n"), { hint, cause: error });
  }
}

function checkId(id: string | undefined): void {
  if (id === undefined || /^[A-Za-z][-A-Za-z0-9._]*$/.test(id)) return;
  throw new MonitorError("Parameter 'id' expects an identifier", {
    hint: "Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.",
  });
}
