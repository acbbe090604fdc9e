/**
 * What tests of jobs share: a chain of images, a guest that writes to its top all the time, and the bytes it should see.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { SeededRandom } from "../../base/random.ts";
import { nextTurn } from "../../base/turn.ts";
import type { TempFolder } from "../../tests/support/temp.ts";
import { BlockBackend } from "../backend.ts";
import { createImage } from "../create.ts";
import type { BlockGraph } from "../graph.ts";
import type { BlockNode } from "../node.ts";
import { DEVICE_SHARED } from "../permissions.ts";
import { pattern } from "../testing.ts";

export const DISK_BYTES = 4 * 1024 * 1024;

/** A drive over `base <- mid <- top`, each with data of its own, and what it shows. */
export class Guest implements AsyncDisposable {
  readonly drive: BlockBackend;
  readonly model: Uint8Array;
  readonly #random = new SeededRandom(11);
  #stop = false;
  #running: Promise<void> | undefined;
  writes = 0;

  private constructor(drive: BlockBackend, model: Uint8Array) {
    this.drive = drive;
    this.model = model;
  }

  static async over(graph: BlockGraph, temp: TempFolder, names = ["base", "mid", "top"]): Promise<Guest> {
    const model = new Uint8Array(DISK_BYTES);
    let below: string | undefined;
    for (const [index, name] of names.entries()) {
      const filename = temp.file(name);
      const backing = below === undefined ? {} : { backingFile: below, backingFormat: "qcow2" };
      await createImage(graph, { filename, format: "qcow2", size: DISK_BYTES, ...backing });
      const layer = await graph.openImage({ filename, options: { driver: "qcow2" } });
      const bytes = pattern(700_416, index + 1);
      await layer.write(index * 524_288, IoVector.of(bytes));
      model.set(bytes, index * 524_288);
      await graph.release(layer);
      below = name;
    }
    const top = await graph.openImage({
      filename: temp.file(names.at(-1)!),
      options: { driver: "qcow2", "node-name": "top" },
    });
    const drive = new BlockBackend({ graph, name: "d0" });
    await drive.insertMedium(top);
    await drive.setPermissions(3, DEVICE_SHARED);
    await graph.release(top);
    return new Guest(drive, model);
  }

  get node(): BlockNode {
    return this.drive.node!;
  }

  /** One write, or zeroes, or a discard of what is zero anyway. */
  async step(): Promise<void> {
    const at = this.#random.below(DISK_BYTES / 512 - 256) * 512;
    const length = (1 + this.#random.below(255)) * 512;
    this.writes++;
    if (this.#random.below(4) === 0) {
      await this.drive.writeZeroes(at, length);
      this.model.fill(0, at, at + length);
      return;
    }
    const bytes = pattern(length, 1000 + this.writes);
    await this.drive.write(at, IoVector.of(bytes));
    this.model.set(bytes, at);
  }

  /** Writes until {@link rest}, once every so many turns of the event loop. */
  begin(turns = 1): void {
    this.#stop = false;
    this.#running = (async () => {
      while (!this.#stop) {
        await this.step();
        for (let i = 0; i < turns; i++) await nextTurn();
      }
    })();
  }

  async rest(): Promise<void> {
    this.#stop = true;
    await this.#running;
  }

  /** Where what the drive shows differs from the model; -1 for nowhere. */
  difference(node: BlockNode = this.node): Promise<number> {
    return differenceOf(node, this.model);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rest();
    await this.drive[Symbol.asyncDispose]();
  }
}

/** The first byte at which `node` differs from `model`; -1 for nowhere. */
export async function differenceOf(node: BlockNode, model: Uint8Array): Promise<number> {
  const all = IoVector.allocate(model.length);
  await node.read(0, all);
  const bytes = all.toBytes();
  return bytes.findIndex((byte, at) => byte !== model[at]);
}

/** The chain from `node` down, by file. */
export function chainNames(node: BlockNode): string[] {
  const names: string[] = [];
  for (let layer: BlockNode | undefined = node; layer !== undefined; layer = layer.backing) {
    if (layer.driver.isImplicit !== true) names.push(layer.filename.slice(layer.filename.lastIndexOf("/") + 1));
  }
  return names;
}
