/**
 * Hosts and images that break one rule on purpose. A simulation that does not find each of them finds nothing.
 *
 * Hosts stand in for mistakes in the image format's code: a write that misses the flush behind it is, for the disk, what
 * a swapped order is. Which structure a write belongs to is read from the file itself ([QCOW2] "Header").
 *
 * @module
 */
import { SECTOR_BYTES } from "../../base/units.ts";
import type { BlockDriver } from "../../block/mod.ts";
import { Qcow2Driver } from "../../block/formats/qcow2/driver.ts";
import type { SimulatedDisk } from "./disk.ts";
import type { Plant } from "./host.ts";
import { valueOf } from "./model.ts";

/** A mistake, and the rule that it breaks. */
export interface PlantedBug {
  readonly name: string;
  readonly rule: string;
  make(): Plant;
}

const QCOW2_MAGIC = 0x514649fb;
const HEADER_BYTES = 104;
const MOST_TABLE_BYTES = 4096;

type Kind = "header" | "refcounts" | "refcount table" | "L1 table" | "data" | "other table";

/** What a write to `disk` changes. */
function kindOf(disk: SimulatedDisk, at: number, bytes: Uint8Array): Kind | undefined {
  if (disk.size < HEADER_BYTES) return undefined;
  const view = viewOf(disk, 0, HEADER_BYTES);
  if (view.getUint32(0) !== QCOW2_MAGIC) return undefined;
  const clusterSize = 2 ** view.getUint32(20);
  if (at < clusterSize) return "header";
  const table = Number(view.getBigUint64(48));
  const tableBytes = view.getUint32(56) * clusterSize;
  if (at >= table && at < table + tableBytes) return "refcount table";
  const blocks = viewOf(disk, table, Math.min(tableBytes, MOST_TABLE_BYTES));
  for (let i = 0; i < blocks.byteLength; i += 8) {
    const block = Number(blocks.getBigUint64(i));
    if (block !== 0 && at >= block && at < block + clusterSize) return "refcounts";
  }
  const l1 = Number(view.getBigUint64(40));
  if (at >= l1 && at < l1 + view.getUint32(36) * 8) return "L1 table";
  return holdsData(bytes) ? "data" : "other table";
}

function viewOf(disk: SimulatedDisk, at: number, length: number): DataView {
  const bytes = new Uint8Array(length);
  disk.read(at, bytes);
  return new DataView(bytes.buffer);
}

/** Whether a guest's sector is among them, of those that a write of the model makes. */
function holdsData(bytes: Uint8Array): boolean {
  if (bytes.length % SECTOR_BYTES !== 0) return true;
  const words = new Uint32Array(bytes.slice().buffer);
  for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
    if (words[at / 4] !== 0 && valueOf(words, at, words[at / 4 + 1]!) > 0) return true;
  }
  return false;
}

/** Writes of one kind miss the next flush. */
function late(kind: Kind): () => Plant {
  return () => ({ late: (disk, at, bytes) => kindOf(disk, at, bytes) === kind ? 1 : 0 });
}

/** All of them. */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: "refcount-late",
    rule: "A cluster is counted, durably, before anything durable refers to it.",
    make: late("refcounts"),
  },
  {
    name: "order-swapped",
    rule:
      "What a flush covers is on disk before what follows: L2 tables before the L1 table, before clusters are given away.",
    make: late("other table"),
  },
  {
    name: "data-late",
    rule: "Data is durable before the flush that followed its write returns.",
    make: late("data"),
  },
  {
    name: "flush-dropped",
    rule: "Between metadata and what refers to it lies a flush that is really done.",
    make: () => {
      let count = 0;
      return { dropFlush: () => ++count % 3 === 0 };
    },
  },
  {
    name: "table-given-away",
    rule: "A cluster that holds a table is never handed out for anything else.",
    make: () => {
      let count = 0;
      return {
        opened: (driver) => {
          const { allocator, l1 } = imageOf(driver);
          const allocate = allocator.allocate.bind(allocator);
          allocator.allocate = async (clusters) => {
            const table = Array.from({ length: l1.length }, (_, i) => l1.l2Offset(i)).find((offset) => offset !== 0);
            return clusters === 1 && table !== undefined && ++count % 5 === 0 ? table : await allocate(clusters);
          };
        },
      };
    },
  },
  {
    name: "racing-allocation",
    rule: "Who takes clusters does so alone: two requests at a time never take the same.",
    make: () => ({
      opened: (driver) => {
        imageOf(driver).lock.run = async (body) => await body();
      },
    }),
  },
];

function imageOf(driver: BlockDriver): Qcow2Driver["image"] {
  if (driver instanceof Qcow2Driver) return driver.image;
  throw new Error(`${driver.name} is no qcow2`);
}

/** The planted bug of that name. @throws where there is none */
export function plantedBug(name: string): PlantedBug {
  const found = PLANTED_BUGS.find((bug) => bug.name === name);
  if (found === undefined) throw new Error(`no planted bug ${name}: ${PLANTED_BUGS.map((bug) => bug.name).join(", ")}`);
  return found;
}
