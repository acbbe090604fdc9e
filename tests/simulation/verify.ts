/**
 * What must hold of the files that power loss left: the disk opens, a check finds no corruption, every sector holds one
 * of the values that it may hold, and so does every snapshot.
 *
 * @module
 */
import { afterZeroPages, IoVector } from "../../base/io_vector.ts";
import { SeededRandom } from "../../base/random.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import { BlockError, type BlockNode, type CheckResult } from "../../block/mod.ts";
import { type BitmapExpectation, bitmapProblem, bitmapsOf, type FoundBitmap } from "./bitmaps.ts";
import type { Features } from "./features.ts";
import { SimulatedHost } from "./host.ts";
import { type Expectation, type SnapshotModel, valueOf, type Values, vmStateBytes } from "./model.ts";
import type { FileContent } from "./pages.ts";
import { DATA_NAME, openDisk, openGraph, openOptions } from "./world.ts";

/** Something that must not happen. */
export class Violation extends Error {}

/** What power loss left at one moment, and what may be in it. */
export interface Moment {
  /** Its number in the run. */
  readonly point: number;
  readonly files: ReadonlyMap<string, FileContent>;
  readonly expectation: Expectation;
  readonly features: Features;
  /** Version 2 has no dirty bit: marks may lag behind references of a snapshot that was not finished. */
  readonly marksMayLag: boolean;
  /** The image was being made: it may not open yet, or have no size yet. */
  readonly isBeingMade: boolean;
  readonly bitmaps: BitmapExpectation;
  /** Power was lost after the disk had been closed: nothing was under way. */
  readonly closed: boolean;
}

/** What was found. */
export interface Found {
  readonly values: readonly number[];
  readonly snapshots: readonly string[];
  readonly leaks: number;
  readonly bitmaps: readonly FoundBitmap[];
}

const MARK = /^ERROR OFLAG_COPIED/;

/** Fails unless all is as it must be. @throws {Violation} */
export async function verify(moment: Moment): Promise<Found> {
  if (moment.isBeingMade) return await verifyHalfMade(moment);
  const random = new SeededRandom(moment.point + 7);
  const host = new SimulatedHost(moment.files);
  const again: Map<string, FileContent>[] = [];
  // Opening repairs; power may be lost in that, too.
  if (random.below(8) === 0) {
    host.changed = () => {
      if (random.below(4) === 0 && again.length < 3) again.push(host.afterPowerLoss(random));
    };
  }
  const found = await verifyOnce(moment, host, random.below(8) === 0);
  for (const files of again) {
    try {
      await verifyOnce({ ...moment, files, closed: false }, new SimulatedHost(files), false);
    } catch (error) {
      throw new Violation(`power lost again during recovery: ${(error as Error).message}`);
    }
  }
  return found;
}

/** An image that was being made is refused, or it is a sound one: with no size, or with all that is to be in it. */
async function verifyHalfMade(moment: Moment): Promise<Found> {
  const { expectation } = moment;
  const host = new SimulatedHost(moment.files);
  try {
    await using graph = openGraph(host);
    await openDisk(graph, { driver: "qcow2", "read-only": true });
  } catch (error) {
    if (error instanceof BlockError) return { values: [], snapshots: [], leaks: 0, bitmaps: [] };
    throw new Violation(`an image that was being made is no reason for ${(error as Error)?.stack ?? error}`);
  }
  const sectors = expectation.sectors.map((values) => values.includes(0) ? values : [0, ...values]);
  const sizes = [0, ...expectation.sizes];
  return await verifyOnce({ ...moment, expectation: { ...expectation, sectors, sizes } }, host, false);
}

async function verifyOnce(moment: Moment, host: SimulatedHost, repairToo: boolean): Promise<Found> {
  const { features, expectation } = moment;
  let found: Found;
  {
    await using graph = openGraph(host);
    const node = await opened(openDisk(graph, openOptions(features)));
    const leaks = await checkNode(node, moment);
    if (node.backing?.driver.check !== undefined) await checkNode(node.backing, moment, "backing file: ");
    const values = await readDisk(node, expectation.sectors, "");
    if (!expectation.sizes.includes(values.length)) {
      throw new Violation(`the disk has ${values.length} sectors, not ${expectation.sizes.join(" or ")}`);
    }
    const snapshots = node.driver.snapshots!.list().map(({ name }) => name);
    const bitmaps = bitmapsOf(node);
    const problem = bitmapProblem(bitmaps, moment.bitmaps, moment.closed);
    if (problem !== undefined) throw new Violation(problem);
    if (features.dataFile === "raw" && !moment.isBeingMade) verifyRawData(host, values, expectation.sectors);
    found = { values, snapshots, leaks, bitmaps };
    host.changed = () => {};
    if (repairToo) {
      const result = await node.driver.check!({ fix: "all" });
      if (result.checkErrors > 0) throw new Violation(`a repair fails: ${result.messages.join("; ")}`);
      const left = await node.driver.check!({ fix: "none" });
      if (left.corruptions + left.leaks > 0) throw new Violation(`a repair leaves: ${left.messages.join("; ")}`);
      await readDisk(node, expectation.sectors, "after a repair, ");
    }
  }
  await verifySnapshots(host, expectation.snapshots, found.snapshots);
  return found;
}

