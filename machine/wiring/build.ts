/**
 * From wishes to a machine: nodes and drives, then the board with its controllers, then devices; the order is QEMU's.
 *
 * @module
 */
import type { LinuxFiles } from "../firmware/linux.ts";
import { unpackKernel } from "../firmware/linux_unpack.ts";
import type { Clocks } from "../../base/clocks.ts";
import type { Random } from "../../base/random.ts";
import type { TraceEvents } from "../../base/trace.ts";
import { NS_PER_S } from "../../base/units.ts";
import {
  type BlockBackend,
  BlockGraph,
  type FdSets,
  OBJECT_TYPES,
  ObjectRegistry,
  type TemporaryFiles,
} from "../../block/mod.ts";
import { RealTimeClock } from "../../devices/chipset/mod.ts";
import type { ChardevSet } from "../chardev/mod.ts";
import type { Board, BoardDrive, LoaderRom } from "../boards/board.ts";
import { pc } from "../boards/pc.ts";
import { type Accelerator, QtestAccelerator, V86Accelerator } from "../cpu/mod.ts";
import { findFirmware } from "../firmware/find.ts";
import { standardDeviceTypes } from "../device_types.ts";
import { Machine } from "../machine.ts";
import { checkDeviceIds, plugDevice, withGlobals } from "./devices.ts";
import { openDrives } from "./drives.ts";
import { blame, WiringError } from "./errors.ts";
import { isBootable } from "./bootable.ts";
import { LateClock } from "./late_clock.ts";
import type { AcceleratorWish, DeviceWish, MachineWishes } from "./options.ts";
import type { DrivePlaces } from "./places.ts";

/** SeaBIOS. */
const DEFAULT_FIRMWARE = "bios-256k.bin";

/** What the host gives a machine. */
export interface WiringSite {
  readonly clocks: Omit<Clocks, "virtual">;
  readonly random: Random;
  readonly trace: TraceEvents;
  readonly chardevs?: ChardevSet;
  /** Descriptors that the program was given; not owned. */
  readonly fdSets?: FdSets;
  /** Takes messages for the user, without the program's name; `origin` is what they are about. */
  readonly warn: (text: string, origin?: string) => void;
  /** Takes lines that have no name before them. */
  readonly notice: (text: string) => void;
  /** Told of each image that a command makes. */
  readonly formatting?: (line: string) => void;
  readonly temporary?: TemporaryFiles;
  /** The pc where absent. */
  readonly board?: Board;
  /** Texts and names as QEMU 7.2's, to the letter. */
  readonly strict?: boolean;
  /** Asked when all drives are open and the board is about to be built: which accelerator, where the wishes do not say. */
  readonly drivesOpen?: () => AcceleratorWish | undefined;
}

/** A machine, and what belongs to it beside. */
export interface WiredMachine {
  readonly machine: Machine;
  /** The accelerator, where it is the one that scripts play the guest of. */
  readonly qtest: QtestAccelerator | undefined;
  /** Drives with `if=none`, by unit. */
  readonly unplugged: ReadonlyMap<number, BlockBackend>;
}

/**
 * Builds a machine; nothing stays open where that fails.
 *
 * @throws {WiringError} with QEMU's text and the wish that it is about
 */
