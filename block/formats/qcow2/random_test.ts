/**
 * Random operations on an image, with plain byte arrays as the truth; then qemu-img says whether the image is sound and
 * what is in it.
 */
import { assertEquals } from "@std/assert";
import { IoVector } from "../../../base/io_vector.ts";
import { type Random, SeededRandom } from "../../../base/random.ts";
import { KiB } from "../../../base/units.ts";
import { haveProgram } from "../../../tests/support/programs.ts";
import type { CreateValues } from "../../driver.ts";
import { createTestImage, fileNode, MemoryFile, type OpenImage, openTestImage, runProgram } from "./testing.ts";

/** The disk and its snapshots, as byte arrays. */
interface Model {
  disk: Uint8Array;
  readonly snapshots: Map<string, Uint8Array>;
}

interface Scenario {
  readonly name: string;
  readonly values: CreateValues;
  readonly size: number;
  readonly backing?: number;
  readonly snapshots?: boolean;
  readonly steps?: number;
  readonly options?: Record<string, unknown>;
}

const SCENARIOS: Scenario[] = [
  { name: "defaults", values: {}, size: 700 * KiB, snapshots: true },
  { name: "512 byte clusters", values: { cluster_size: 512 }, size: 300 * KiB, snapshots: true },
  {
    name: "64 bit refcounts, small caches",
    values: { cluster_size: 1024, refcount_bits: 64 },
    size: 500 * KiB,
    snapshots: true,
    options: { "l2-cache-size": 2048, "refcount-cache-size": 4096, "l2-cache-entry-size": 512 },
  },
  { name: "1 bit refcounts", values: { cluster_size: 4096, refcount_bits: 1 }, size: 400 * KiB },
  { name: "version 2", values: { cluster_size: 4096, compat: "0.10" }, size: 400 * KiB, snapshots: true },
  { name: "lazy refcounts", values: { cluster_size: 4096, lazy_refcounts: true }, size: 400 * KiB, snapshots: true },
  {
    name: "shorter backing file",
    values: { cluster_size: 4096 },
    size: 400 * KiB,
    backing: 250 * KiB,
    snapshots: true,
  },
  {
    name: "version 2 over a backing file",
    values: { compat: "0.10", cluster_size: 2048 },
    size: 99 * KiB,
    backing: 99 * KiB,
  },
  { name: "preallocated", values: { cluster_size: 4096, preallocation: "metadata" }, size: 400 * KiB, snapshots: true },
  { name: "zstd", values: { compression_type: "zstd" }, size: 900 * KiB, snapshots: true },
  {
    name: "subclusters",
    values: { extended_l2: true, cluster_size: 16384, compression_type: "zstd" },
    size: 700 * KiB,
    snapshots: true,
  },
  {
    name: "subclusters over a backing file, made beforehand",
    values: { extended_l2: true, cluster_size: 32768, preallocation: "metadata" },
    size: 700 * KiB,
    backing: 500 * KiB,
    snapshots: true,
  },
  {
    name: "subclusters, small caches",
    values: { extended_l2: true, cluster_size: 16384, refcount_bits: 8 },
    size: 5000 * KiB,
    snapshots: true,
    options: { "l2-cache-size": 2048, "refcount-cache-size": 65536, "l2-cache-entry-size": 512 },
  },
  { name: "data file", values: { data_file: "data", cluster_size: 4096 }, size: 400 * KiB, backing: 250 * KiB },
  { name: "raw data file", values: { data_file: "data", data_file_raw: true, cluster_size: 4096 }, size: 400 * KiB },
  {
    name: "data file, subclusters",
    values: { data_file: "data", extended_l2: true, cluster_size: 16384 },
    size: 400 * KiB,
  },
  { name: "2 MiB clusters", values: { cluster_size: 2048 * KiB }, size: 5000 * KiB, snapshots: true, steps: 40 },
];

function pattern(random: Random, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.fill(1 + random.below(255));
  for (let i = 0; i < length; i += 64) bytes[i] = random.below(256);
  return bytes;
}

function range(random: Random, size: number, align: number, most: number): [at: number, length: number] {
  const at = random.below(size / align) * align;
  const length = Math.min(size - at, (1 + random.below(most / align)) * align);
  return [at, length];
}

class Run {
  constructor(
    readonly scenario: Scenario,
    readonly random: Random,
    readonly model: Model,
    readonly file: MemoryFile,
    readonly backing: Uint8Array | undefined,
    readonly data: MemoryFile,
  ) {}
  image!: OpenImage;

  async open(): Promise<void> {
    const backingNode = this.backing === undefined ? undefined : fileNode(new MemoryFile(this.backing), "backing");
    this.image = await openTestImage(this.file, {
      discard: "unmap",
      dataNode: fileNode(this.data, "data"),
      ...(backingNode === undefined ? {} : { backingNode }),
      ...this.scenario.options,
    });
  }

