/**
 * What is fuzzed: each target is a kind of image, and the structures that are damaged in it.
 *
 * To add one, add a row; `qcow2_mutations.ts` knows where structures lie.
 *
 * @module
 */
import type { CreateValues } from "../../block/mod.ts";

/** A kind of image and where it is damaged. */
export interface Target {
  readonly name: string;
  /** How images are made; they take turns. `DATA` stands for the name of a data file. */
  readonly images: readonly CreateValues[];
  /** The structures that are damaged, by the beginning of their names; all of them where absent. */
  readonly regions?: readonly string[];
}

const SMALL: CreateValues = { cluster_size: 4096 };
const LUKS: CreateValues = {
  cluster_size: 4096,
  "encrypt.format": "luks",
  "encrypt.key-secret": "sec0",
  "encrypt.iter-time": 10,
};

/** All targets. */
export const TARGETS: readonly Target[] = [
  {
    name: "qcow2",
    images: [
      { cluster_size: 512 },
      { cluster_size: 4096, lazy_refcounts: true },
      { cluster_size: 4096, compat: "0.10" },
      { cluster_size: 65536, refcount_bits: 64 },
      { cluster_size: 512, refcount_bits: 1 },
    ],
  },
  { name: "qcow2-header", images: [SMALL, { compat: "0.10" }], regions: ["header", "extensions"] },
  { name: "qcow2-tables", images: [SMALL, { cluster_size: 512 }], regions: ["L1", "L2", "refcount"] },
  { name: "qcow2-snapshots", images: [SMALL], regions: ["snapshot"] },
  { name: "qcow2-bitmaps", images: [SMALL], regions: ["bitmap", "extensions"] },
  { name: "qcow2-zlib", images: [SMALL], regions: ["compressed", "L2"] },
  { name: "qcow2-zstd", images: [{ ...SMALL, compression_type: "zstd" }], regions: ["compressed", "L2"] },
  { name: "qcow2-extended-l2", images: [{ cluster_size: 16384, extended_l2: true }] },
  {
    name: "qcow2-data-file",
    images: [{ ...SMALL, data_file: "DATA" }, { ...SMALL, data_file: "DATA", data_file_raw: true }],
  },
  { name: "qcow2-luks", images: [LUKS], regions: ["encryption", "extensions"] },
];

/** The target of that name. @throws where there is none */
export function targetNamed(name: string): Target {
  const found = TARGETS.find((target) => target.name === name);
  if (found === undefined) throw new Error(`no target ${name}: ${TARGETS.map((target) => target.name).join(", ")}`);
  return found;
}