export async function wireMachine(wishes: MachineWishes, site: WiringSite): Promise<WiredMachine> {
  const types = withGlobals(standardDeviceTypes(), wishes.globals ?? [], site.warn);
  checkDeviceIds(wishes.devices ?? []);
  const virtual = new LateClock();
  const clocks: Clocks = { ...site.clocks, virtual };
  const graph = new BlockGraph({
    clocks,
    random: site.random,
    trace: site.trace,
    warn: (message) => site.warn(`warning: ${message}`),
    notice: site.notice,
    ...(site.formatting === undefined ? {} : { formatting: site.formatting }),
    inMachine: true,
    ...(site.fdSets === undefined ? {} : { fdSets: site.fdSets }),
    objects: wishes.objects ?? new ObjectRegistry(OBJECT_TYPES),
    ...(site.temporary === undefined ? {} : { temporary: site.temporary }),
  });
  await using undo = new AsyncDisposableStack();
  undo.use(graph);
  const places = await openDrives(graph, wishes, undo, site.warn);
  const wish = site.drivesOpen?.() ?? wishes.accelerator ?? await defaultAccelerator(wishes, places);
  const [accelerator, unpacked] = await Promise.all([
    makeAccelerator(wish, site),
    wish.name === "v86" && wishes.linux !== undefined ? unpackKernel(wishes.linux.kernel) : undefined,
  ]);
  virtual.clock = accelerator.clock;
  const { ramBytes, bootOrder, bootOnce, name, firmwareItems, noReboot } = wishes;
  const found = firmwareFor(wishes, accelerator);
  const vga = wishes.vga === "std" ? { rom: findFirmware("vgabios-stdvga.bin", wishes.dataFolders) } : undefined;
  const { linux, firmware } = wishes.linux === undefined
    ? { linux: undefined, firmware: found }
    : await linuxFor({ ...wishes.linux, unpacked }, wishes, accelerator, found);
  if (firmware === undefined && wishes.firmware === undefined && accelerator.can.runsCode) {
    site.warn(
      `info: ${found === undefined ? "no SeaBIOS" : "no linuxboot_dma.bin for SeaBIOS"} was found (Debian: ${
        found === undefined ? "seabios" : "qemu-system-data"
      }; -L names another folder): the built-in firmware runs, as with -bios built-in`,
    );
  }
  // What the machine is given it owns, even when it cannot be built.
  undo.move();
  const machine = await blame("devices", undefined, () =>
    Machine.create({
      board: site.board ?? pc,
      accelerator,
      graph,
      clocks,
      random: site.random,
      trace: site.trace,
      chardevs: site.chardevs,
      serials: wishes.serials,
      parallels: wishes.parallels,
      vga,
      types,
      drives: boardDrives(places),
      backends: places.placed.map(({ backend }) => backend),
      warn: (text) => site.warn(text),
      ...(ramBytes === undefined ? {} : { ramBytes }),
      ...(bootOrder === undefined ? {} : { bootOrder }),
      ...(bootOnce === undefined ? {} : { bootOnce }),
      ...(name === undefined ? {} : { name }),
      firmwareItems: { ...firmwareItems, ...(linux === undefined ? {} : { linux }) },
      ...(noReboot === undefined ? {} : { noReboot }),
      ...(firmware === undefined ? {} : { firmware, firmwareName: wishes.firmwareName ?? DEFAULT_FIRMWARE }),
    }));
  try {
    await finish(machine, wishes, places, site);
  } catch (error) {
    await machine[Symbol.asyncDispose]();
    throw error;
  }
  const unplugged = places.placed.filter((drive) => drive.interface === "none");
  const qtest = accelerator instanceof QtestAccelerator ? accelerator : undefined;
  return { machine, qtest, unplugged: new Map(unplugged.map(({ unit, backend }) => [unit, backend])) };
}

/**
 * A kernel, and what starts it: an option ROM of QEMU's in other firmware, or moa's own firmware by itself, which takes
 * the place of a SeaBIOS that nobody asked for where the ROM is absent.
 *
 * @throws {WiringError} where a firmware of the user's needs the ROM, and there is none
 */
async function linuxFor(
  files: LinuxFiles,
  wishes: MachineWishes,
  accelerator: Accelerator,
  firmware: Uint8Array | undefined,
): Promise<{ linux: LinuxFiles & { loader?: LoaderRom }; firmware: Uint8Array | undefined }> {
  const canDoWithout = accelerator.can.runsCode && !(wishes.firmware instanceof Uint8Array);
  if (canDoWithout && firmware === undefined) return { linux: files, firmware };
  const loader = findLoader(wishes.dataFolders);
  if (loader !== undefined) return { linux: { ...files, loader }, firmware };
  if (canDoWithout) return { linux: files, firmware: undefined };
  throw new WiringError(
    "-kernel needs linuxboot_dma.bin from QEMU's data folder (Debian: qemu-system-data); name that folder with -L, " +
      "or leave -bios away",
    "devices",
  );
}

