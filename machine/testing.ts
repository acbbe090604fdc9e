/**
 * Machines for tests: a pc over the qtest accelerator, with manual clocks and drives over given files.
 *
 * @module
 */
import { ManualClock } from "../base/clocks.ts";
import { SeededRandom } from "../base/random.ts";
import { MiB } from "../base/units.ts";
import { BlockBackend, BlockGraph } from "../block/mod.ts";
import type { DeviceTypes } from "../devices/bus/mod.ts";
import type { BoardDrive } from "./boards/board.ts";
import { pc } from "./boards/pc.ts";
import { QtestAccelerator } from "./cpu/mod.ts";
import { standardDeviceTypes } from "./device_types.ts";
import { Machine } from "./machine.ts";

/** A drive for a test. */
export interface TestDrive {
  readonly name: string;
  /** The image; none for an empty drive. */
  readonly file?: string;
  readonly format?: "qcow2" | "raw";
  readonly readOnly?: boolean;
  /** Where the board plugs it in; without it nothing does. */
  readonly at?: Omit<BoardDrive, "backend">;
}

/** What a test machine is made of. */
export interface TestPcOptions {
  readonly ramBytes?: number;
  readonly drives?: readonly TestDrive[];
  readonly types?: DeviceTypes;
  readonly seed?: number;
  readonly warn?: (text: string) => void;
  /** 2026-01-02 03:04:05 UTC by default. */
  readonly hostNs?: number;
}

/** A machine in `prelaunch`, and what drives it. */
export interface TestPc extends AsyncDisposable {
  readonly machine: Machine;
  readonly qtest: QtestAccelerator;
  readonly host: ManualClock;
}

/** Builds a pc. */
export async function testPc(options: TestPcOptions = {}): Promise<TestPc> {
  const host = new ManualClock(options.hostNs ?? Date.UTC(2026, 0, 2, 3, 4, 5) * 1e6);
  const qtest = new QtestAccelerator();
  const clocks = { virtual: qtest.clock, realtime: new ManualClock(), host };
  const random = new SeededRandom(options.seed ?? 1);
  const graph = new BlockGraph({ clocks, random });
  const backends: BlockBackend[] = [];
  const drives: BoardDrive[] = [];
  for (const drive of options.drives ?? []) {
    const backend = await openTestDrive(graph, drive);
    backends.push(backend);
    if (drive.at !== undefined) drives.push({ ...drive.at, backend });
  }
  const machine = await Machine.create({
    board: pc,
    accelerator: qtest,
    graph,
    clocks,
    random,
    types: options.types ?? standardDeviceTypes(),
    ramBytes: options.ramBytes ?? 16 * MiB,
    drives,
    backends,
    ...(options.warn === undefined ? {} : { warn: options.warn }),
  });
  return { machine, qtest, host, [Symbol.asyncDispose]: () => machine[Symbol.asyncDispose]() };
}

async function openTestDrive(graph: BlockGraph, drive: TestDrive): Promise<BlockBackend> {
  const backend = new BlockBackend({ graph, name: drive.name, readOnly: drive.readOnly ?? false });
  if (drive.file === undefined) return backend;
  const node = await graph.open({
    driver: drive.format ?? "qcow2",
    "read-only": drive.readOnly ?? false,
    file: { driver: "file", filename: drive.file },
  });
  await backend.insertMedium(node);
  await graph.release(node);
  return backend;
}