  async step(): Promise<void> {
    const { random, model, image, scenario } = this;
    const cluster = image.driver.image.clusterSize;
    const most = Math.min(model.disk.length, cluster * 5);
    switch (random.below(scenario.snapshots ? 16 : 12)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const [at, length] = range(random, model.disk.length, 512, most);
        const bytes = pattern(random, length);
        await image.write(at, bytes);
        model.disk.set(bytes, at);
        break;
      }
      case 4:
        return await this.parallelWrites(most);
      case 5: {
        const [at, length] = range(random, model.disk.length, 512, most);
        await image.node.writeZeroes(at, length, { unmap: random.below(2) === 0 });
        model.disk.fill(0, at, at + length);
        break;
      }
      case 6: {
        const [at, length] = range(random, model.disk.length, cluster, most);
        await image.node.discard(at, length);
        // What a discarded area reads as is the image's affair: take what it says.
        model.disk.set(await image.read(at, length), at);
        break;
      }
      case 7: {
        if (scenario.values["data_file"] !== undefined) break;
        const [at, length] = range(random, model.disk.length, cluster, cluster * 2);
        const bytes = pattern(random, length);
        await image.node.writeCompressed(at, IoVector.of(bytes));
        model.disk.set(bytes, at);
        break;
      }
      case 8:
        await image.node.flush();
        break;
      case 9:
        await image[Symbol.asyncDispose]();
        await this.open();
        break;
      default: {
        if (random.below(2) === 0 || !scenario.snapshots) {
          const [at, length] = range(random, model.disk.length, 512, most);
          assertEquals(await image.read(at, length), model.disk.slice(at, at + length), `read ${at}+${length}`);
          break;
        }
        await this.snapshotStep();
      }
    }
  }

  /** Writes at once that overlap in clusters, but not in bytes. */
  async parallelWrites(most: number): Promise<void> {
    const { random, model, image } = this;
    const writes: Promise<void>[] = [];
    const start = random.below(Math.max(1, model.disk.length - most) / 512) * 512;
    let at = start;
    while (at < Math.min(model.disk.length, start + most)) {
      const length = Math.min(model.disk.length - at, (1 + random.below(9)) * 512);
      const bytes = pattern(random, length);
      writes.push(image.write(at, bytes));
      model.disk.set(bytes, at);
      at += length;
    }
    await Promise.all(writes);
  }

  async snapshotStep(): Promise<void> {
    const { random, model, image } = this;
    const { snapshots } = image.driver;
    const list = snapshots.list();
    const choice = random.below(3);
    if (choice === 0 || list.length === 0) {
      if (list.length > 4) return;
      const info = await snapshots.create({
        name: `s${random.below(1000)}`,
        vmStateBytes: 0,
        dateSeconds: 1,
        dateNanoseconds: 2,
        vmClockNs: 3,
        icount: -1,
      });
      model.snapshots.set(info.id, model.disk.slice());
      return;
    }
    const { id } = list[random.below(list.length)]!;
    if (choice === 1) {
      await snapshots.delete(id);
      model.snapshots.delete(id);
    } else {
      await snapshots.apply(id);
      model.disk = model.snapshots.get(id)!.slice();
    }
  }
}

async function check(run: Run, label: string): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/a.qcow2`;
    await Deno.writeFile(path, run.file.content());
    await Deno.writeFile(`${folder}/data`, run.data.content());
    const external = run.scenario.values["data_file"] !== undefined;
    const opened = { driver: "qcow2", file: { driver: "file", filename: path } };
    const data = external ? { "data-file": { driver: "file", filename: `${folder}/data` } } : {};
    const named = external ? `json:${JSON.stringify({ ...opened, ...data, backing: null })}` : path;
    const checked = await runProgram("qemu-img", "check", ...(external ? [] : ["-f", "qcow2"]), named);
    assertEquals(checked.code, 0, `${label}: ${checked.stdout}${checked.stderr}`);
    const list = run.image.driver.snapshots.list();
    const views = [undefined, ...list.map(({ id }) => id)];
    for (const id of views) {
      const raw = `${folder}/a.raw`;
      let source = named;
      if (run.backing !== undefined) {
        await Deno.writeFile(`${folder}/b.raw`, run.backing);
        const backing = { driver: "raw", file: { driver: "file", filename: `${folder}/b.raw` } };
        source = `json:${JSON.stringify({ ...opened, ...data, backing })}`;
        if (id !== undefined) continue;
      }
      const how = id === undefined ? [] : ["-l", `snapshot.id=${id}`];
      const converted = await runProgram("qemu-img", "convert", ...how, "-O", "raw", source, raw);
      assertEquals(converted.code, 0, converted.stderr);
      const got = await Deno.readFile(raw);
      const wanted = id === undefined ? run.model.disk : run.model.snapshots.get(id)!;
      assertEquals(got.length, wanted.length);
      const at = got.findIndex((byte, i) => byte !== wanted[i]);
      assertEquals(at, -1, `${label}: ${id ?? "disk"} differs at ${at}`);
      if (run.scenario.values["data_file_raw"] === true) {
        assertEquals(run.data.content().findIndex((byte, i) => byte !== wanted[i]), -1, `${label}: raw data file`);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const scenario of SCENARIOS) {
  Deno.test({
    name: `random operations: ${scenario.name}`,
    ignore: !haveProgram("qemu-img"),
    fn: async () => {
      const seeds = Number(Deno.env.get("QCOW2_SEEDS") ?? 2);
      for (let seed = 1; seed <= seeds; seed++) {
        const random = new SeededRandom(seed);
        const data = new MemoryFile();
        const values = { ...scenario.values, size: scenario.size };
        const file = await createTestImage(values, new MemoryFile(), data) as MemoryFile;
        const disk = new Uint8Array(scenario.size);
        let backing: Uint8Array | undefined;
        if (scenario.backing !== undefined) disk.set(backing = pattern(random, scenario.backing));
        const run = new Run(scenario, random, { disk, snapshots: new Map() }, file, backing, data);
        await run.open();
        for (let i = 0; i < (scenario.steps ?? 120); i++) {
          try {
            await run.step();
          } catch (cause) {
            throw new Error(`seed ${seed}, step ${i}: ${cause}`, { cause });
          }
        }
        await run.image[Symbol.asyncDispose]();
        assertEquals(run.image.warnings, []);
        await check(run, `seed ${seed}`);
      }
    },
  });
}