async function opened(opening: Promise<BlockNode>): Promise<BlockNode> {
  try {
    return await opening;
  } catch (error) {
    throw new Violation(`the image does not open: ${(error as Error).message}`);
  }
}

async function checkNode(node: BlockNode, moment: Moment, where = ""): Promise<number> {
  const result: CheckResult = await node.driver.check!({ fix: "none" });
  const marks = moment.marksMayLag ? result.messages.filter((line) => MARK.test(line)).length : 0;
  if (result.corruptions > marks || result.checkErrors > 0) {
    throw new Violation(`${where}check finds corruption: ${result.messages.slice(0, 6).join("; ")}`);
  }
  return result.leaks;
}

async function readDisk(node: BlockNode, allowed: readonly Values[], where: string): Promise<number[]> {
  const bytes = new Uint8Array(node.size);
  await node.read(0, IoVector.of(bytes));
  return readValues(bytes, 0, allowed, where);
}

/** The values of the sectors in `bytes`, of which the first is `first`. @throws {Violation} for one not allowed */
export function readValues(bytes: Uint8Array, first: number, allowed: readonly Values[], where: string): number[] {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const values: number[] = [];
  const sectors = bytes.length / SECTOR_BYTES;
  let zeroUpTo = 0;
  for (let i = 0; i < sectors; i++) {
    // Large clusters are mostly empty.
    if (i >= zeroUpTo && i % 8 === 0) zeroUpTo = afterZeroPages(bytes, i * SECTOR_BYTES) / SECTOR_BYTES;
    const value = i < zeroUpTo ? 0 : valueOf(words, i * SECTOR_BYTES, first + i);
    const may = allowed[i] ?? [];
    if (!may.includes(value)) {
      const is = value < 0 ? `torn or foreign bytes (${words[i * 128]} of sector ${words[i * 128 + 1]})` : value;
      throw new Violation(`${where}sector ${first + i} holds ${is}, allowed are ${may.join(", ")}`);
    }
    values.push(value);
  }
  return values;
}

/** The data file alone, read as a raw image, holds the disk; what was discarded there may be anything. */
function verifyRawData(host: SimulatedHost, values: readonly number[], allowed: readonly Values[]): void {
  const bytes = new Uint8Array(values.length * SECTOR_BYTES);
  host.files.get(DATA_NAME)!.read(0, bytes);
  values.forEach((value, sector) => {
    if (value === 0) bytes.fill(0, sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES);
  });
  readValues(bytes, 0, allowed, "the raw data file: ");
}

async function verifySnapshots(
  host: SimulatedHost,
  expected: readonly SnapshotModel[],
  found: readonly string[],
): Promise<void> {
  for (const { name, uncertain } of expected) {
    if (!uncertain && !found.includes(name)) throw new Violation(`snapshot ${name} is gone`);
  }
  if (found.length === 0) return;
  await using graph = openGraph(host);
  const node = await opened(openDisk(graph, { driver: "qcow2", "read-only": true }));
  const { snapshots } = node.driver;
  for (const { id, name, vmStateBytes: length } of snapshots!.list()) {
    const model = expected.find((one) => one.name === name);
    if (model === undefined) throw new Violation(`snapshot ${name} is there, though it was deleted or never taken`);
    const state = new Uint8Array(model.vmStateLength);
    if (state.length > 0) await snapshots!.readVmState!(id, 0, IoVector.of(state));
    if (length !== state.length || !vmStateBytes(name, length).every((byte, i) => byte === state[i])) {
      throw new Violation(`snapshot ${name} has lost its VM state`);
    }
    await snapshots!.load!(id);
    const values = await readDisk(node, model.sectors, `snapshot ${name}: `);
    if (values.length !== model.sectors.length) throw new Violation(`snapshot ${name} has ${values.length} sectors`);
  }
}
