import { assert, assertEquals } from "@std/assert";
import { haveProgram } from "../../../tests/support/programs.ts";
import type { CreateValues } from "../../driver.ts";
import { createTestImage, MemoryFile, runProgram } from "./testing.ts";
import { GiB, KiB, MiB } from "../../../base/units.ts";

const TABLE: [options: string, values: CreateValues][] = [
  ["", {}],
  ["compat=0.10", { compat: "0.10" }],
  ["compat=v3", { compat: "v3" }],
  ["lazy_refcounts=on", { lazy_refcounts: true }],
  ...[1, 2, 4, 8, 16, 32, 64].map((n): [string, CreateValues] => [`refcount_bits=${n}`, { refcount_bits: n }]),
  ...[512, 1024, 4096, 32768, 1 << 20, 2 << 20].map((n): [string, CreateValues] => [
    `cluster_size=${n}`,
    { cluster_size: n },
  ]),
  ["preallocation=metadata", { preallocation: "metadata" }],
  ["preallocation=falloc", { preallocation: "falloc" }],
  ["preallocation=full", { preallocation: "full" }],
  ["preallocation=metadata,cluster_size=512", { preallocation: "metadata", cluster_size: 512 }],
  ["preallocation=full,cluster_size=512", { preallocation: "full", cluster_size: 512 }],
  ["preallocation=metadata,cluster_size=512,refcount_bits=64", {
    preallocation: "metadata",
    cluster_size: 512,
    refcount_bits: 64,
  }],
  ["preallocation=falloc,cluster_size=1024,refcount_bits=1", {
    preallocation: "falloc",
    cluster_size: 1024,
    refcount_bits: 1,
  }],
  ["nocow=on", { nocow: true }],
  ["compression_type=zstd", { compression_type: "zstd" }],
];

/** Options of images with subclusters, or with a data file of their own, beside those above. */
const EXTENDED: CreateValues[] = [
  { extended_l2: true },
  { extended_l2: true, cluster_size: 16384 },
  { extended_l2: true, cluster_size: 2 << 20, refcount_bits: 1 },
  { extended_l2: true, preallocation: "metadata" },
  { extended_l2: true, preallocation: "falloc", cluster_size: 16384 },
  { extended_l2: true, preallocation: "full", compression_type: "zstd" },
];
const EXTERNAL: CreateValues[] = [
  {},
  { data_file_raw: true },
  { cluster_size: 512 },
  { preallocation: "metadata" },
  { preallocation: "falloc", data_file_raw: true, cluster_size: 4096 },
  { preallocation: "full" },
  { extended_l2: true },
  { extended_l2: true, preallocation: "metadata", lazy_refcounts: true },
];

function optionText(values: CreateValues): string {
  return Object.entries(values).map(([name, value]) => `${name}=${value === true ? "on" : value}`).join();
}

async function compareExternal(values: CreateValues, size: number): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const withFile = { ...values, data_file: `${folder}/data` };
    const path = `${folder}/q`;
    const { code, stderr } = await runProgram(
      "qemu-img",
      ...["create", "-q", "-f", "qcow2", "-o", optionText(withFile), path, String(size)],
    );
    assertEquals(code, 0, stderr);
    const data = new MemoryFile();
    const file = await createTestImage({ ...withFile, size }, new MemoryFile(), data) as MemoryFile;
    const label = optionText(values);
    for (const [got, name] of [[file, "q"], [data, "data"]] as const) {
      const wanted = await Deno.readFile(`${folder}/${name}`);
      const content = got.content();
      const at = wanted.findIndex((byte, i) => byte !== content[i]);
      assertEquals(at, -1, `${label} ${size}: ${name} differs at 0x${at.toString(16)}`);
      assertEquals(content.length, wanted.length, `${label} ${size}: ${name}: length`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function compare(options: string, values: CreateValues, size: number): Promise<void> {
  const path = await Deno.makeTempFile({ suffix: ".qcow2" });
  try {
    const args = ["create", "-q", "-f", "qcow2", ...(options === "" ? [] : ["-o", options]), path, String(size)];
    const { code, stderr } = await runProgram("qemu-img", ...args);
    assertEquals(code, 0, stderr);
    const wanted = await Deno.readFile(path);
    const file = await createTestImage({ ...values, size }) as MemoryFile;
    const got = file.content();
    assertEquals(got.length, wanted.length, `${options} ${size}: length`);
    for (let i = 0; i < got.length; i++) {
      if (got[i] !== wanted[i]) {
        assert(false, `${options} ${size}: byte 0x${i.toString(16)}: ${got[i]} for ${wanted[i]}`);
      }
    }
  } finally {
    await Deno.remove(path);
  }
}

const ignore = !haveProgram("qemu-img");

Deno.test({
  name: "created images equal qemu-img's byte for byte",
  ignore,
  fn: async () => {
    for (const [options, values] of TABLE) await compare(options, values, 3 * MiB + 512);
    for (const values of EXTENDED) await compare(optionText(values), values, 3 * MiB + 512);
  },
});

Deno.test({
  name: "created images equal qemu-img's where refcount structures grow",
  ignore,
  fn: async () => {
    await compare("cluster_size=512", { cluster_size: 512 }, 1 * GiB);
    await compare("cluster_size=512,refcount_bits=64", { cluster_size: 512, refcount_bits: 64 }, 4 * GiB);
    await compare(
      "preallocation=metadata,cluster_size=512",
      { preallocation: "metadata", cluster_size: 512 },
      17 * MiB,
    );
    await compare("preallocation=full,cluster_size=512", { preallocation: "full", cluster_size: 512 }, 9 * MiB);
    await compare("", {}, 1000 * GiB);
    await compare("", {}, 0);
    await compare("preallocation=full", { preallocation: "full" }, 5 * KiB);
  },
});

Deno.test({
  name: "created images with an external data file equal qemu-img's byte for byte, and so do the data files",
  ignore,
  fn: async () => {
    for (const values of EXTERNAL) await compareExternal(values, 3 * MiB + 512);
    await compareExternal({ preallocation: "metadata", cluster_size: 512 }, 17 * MiB);
  },
});
