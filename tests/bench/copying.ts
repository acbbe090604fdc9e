/**
 * Whole disks moved by whole processes, moa as it is installed against qemu-img: convert, compare, map.
 *
 * Two disks: one of 4 GiB of which every third MiB is data, every third zeroes and every third a hole, and a file system
 * with programs and documentation of this machine in it, as `mkfs.ext4 -d` makes it.
 *
 * @module
 */
import { GiB, MiB, TiB } from "../../base/units.ts";
import type { Benchmark, Sample } from "./harness.ts";
import { installMoa, timed } from "./process.ts";
import { run } from "./qemu.ts";

const THIRDS_BYTES = 4 * GiB;
const ROOT_BYTES = 2 * GiB;
const ROOT_FOLDERS = ["/usr/bin", "/usr/share/doc", "/usr/share/locale", "/usr/lib/python3"];

/** All benchmarks; what they need is made in `directory` when its turn has come. */
export function copyBenchmarks(directory: string): Benchmark[] {
  return ["thirds", "root"].flatMap((disk) => [
    ...conversions(directory, disk),
    comparison(directory, disk),
  ]).concat(sparseMap(directory));
}

/** How `disk` is named in each form. */
const file = (directory: string, disk: string, form: string) => `${directory}/${disk}.${form}`;

function conversions(directory: string, disk: string): Benchmark[] {
  const row = (name: string, source: string, options: readonly string[], target: number): Benchmark => ({
    name: `convert ${disk}: ${name}`,
    unit: "s",
    target,
    lessIsBetter: true,
    prepare: () => prepare(directory, disk, source),
    ours: () => convert(ourImg(directory), options, directory, disk, source),
    theirs: () => convert(["qemu-img"], options, directory, disk, source),
  });
  const rows = [
    row("raw to qcow2", "raw", ["-O", "qcow2"], 1.2),
    row("qcow2 to raw", "qcow2", ["-O", "raw"], 1.2),
    row("qcow2 to qcow2", "qcow2", ["-O", "qcow2"], 1.2),
  ];
  if (disk === "thirds") return rows;
  return [
    ...rows,
    row("-c, zlib", "raw", ["-c", "-O", "qcow2"], 2),
    row("-c, zstd", "raw", ["-c", "-O", "qcow2", "-o", "compression_type=zstd"], 1),
    row("from zlib", "zlib", ["-O", "raw"], 1.5),
    row("from zstd", "zstd", ["-O", "raw"], 1.5),
  ];
}

function comparison(directory: string, disk: string): Benchmark {
  const args = ["compare", file(directory, disk, "raw"), file(directory, disk, "qcow2")];
  return {
    name: `compare ${disk}: raw with qcow2`,
    unit: "s",
    target: 1.2,
    lessIsBetter: true,
    prepare: () => prepare(directory, disk, "qcow2"),
    ours: () => timedAs(ourImg(directory), args),
    theirs: () => timed("qemu-img", args),
  };
}

/** A map is printed for 16 TiB in which 300 places have data; both sides' start is taken off. */
function sparseMap(directory: string): Benchmark {
  const image = `${directory}/sparse.qcow2`;
  const afterStart = async (program: readonly string[]): Promise<Sample> => {
    const start = await timedAs(program, ["--version"]);
    const { value, peakBytes } = await timedAs(program, ["map", "--output=json", image]);
    return { value: Math.max(value - start.value, 0.001), peakBytes };
  };
  return {
    name: "map of a sparse 16 TiB image, after start-up",
    unit: "s",
    target: 1,
    lessIsBetter: true,
    async prepare() {
      await installMoa(directory);
      await run("qemu-img", "create", "-q", "-f", "qcow2", image, `${16 * TiB}`);
      const writes = Array.from({ length: 300 }, (_, i) => ["-c", `write ${i * 54 * GiB} 64k`]);
      await run("qemu-io", ...writes.flat(), image);
    },
    ours: () => afterStart(ourImg(directory)),
    theirs: () => afterStart(["qemu-img"]),
  };
}

async function convert(
  program: readonly string[],
  options: readonly string[],
  directory: string,
  disk: string,
  source: string,
): Promise<Sample> {
  const target = `${directory}/converted`;
  const format = source === "raw" ? "raw" : "qcow2";
  try {
    return await timedAs(program, ["convert", "-f", format, ...options, file(directory, disk, source), target]);
  } finally {
    await Deno.remove(target);
  }
}

function timedAs([program, ...first]: readonly string[], args: readonly string[]): Promise<Sample> {
  return timed(program!, [...first, ...args]);
}

const ourImg = (directory: string) => [`${directory}/bin/moa`, "img"];

/** Makes `disk` as a raw file, and in the form that is wanted, all of it in the page cache. */
async function prepare(directory: string, disk: string, form: string): Promise<void> {
  await installMoa(directory);
  const raw = file(directory, disk, "raw");
  if (!await exists(raw)) await (disk === "thirds" ? makeThirds(raw) : makeRoot(raw, `${directory}/tree`));
  const wanted = file(directory, disk, form);
  if (await exists(wanted)) return;
  const how = form === "qcow2" ? [] : ["-c", "-o", `compression_type=${form}`];
  await run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", ...how, raw, wanted);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

/** Makes the disk of thirds as a raw file. */
export async function makeThirds(path: string): Promise<void> {
  using image = await Deno.open(path, { write: true, create: true });
  await image.truncate(THIRDS_BYTES);
  const piece = new Uint8Array(MiB);
  for (let at = 0; at < THIRDS_BYTES; at += 3 * MiB) {
    for (let i = 0; i < MiB; i += 65_536) crypto.getRandomValues(piece.subarray(i, i + 65_536));
    await image.seek(at, Deno.SeekMode.Start);
    await image.write(piece);
    if (at + 2 * MiB <= THIRDS_BYTES) await image.write(new Uint8Array(MiB));
  }
}

async function makeRoot(path: string, tree: string): Promise<void> {
  await Deno.mkdir(tree);
  const there: string[] = [];
  for (const folder of ROOT_FOLDERS) if (await exists(folder)) there.push(folder);
  await run("cp", "-a", ...there, tree);
  await run("mkfs.ext4", "-q", "-d", tree, path, `${ROOT_BYTES / MiB}M`);
  await Deno.remove(tree, { recursive: true });
}
