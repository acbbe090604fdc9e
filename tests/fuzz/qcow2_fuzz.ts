/**
 * Fuzzing of qcow2: damaged images in real files go through everything that a user can do with an image.
 *
 * What must hold: whatever is done ends, in success or in a {@link BlockError}; an image that was only looked at is not
 * written; a repair that says that all is well has left an image in which a check finds nothing; memory stays bounded.
 *
 * @module
 */
import { HostClock } from "../../base/clocks.ts";
import { IoVector } from "../../base/io_vector.ts";
import { type Random, SeededRandom } from "../../base/random.ts";
import { KiB, MiB } from "../../base/units.ts";
import {
  addBitmap,
  BlockBackend,
  BlockError,
  BlockGraph,
  type BlockNode,
  builtinDrivers,
  createImage,
  type CreateValues,
  type DriverTable,
  type OptionTree,
} from "../../block/mod.ts";
import { ObjectRegistry } from "../../block/objects/mod.ts";
import { TempFolder } from "../support/temp.ts";
import { damage } from "./qcow2_mutations.ts";
import { type Finding, type Seeds, trySeeds } from "./seeds.ts";
import type { Target } from "./targets.ts";

/** What is fuzzed, and how far. */
export interface FuzzOptions extends Seeds {
  /** What kind of images, damaged where. */
  readonly target: Target;
  /** The drivers to try: a test of the fuzzer itself gives it a broken one. */
  readonly drivers?: DriverTable;
}

const DISK_BYTES = 256 * KiB;
/** More than this is not read at a time, nor much more allowed to stay in memory. */
const READ_BYTES = 64 * KiB;
const MAX_EXTENTS = 200;
const MAX_MEMORY_BYTES = 900 * MiB;
/** A request that takes this long has hung, on a busy machine, too. */
const PATIENCE_MS = 120_000;

/** A problem that is found on the way. */
class Problem extends Error {}

function openGraph(drivers: DriverTable): BlockGraph {
  const clock = new HostClock();
  const clocks = { virtual: clock, realtime: clock, host: clock };
  const secrets = new ObjectRegistry();
  secrets.add({ "qom-type": "secret", id: "sec0", data: "pass" });
  return new BlockGraph({ clocks, random: new SeededRandom(1), drivers, warn: () => {}, secrets });
}

/** Lets block errors pass; everything else is a problem. */
async function attempt<T>(what: string, body: () => Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hung = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Problem(`${what} has hung`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([body(), hung]);
  } catch (error) {
    if (error instanceof Problem) throw error;
    if (error instanceof BlockError) {
      // One line, or two where QEMU has two; never empty.
      if (error.message.trim() === "") throw new Problem(`${what}: an error without a message`);
      return undefined;
    }
    throw new Problem(`${what}: ${(error as Error)?.stack ?? error}`);
  } finally {
    clearTimeout(timer);
  }
}

async function openBackend(
  graph: BlockGraph,
  path: string,
  readOnly: boolean,
  how: OptionTree,
): Promise<BlockBackend> {
  const options = { driver: "qcow2", "read-only": readOnly, ...how };
  const node = await graph.openImage({ filename: path, options });
  const backend = new BlockBackend({ graph, readOnly });
  await backend.insertMedium(node);
  await graph.release(node);
  return backend;
}

/** Everything that changes nothing. */
async function look(backend: BlockBackend, random: Random): Promise<void> {
  const { driver } = backend.node!;
  const size = backend.sizeBytes;
  await attempt("info", async () => await driver.info?.());
  for (let at = 0, extents = 0; at < size && extents < MAX_EXTENTS; extents++) {
    const extent = await attempt("status", () => backend.status(at, size - at));
    if (extent === undefined) break;
    if (!(extent.lengthBytes > 0 && extent.lengthBytes <= size - at)) {
      throw new Problem(`extent of ${extent.lengthBytes}`);
    }
    at += extent.lengthBytes;
  }
  const buffer = IoVector.allocate(READ_BYTES);
  for (let at = 0; at < Math.min(size, 2 * DISK_BYTES); at += READ_BYTES) {
    const length = Math.min(READ_BYTES, size - at);
    await attempt("read", () => backend.read(at, buffer.slice(0, length)));
  }
  const far = random.below(Math.max(1, size - 512));
  await attempt("read", () => backend.read(far, buffer.slice(0, Math.min(512, size - far))));
  for (const { id, vmStateBytes } of driver.snapshots?.list() ?? []) {
    const into = buffer.slice(0, Math.min(512, vmStateBytes));
    await attempt("VM state", async () => await driver.snapshots?.readVmState?.(id, 0, into));
  }
  await attempt("check", async () => await driver.check?.({ fix: "none" }));
}

const SNAPSHOT = { name: "new", vmStateBytes: 0, dateSeconds: 1, dateNanoseconds: 2, vmClockNs: 3, icount: -1 };

async function changeOnce(backend: BlockBackend, random: Random): Promise<void> {
  const { driver } = backend.node!;
  const size = backend.sizeBytes;
  const at = random.below(Math.max(1, Math.min(size, 2 * DISK_BYTES)));
  const length = Math.min(size - at, 1 + random.below(READ_BYTES));
  const { snapshots } = driver;
  const id = snapshots?.list()[0]?.id;
  switch (random.below(9)) {
    case 0:
    case 1:
    case 2:
      return await backend.write(at, IoVector.of(new Uint8Array(length).fill(random.below(256))));
    case 3:
      return await backend.writeZeroes(at, length, { unmap: random.below(2) === 0 });
    case 4:
      return await backend.discard(at, length);
    case 5:
      return await backend.flush();
    case 6:
      return void await snapshots?.create(SNAPSHOT);
    case 7:
      return id === undefined ? undefined : await snapshots?.apply(id);
    default:
      return id === undefined ? undefined : await snapshots?.delete(id);
  }
}