function findLoader(dataFolders: MachineWishes["dataFolders"]): LoaderRom | undefined {
  for (const name of ["linuxboot_dma.bin", "linuxboot.bin"]) {
    const content = findFirmware(name, dataFolders);
    if (content !== undefined) return { name, content };
  }
  return undefined;
}

/** The firmware; `undefined` leaves it to the board. */
function firmwareFor({ firmware, dataFolders }: MachineWishes, accelerator: Accelerator): Uint8Array | undefined {
  if (firmware !== undefined) return firmware === "built-in" ? undefined : firmware;
  return accelerator.can.runsCode ? findFirmware(DEFAULT_FIRMWARE, dataFolders) : undefined;
}

/** A CPU where there is something to boot. */
async function defaultAccelerator({ linux }: MachineWishes, { placed }: DrivePlaces): Promise<AcceleratorWish> {
  if (linux !== undefined) return { name: "v86" };
  for (const { backend } of placed) if (await isBootable(backend)) return { name: "v86" };
  return { name: "qtest" };
}

async function makeAccelerator(
  wish: AcceleratorWish,
  { clocks, random, warn }: WiringSite,
): Promise<QtestAccelerator | V86Accelerator> {
  if (wish.name === "qtest") return new QtestAccelerator();
  const { icount } = wish;
  return await blame(
    "devices",
    undefined,
    () =>
      V86Accelerator.create({ realtime: clocks.realtime, random, warn, ...(icount === undefined ? {} : { icount }) }),
  );
}

/** Devices of the user, then a look for drives that nobody took. */
async function finish(machine: Machine, wishes: MachineWishes, places: DrivePlaces, site: WiringSite): Promise<void> {
  const rules = {
    strict: site.strict ?? false,
    warn: site.warn,
    mediaOf: (drive: string) => places.placed.find(({ backend }) => backend.name === drive)?.media,
  };
  for (const request of [...wishes.devices ?? [], ...virtioDisks(places)]) await plugDevice(machine, request, rules);
  if (wishes.timeOfDay !== undefined) setTimeOfDay(machine, wishes.timeOfDay);
  await blame("devices", undefined, () => machine.complete());
  const order = wishes.bootOnce ?? wishes.bootOrder;
  const problem = order === undefined ? undefined : machine.built.setBootOrder(order);
  if (problem !== undefined) throw new WiringError(problem, "devices");
  const [first, ...others] = places.orphans.map(({ interface: busType, bus, unit, origin }) =>
    new WiringError(`machine type does not support if=${busType},bus=${bus},unit=${unit}`, "devices", origin)
  );
  if (first === undefined) return;
  // All are told; the last one ends the program.
  const last = others.pop();
  if (last === undefined) throw first;
  for (const { message, origin } of [first, ...others]) site.warn(message, origin);
  throw last;
}

/** What `if=virtio` stands for: a device for each of these drives, after those that the user asked for. */
function virtioDisks(places: DrivePlaces): DeviceWish[] {
  return places.placed.filter((drive) => drive.interface === "virtio").map(({ backend, origin }) => ({
    pairs: [{ name: "driver", value: "virtio-blk-pci" }, { name: "drive", value: backend.name }],
    ...(origin === undefined ? {} : { origin }),
  }));
}

function setTimeOfDay(machine: Machine, wish: NonNullable<MachineWishes["timeOfDay"]>): void {
  const clock = machine.clocks[wish.clock];
  const offsetNs = wish.startSeconds * NS_PER_S - clock.nowNs();
  for (const device of machine.devices) if (device instanceof RealTimeClock) device.use({ clock, offsetNs });
}

function boardDrives(places: DrivePlaces): BoardDrive[] {
  const orphans = new Set(places.orphans);
  return places.placed.flatMap((drive): BoardDrive[] => {
    const { interface: busType, bus, unit, backend, media } = drive;
    const onBoard = (busType === "ide" || busType === "floppy") && !orphans.has(drive);
    return onBoard ? [{ interface: busType, bus, unit, backend, media }] : [];
  });
}
