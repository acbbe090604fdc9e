/**
 * The operator's steps: what is done to the disk as a whole, while the guest waits. When one fails half-way, power is
 * lost.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import { BlockError, commitAll } from "../../block/mod.ts";
import type { Machine } from "./machine.ts";
import { type SnapshotModel, vmStateBytes } from "./model.ts";
import { Violation } from "./verify.ts";
import type { Step } from "./workload.ts";

const SNAPSHOT = { vmStateBytes: 0, dateSeconds: 1, dateNanoseconds: 0, vmClockNs: 0, icount: -1 };

/** Does a step of the operator. */
export async function operatorStep(machine: Machine, step: Step): Promise<void> {
  const { model } = machine;
  // These say themselves what is there afterwards, or make nothing durable.
  const isOwnFlush = step.kind === "resize" || step.kind === "commit" || step.kind === "bitmap";
  const flushed = isOwnFlush ? () => {} : model.flush();
  const { snapshots } = model;
  try {
    const done = await administer(machine, step);
    flushed(done && step.kind !== "apply");
    // What a failed one left behind stays until a repair.
    if (done && machine.unharmed) machine.marksMayLag = false;
  } catch (error) {
    flushed(false);
    if (isRefusal(machine, step, error)) {
      model.snapshots = snapshots;
      return model.refused();
    }
    if (error instanceof Violation) throw error;
    machine.tolerate(error);
    // Taking or deleting may fail and work goes on; after the rest nobody knows what the disk holds.
    if ((step.kind === "snapshot" || step.kind === "delete") && step.b % 2 === 0) return;
    await machine.losePower(0);
  }
}

/** Whether the image cannot do what was asked, and has not changed. */
function isRefusal({ features, compat, bitmaps }: Machine, step: Step, error: unknown): boolean {
  if (!(error instanceof BlockError)) return false;
  const { errno } = error;
  switch (step.kind) {
    case "snapshot":
    case "apply":
      return errno === "EINVAL" && features.refcountBits < 8;
    case "resize":
      return (errno === "ENOTSUP" && compat === "0.10" && features.snapshots) ||
        (bitmaps.anyBroken && error.failure.kind === "state");
    case "amend":
      return errno === "ENOTSUP" || error.failure.kind === "unsupported";
    default:
      return false;
  }
}

/** False where there was nothing to be done. */
async function administer(machine: Machine, { kind, a, b }: Step): Promise<boolean> {
  switch (kind) {
    case "snapshot":
      return await takeSnapshot(machine, b);
    case "apply":
      return await applySnapshot(machine, a);
    case "delete":
      return await deleteSnapshot(machine, a);
    case "resize":
      return await resize(machine, a);
    case "commit":
      machine.model.committed();
      await commitAll(machine.graph, machine.node);
      return true;
    case "reopen":
      await machine.reopen();
      return true;
    case "amend":
      return await amend(machine, a);
    case "bitmap":
      // Version 2 has no place for them.
      return machine.compat !== "0.10" && await machine.bitmaps.step(machine.node, a, b);
    case "repair":
      return await repair(machine, a % 3 === 0 ? "leaks" : "all");
    default:
      return false;
  }
}

async function takeSnapshot(machine: Machine, b: number): Promise<boolean> {
  const { model, node } = machine;
  const others = model.snapshots;
  if (others.length >= 4) return false;
  const name = `s${model.nextValue()}`;
  const vmStateLength = b % 3 === 1 ? 1 + (b >>> 8) % 3000 : 0;
  if (vmStateLength > 0) await node.driver.vmState!.write(0, IoVector.of(vmStateBytes(name, vmStateLength)));
  const taken: SnapshotModel = { name, sectors: model.now.slice(), uncertain: true, vmStateLength };
  model.snapshots = [...others, taken];
  machine.marksMayLag = machine.compat === "0.10";
  await node.driver.snapshots!.create({ ...SNAPSHOT, name, vmStateBytes: vmStateLength });
  model.snapshots = [...others, { ...taken, uncertain: false }];
  return true;
}

function chosenSnapshot({ model, node }: Machine, a: number): { chosen: SnapshotModel; id: string } | undefined {
  const chosen = model.snapshots[a % Math.max(1, model.snapshots.length)];
  const id = node.driver.snapshots!.list().find(({ name }) => name === chosen?.name)?.id;
  return chosen === undefined || id === undefined ? undefined : { chosen, id };
}

async function applySnapshot(machine: Machine, a: number): Promise<boolean> {
  const found = chosenSnapshot(machine, a);
  // Whoever applies a snapshot drops the bitmaps first: they say nothing of what changes with it.
  if (found === undefined || machine.bitmaps.any) return false;
  machine.marksMayLag = machine.compat === "0.10";
  machine.model.beginApply(found.chosen);
  await machine.node.driver.snapshots!.apply(found.id);
  machine.model.endApply(found.chosen);
  return true;
}

async function deleteSnapshot(machine: Machine, a: number): Promise<boolean> {
  const { model } = machine;
  const found = chosenSnapshot(machine, a);
  if (found === undefined) return false;
  machine.marksMayLag = machine.compat === "0.10";
  const others = model.snapshots.filter((one) => one !== found.chosen);
  model.snapshots = [...others, { ...found.chosen, uncertain: true }];
  await machine.node.driver.snapshots!.delete(found.id);
  model.snapshots = others;
  return true;
}

async function resize({ model, bitmaps, node, features, firstSectors }: Machine, a: number): Promise<boolean> {
  const sectors = Math.max(1, Math.floor(firstSectors * (1 + a % 6) / 4) - a % 5);
  const { preallocation } = features;
  const grows = sectors > model.sectors;
  model.beginResize(sectors);
  await node.truncate(sectors * SECTOR_BYTES, grows ? { preallocation } : {});
  model.endResize(sectors);
  bitmaps.resize(sectors);
  return true;
}

async function amend(machine: Machine, a: number): Promise<boolean> {
  const { driver } = machine.node;
  try {
    if (a % 2 === 0 && !machine.bitmaps.any) await driver.amend!({ version: machine.compat === "0.10" ? 3 : 2 });
    else if (machine.compat === "0.10" || machine.bitmaps.any) return false;
    else await driver.amend!({ lazyRefcounts: a % 4 === 1 });
  } finally {
    await machine.amended();
  }
  return true;
}

async function repair(machine: Machine, fix: "leaks" | "all"): Promise<boolean> {
  const { driver } = machine.node;
  const result = await driver.check!({ fix });
  if (machine.features.faults === "EIO" || machine.features.faults === "ENOSPC") return true;
  if (result.checkErrors > 0) throw new Violation(`a repair fails: ${result.messages.join("; ")}`);
  if (fix === "leaks") return true;
  const left = await driver.check!({ fix: "none" });
  if (left.corruptions + left.leaks > 0) throw new Violation(`a repair leaves: ${left.messages.join("; ")}`);
  return true;
}
