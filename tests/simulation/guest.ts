/**
 * The guest's steps: requests to sectors, many at a time.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import type { Machine, Range } from "./machine.ts";
import { sectorBytes } from "./model.ts";
import { readValues } from "./verify.ts";
import type { Step } from "./workload.ts";

/** Does a step of the guest; false where it is none. */
export async function guestStep(machine: Machine, step: Step): Promise<boolean> {
  switch (step.kind) {
    case "write":
    case "write through":
    case "zero":
    case "zero and unmap":
    case "discard":
      await change(machine, step, rangeOf(machine, step));
      return true;
    case "read":
      await read(machine, rangeOf(machine, step));
      return true;
    case "flush":
      await flush(machine);
      return true;
    case "compress":
      // Deflating is done by threads, whose order no seed knows: so nothing else goes on.
      await machine.settle();
      await change(machine, step, wholeCluster(machine, step));
      await machine.settle();
      return true;
    default:
      return false;
  }
}

/** Where a guest's request goes: mostly few sectors, sometimes several clusters. */
function rangeOf({ model, features }: Machine, { a, b }: Step): Range {
  const { sectors } = model;
  const cluster = features.clusterBytes / SECTOR_BYTES;
  const longest = b % 4 === 0 ? Math.min(64, cluster * 4) : Math.min(16, cluster + 2);
  let first = a % sectors;
  // Half of the requests meet in a few places, so that clusters are written again and shared.
  if ((b >> 4) % 2 === 0) first %= Math.min(sectors, cluster * 6);
  if ((b >> 5) % 4 === 0) first -= first % cluster;
  return { first, count: Math.min(sectors - first, 1 + (b >>> 8) % Math.max(longest, 1)) };
}

function wholeCluster({ model, features }: Machine, step: Step): Range {
  const cluster = features.clusterBytes / SECTOR_BYTES;
  const first = Math.floor(step.a % model.sectors / cluster) * cluster;
  return { first, count: Math.min(cluster, model.sectors - first) };
}

function flush({ model, node, issue }: Machine): Promise<void> {
  return issue({ first: 0, count: 0, changes: false }, async () => {
    const flushed = model.flush();
    let well = false;
    try {
      await node.flush();
      well = true;
    } finally {
      flushed(well);
    }
  });
}

function read({ model, node, issue }: Machine, { first, count }: Range): Promise<void> {
  return issue({ first, count, changes: false }, async () => {
    const expected = model.read(first, count);
    const bytes = new Uint8Array(count * SECTOR_BYTES);
    try {
      await node.read(first * SECTOR_BYTES, IoVector.of(bytes));
    } catch (error) {
      expected();
      throw error;
    }
    readValues(bytes, first, expected(), "a read finds: ");
  });
}

async function change(machine: Machine, { kind }: Step, range: Range): Promise<void> {
  const { model, node } = machine;
  const { first, count } = range;
  const at = first * SECTOR_BYTES;
  const length = count * SECTOR_BYTES;
  const value = kind === "zero" || kind === "zero and unmap" || kind === "discard" ? 0 : model.nextValue();
  const changed = kind === "discard" ? discarded(machine, range) : range;
  await machine.issue({ ...range, changes: true }, async () => {
    model.begin(changed.first, changed.count, value);
    machine.bitmaps.begin(first, count);
    const data = () => IoVector.of(sectorBytes(first, count, value));
    if (kind === "write") await node.write(at, data());
    else if (kind === "write through") await node.write(at, data(), { fua: true });
    else if (kind === "compress") await node.writeCompressed(at, data());
    else if (kind === "discard") await node.discard(at, length);
    else await node.writeZeroes(at, length, { unmap: kind === "zero and unmap" });
    model.end(changed.first, changed.count, value);
    machine.bitmaps.end(changed.first, changed.count);
    if (kind === "write through") model.durable(first, count, value);
  });
}

/** The sectors that a discard makes zeroes: whole clusters, the last one of the disk among them. */
function discarded({ features, compat, model }: Machine, { first, count }: Range): Range {
  const none = { first, count: 0 };
  if (features.discard === "ignore" || (compat === "0.10" && features.backing !== "none")) return none;
  const cluster = features.clusterBytes / SECTOR_BYTES;
  const start = Math.ceil(first / cluster) * cluster;
  const end = first + count;
  const stop = end === model.sectors ? end : Math.floor(end / cluster) * cluster;
  return stop > start ? { first: start, count: stop - start } : none;
}
