/**
 * From a script's options to a machine: drives in QEMU's order, then the board, then devices.
 *
 * @module
 */
import type { Clocks } from "../../base/clocks.ts";
import { parseOptionPairs } from "../../base/keyval.ts";
import type { Random } from "../../base/random.ts";
import type { TraceEvents } from "../../base/trace.ts";
import { MiB } from "../../base/units.ts";
import {
  BlockBackend,
  BlockGraph,
  driveId,
  type DriveInterface,
  type DriveOptions,
  openDrive,
  parseBlockdev,
  parseDrive,
} from "../../block/mod.ts";
import { type BoardDrive, Machine, pc, QtestAccelerator, standardDeviceTypes } from "../../machine/mod.ts";
import { MonitorError } from "../errors.ts";
import { temporaryFiles } from "./temporary.ts";
import type { VmOptions } from "./options.ts";

/** What the host gives a machine. */
export interface BuildSite {
  readonly clocks: Omit<Clocks, "virtual">;
  readonly random: Random;
  readonly trace: TraceEvents;
  readonly warn: (text: string) => void;
}

/** A machine, and what belongs to it beside. */
export interface BuiltMachine {
  readonly machine: Machine;
  readonly qtest: QtestAccelerator;
  /** Drives with `if=none`, by unit. */
  readonly unplugged: ReadonlyMap<number, BlockBackend>;
}

/** A drive that was opened, and where it goes. */
interface PlacedDrive {
  readonly backend: BlockBackend;
  readonly interface: DriveInterface;
  readonly bus: number;
  readonly unit: number;
  readonly media: "disk" | "cdrom";
}

/** Builds a machine; nothing stays open where that fails. */
export async function buildMachine(options: VmOptions, site: BuildSite): Promise<BuiltMachine> {
  const qtest = new QtestAccelerator();
  const clocks: Clocks = { ...site.clocks, virtual: qtest.clock };
  const graph = new BlockGraph({
    clocks,
    random: site.random,
    trace: site.trace,
    warn: (message) => site.warn(`warning: ${message}`),
    notice: site.warn,
    temporary: temporaryFiles(),
  });
  await using undo = new AsyncDisposableStack();
  undo.use(graph);
  const opener = new DriveOpener(graph, options, undo, site.warn);
  for (const text of options.blockdevs ?? []) await graph.open(parseBlockdev(text));
  await opener.openAll();
  const { placed } = opener;
  const machine = await Machine.create({
    board: pc,
    accelerator: qtest,
    graph,
    clocks,
    random: site.random,
    trace: site.trace,
    types: standardDeviceTypes(),
    ramBytes: (options.memory ?? 128) * MiB,
    drives: placed.flatMap((drive): BoardDrive[] =>
      drive.interface === "ide" || drive.interface === "floppy" ? [{ ...drive, interface: drive.interface }] : []
    ),
    backends: placed.map(({ backend }) => backend),
    warn: site.warn,
    ...(options.boot === undefined ? {} : { bootOrder: options.boot }),
    ...(options.name === undefined ? {} : { name: options.name }),
  });
  // The machine owns graph and drives from here on.
  undo.move();
  try {
    for (const text of options.devices ?? []) await addDevice(machine, text);
  } catch (error) {
    await machine[Symbol.asyncDispose]();
    throw error;
  }
  const unplugged = new Map(
    placed.filter((drive) => drive.interface === "none").map(({ unit, backend }) => [unit, backend] as const),
  );
  return { machine, qtest, unplugged };
}

/** Opens drives in QEMU's order: as they were given, then the board's default ones. */
class DriveOpener {
  readonly placed: PlacedDrive[] = [];
  readonly #graph: BlockGraph;
  readonly #options: VmOptions;
  readonly #undo: AsyncDisposableStack;
  readonly #warn: (text: string) => void;

  constructor(graph: BlockGraph, options: VmOptions, undo: AsyncDisposableStack, warn: (text: string) => void) {
    this.#graph = graph;
    this.#options = options;
    this.#undo = undo;
    this.#warn = warn;
  }