async function repair(node: BlockNode, random: Random): Promise<boolean> {
  const fix = random.below(3) === 0 ? "leaks" : "all";
  const result = await attempt(`check -r ${fix}`, async () => await node.driver.check?.({ fix }));
  return fix === "all" && result !== undefined && result.checkErrors === 0 && result.corruptions === 0;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

/** One damaged image, from opening to the last check. @throws {Problem} */
async function exercise(path: string, random: Random, drivers: DriverTable, how: OptionTree): Promise<void> {
  const before = await Deno.readFile(path);
  {
    await using graph = openGraph(drivers);
    const backend = await attempt("open", () => openBackend(graph, path, true, how));
    if (backend !== undefined) await look(backend, random);
    await attempt("close", async () => await backend?.[Symbol.asyncDispose]());
  }
  if (!equal(await Deno.readFile(path), before)) throw new Problem("an image that was only looked at is another now");
  let clean = false;
  {
    await using graph = openGraph(drivers);
    const backend = await attempt("open", () => openBackend(graph, path, false, how));
    // A dirty image is repaired when it is opened, and bitmaps are marked in use, which may come to nothing; any other is
    // left alone.
    const mayChange = ((before[79] ?? 0) & 1) !== 0 || ((before[95] ?? 0) & 1) !== 0;
    if (backend === undefined && !mayChange && !equal(await Deno.readFile(path), before)) {
      throw new Problem("an image that could not be opened is another now");
    }
    if (backend !== undefined) {
      const repairFirst = random.below(4) === 0;
      if (repairFirst) await repair(backend.node!, random);
      for (let n = 0; n < 6; n++) await attempt("change", () => changeOnce(backend, random));
      clean = await repair(backend.node!, random);
      await attempt("close", () => backend[Symbol.asyncDispose]());
    }
  }
  if (clean) await checkAgain(path, drivers, how);
}

/** As with qemu-img, what one repair lays open may take another one; then there is nothing left. */
async function checkAgain(path: string, drivers: DriverTable, how: OptionTree): Promise<void> {
  let messages: readonly string[] = [];
  for (const fix of ["none", "all", "all"] as const) {
    await using graph = openGraph(drivers);
    await using backend = await openBackend(graph, path, fix === "none", how);
    const check = (fix: "none" | "all") => backend.node!.driver.check!({ fix });
    if (fix !== "none") await check(fix);
    const found = await check("none");
    if (found.corruptions + found.leaks + found.checkErrors === 0) return;
    messages = found.messages;
  }
  throw new Problem(`after a repair that found all well: ${messages.slice(0, 5).join("; ")}`);
}

async function makeTemplate(path: string, values: CreateValues): Promise<void> {
  await using graph = openGraph(builtinDrivers);
  await createImage(graph, { filename: path, format: "qcow2", size: DISK_BYTES, values });
  await using backend = await openBackend(graph, path, false, optionsFor(values));
  const { driver } = backend.node!;
  const clusterSize = Number(values["cluster_size"] ?? 64 * KiB);
  for (let at = 0; at < DISK_BYTES; at += 80 * KiB) {
    await backend.write(at, IoVector.of(new Uint8Array(12 * KiB).fill(at / KiB)));
  }
  const bytes = new Uint8Array(clusterSize).map((_, i) => i % 11);
  const isPlain = values["data_file"] === undefined && values["encrypt.format"] === undefined;
  if (isPlain) { for (const at of [128 * KiB, 192 * KiB]) await driver.writeCompressed!(at, IoVector.of(bytes)); }
  if (values["compat"] !== "0.10") await addBitmap(backend.node!, { name: "kept", persistent: true });
  if (values["refcount_bits"] !== 1 && values["data_file"] === undefined) {
    await driver.vmState!.write(0, IoVector.of(new Uint8Array(600).fill(9)));
    await driver.snapshots!.create({ ...SNAPSHOT, name: "old", vmStateBytes: 600 });
    await backend.write(0, IoVector.of(new Uint8Array(8 * KiB).fill(3)));
  }
  await backend.writeZeroes(40 * KiB, 8 * KiB);
}

/** What opens an image that was made with `values`. */
function optionsFor(values: CreateValues): OptionTree {
  return values["encrypt.format"] === undefined ? {} : { encrypt: { format: "luks", "key-secret": "sec0" } };
}

/** Runs with seeds from `seed` on. */
export async function fuzzQcow2(options: FuzzOptions): Promise<Finding[]> {
  const drivers = options.drivers ?? builtinDrivers;
  await using folder = await TempFolder.make();
  const path = folder.file("image");
  const { target } = options;
  const templates: { sound: Uint8Array; how: OptionTree }[] = [];
  for (const [index, image] of target.images.entries()) {
    const name = folder.file(`template${index}`);
    const values = image["data_file"] === undefined ? image : { ...image, data_file: `${name}.data` };
    await makeTemplate(name, values);
    templates.push({ sound: await Deno.readFile(name), how: optionsFor(values) });
  }
  return await trySeeds(options, async ({ seed, random, told }) => {
    const { sound, how } = templates[seed % templates.length]!;
    const { bytes, what } = damage(random, sound, target.regions);
    told.push(what);
    await Deno.writeFile(path, bytes);
    try {
      await exercise(path, random, drivers, how);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return error.message;
    } finally {
      await Deno.remove(path);
    }
    const { rss } = Deno.memoryUsage();
    return rss > MAX_MEMORY_BYTES ? `takes ${Math.round(rss / MiB)} MiB of memory` : undefined;
  });
}
