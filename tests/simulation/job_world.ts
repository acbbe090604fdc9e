/**
 * A chain of images on a simulated host for runs with a job: base <- mid <- top, which the guest writes, and an empty
 * image beside them.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { SeededRandom } from "../../base/random.ts";
import { KiB, SECTOR_BYTES } from "../../base/units.ts";
import { BlockBackend, type BlockGraph, type BlockNode, createImage, DEVICE_SHARED } from "../../block/mod.ts";
import { SimulatedDisk } from "./disk.ts";
import { SimulatedHost } from "./host.ts";
import { type GuestModel, sectorBytes, type Values } from "./model.ts";
import type { FileContent } from "./pages.ts";
import { readValues, Violation } from "./verify.ts";
import { openGraph } from "./world.ts";

export const LAYERS = ["base", "mid", "top"] as const;
export const TARGET = "target";
/** Empty images over layers of the chain: what has not been copied to them is seen below. */
export const OVER_MID = "overmid";
export const OVER_TOP = "overtop";
const BACKING: ReadonlyMap<string, string> = new Map([["mid", "base"], ["top", "mid"], [OVER_MID, "mid"], [
  OVER_TOP,
  "top",
]]);
export const SECTORS = 256;
const CLUSTERS = [512, 1024, 4 * KiB, 16 * KiB];

/** The files, on disks that have lost nothing, and the value of each sector of the disk that they show. */
export async function makeChain(seed: number): Promise<{ files: Map<string, FileContent>; values: number[] }> {
  const random = new SeededRandom(seed);
  const host = new SimulatedHost();
  await using graph = openGraph(host);
  const values = new Array<number>(SECTORS).fill(0);
  for (const [index, name] of [...LAYERS, TARGET, OVER_MID, OVER_TOP].entries()) {
    const filename = `${name}.qcow2`;
    const isLayer = index < LAYERS.length;
    const backing = BACKING.get(name);
    const below = backing === undefined ? {} : { backingFile: `${backing}.qcow2`, backingFormat: "qcow2" };
    const created = { cluster_size: CLUSTERS[random.below(CLUSTERS.length)]! };
    await createImage(graph, { filename, format: "qcow2", size: SECTORS * SECTOR_BYTES, values: created, ...below });
    if (!isLayer) continue;
    const layer = await openLayer(graph, name);
    for (let part = 0; part < 4; part++) {
      const first = random.below(SECTORS - 16);
      const count = 1 + random.below(48);
      const value = random.below(4) === 0 ? 0 : index + 1;
      const end = Math.min(SECTORS, first + count);
      if (value === 0) await layer.writeZeroes(first * SECTOR_BYTES, (end - first) * SECTOR_BYTES);
      else await layer.write(first * SECTOR_BYTES, IoVector.of(sectorBytes(first, end - first, value)));
      values.fill(value, first, end);
    }
    await graph.release(layer);
  }
  await graph[Symbol.asyncDispose]();
  for (const [name, content] of host.contents()) host.files.set(name, new SimulatedDisk(content));
  return { files: host.contents(), values };
}

/** Opens an image under its own name, with discards passed on; over `backing`, if not over what its header says. */
export function openLayer(graph: BlockGraph, name: string, backing?: string | null): Promise<BlockNode> {
  const below = backing === undefined ? {} : { backing };
  return graph.openImage({
    filename: `${name}.qcow2`,
    options: { driver: "qcow2", discard: "unmap", "node-name": name, ...below },
  });
}

/** The guest's drive over image `name`, with a filter between them that copies what is read, where that is wanted. */
export async function plugIn(graph: BlockGraph, name: string, filtered = false): Promise<BlockBackend> {
  const drive = new BlockBackend({ graph, name: "disk" });
  const layer = await openLayer(graph, name);
  const node = filtered ? await graph.open({ driver: "copy-on-read", "node-name": "filter", file: name }) : layer;
  if (filtered) await graph.release(layer);
  await drive.insertMedium(node);
  await drive.setPermissions(3, DEVICE_SHARED);
  await graph.release(node);
  return drive;
}

/** The layers below a drive from the top down, without filters. */
export function layersOf(drive: BlockBackend): BlockNode[] {
  const layers: BlockNode[] = [];
  for (let node = drive.node; node !== undefined;) {
    if (node.kind === "format") layers.push(node);
    node = node.kind === "filter" ? node.children[0]?.node : node.backing;
  }
  return layers;
}

/** The image that somebody opens who wants the guest's disk now. */
export function imageOf(drive: BlockBackend): string {
  return layersOf(drive)[0]!.filename.replace(/^.*?([a-z]+)\.qcow2.*$/, "$1");
}

/** What power loss left, and what has to be found: in the guest's disk, and in images that are ready. */
export interface JobMoment {
  readonly files: ReadonlyMap<string, FileContent>;
  /** Each image with the values that its sectors may have. */
  readonly images: readonly { readonly name: string; readonly sectors: readonly Values[] }[];
}

/** Fails unless all images are sound and show what they must. @throws {Violation} */
export async function verifyMoment({ files, images }: JobMoment): Promise<number[]> {
  const found: number[][] = [];
  for (const { name, sectors } of images) {
    await using graph = openGraph(new SimulatedHost(files));
    const top = await openLayer(graph, name);
    for (let node: BlockNode | undefined = top; node !== undefined; node = node.backing) {
      const { corruptions, messages } = await node.driver.check!({ fix: "none" });
      if (corruptions > 0) throw new Violation(`check of ${node.filename}: ${messages.slice(0, 4).join("; ")}`);
    }
    const bytes = new Uint8Array(top.size);
    await top.read(0, IoVector.of(bytes));
    found.push(readValues(bytes, 0, sectors, `${name}: `));
  }
  return found[0]!;
}

/** What `model` allows after power was lost, by sector. */
export function allowedBy(model: GuestModel): readonly Values[] {
  return model.expectation().sectors;
}