  async openAll(): Promise<void> {
    const { hda, hdb, hdc, hdd, cdrom, drives = [], nodefaults = false } = this.#options;
    const disks = [hda, hdb, hdc, hdd];
    for (const [index, file] of disks.entries()) {
      if (file !== undefined) await this.#open([pair("index", index), pair("media", "disk"), pair("file", file)]);
    }
    if (cdrom !== undefined) await this.#open([pair("index", 2), pair("media", "cdrom"), pair("file", cdrom)]);
    for (const text of drives) {
      const { pairs, warnings } = parseOptionPairs(text);
      for (const warning of warnings) this.#warn(`warning: ${warning}`);
      await this.#open(pairs);
    }
    if (nodefaults) return;
    if (this.#at("ide", 1, 0) === undefined) await this.#open([pair("index", 2), pair("media", "cdrom")]);
    if (this.#at("floppy", 0, 0) === undefined) await this.#open([pair("if", "floppy"), pair("index", 0)]);
    if (this.#at("sd", 0, 0) === undefined) await this.#open([pair("if", "sd"), pair("index", 0)]);
  }

  async #open(pairs: readonly { readonly name: string; readonly value: string }[]): Promise<void> {
    const drive = parseDrive(pairs, { snapshot: this.#options.snapshot ?? false });
    for (const warning of drive.warnings) this.#warn(`warning: ${warning}`);
    const busType = drive.interface ?? "ide";
    if (!["ide", "floppy", "sd", "none"].includes(busType)) {
      throw new MonitorError(
        `machine type does not support if=${busType},bus=${drive.bus ?? 0},unit=${drive.unit ?? 0}`,
      );
    }
    const { bus, unit } = this.#place(busType, drive);
    const backend = await openDrive(this.#graph, drive, drive.id ?? driveId(busType, bus, unit, drive.media));
    this.#undo.use(backend);
    this.placed.push({ backend, interface: busType, bus, unit, media: drive.media });
  }

  /** Where a drive goes: as said, else in the first free place. */
  #place(busType: DriveInterface, drive: DriveOptions): { bus: number; unit: number } {
    const perBus = busType === "ide" ? 2 : Infinity;
    let bus = drive.bus ?? 0;
    let unit = drive.unit;
    if (drive.index !== undefined) {
      bus = perBus === Infinity ? 0 : Math.floor(drive.index / perBus);
      unit = perBus === Infinity ? drive.index : drive.index % perBus;
    } else if (unit === undefined) {
      for (unit = 0; this.#at(busType, bus, unit) !== undefined;) {
        if (++unit < perBus) continue;
        unit = 0;
        bus++;
      }
    }
    if (this.#at(busType, bus, unit!) !== undefined) {
      const index = perBus === Infinity ? unit! : bus * perBus + unit!;
      throw new MonitorError(`drive with bus=${bus}, unit=${unit} (index=${index}) exists`);
    }
    return { bus, unit: unit! };
  }

  #at(busType: DriveInterface, bus: number, unit: number): PlacedDrive | undefined {
    return this.placed.find((drive) => drive.interface === busType && drive.bus === bus && drive.unit === unit);
  }
}

function pair(name: string, value: string | number): { readonly name: string; readonly value: string } {
  return { name, value: String(value) };
}

async function addDevice(machine: Machine, text: string): Promise<void> {
  const { pairs } = parseOptionPairs(text, "driver");
  const take = (name: string) => pairs.findLast((one) => one.name === name)?.value;
  const driver = take("driver");
  if (driver === undefined) throw new MonitorError("Parameter 'driver' is missing");
  const own = ["driver", "id", "bus"];
  await machine.addDevice({
    driver,
    id: take("id"),
    bus: take("bus"),
    properties: pairs.filter(({ name }) => !own.includes(name)).map(({ name, value }) => [name, value] as const),
  });
}
