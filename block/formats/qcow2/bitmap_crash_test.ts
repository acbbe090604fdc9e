/**
 * Power failures in images with bitmaps. Every write is recorded; then, for moments all over the record, an image is put
 * together of what had been flushed and some of the sectors that had not. It has to open and to check without
 * corruption, and a bitmap in it that is not marked in use has to be right: whatever was written since it was made is
 * marked.
 */
import { assert, assertEquals } from "@std/assert";
import { IoVector } from "../../../base/io_vector.ts";
import { type Random, SeededRandom } from "../../../base/random.ts";
import { KiB } from "../../../base/units.ts";
import { haveProgram } from "../../../tests/support/programs.ts";
import { TempFolder } from "../../../tests/support/temp.ts";
import { addBitmap, disableBitmap, findBitmap, mergeBitmaps, removeBitmap } from "../../bitmap_actions.ts";
import type { CreateValues } from "../../driver.ts";
import { BlockNode } from "../../node.ts";
import { createTestImage, MemoryFile, type OpenImage, openTestImage, runProgram } from "./testing.ts";

const SECTOR = 512;
const UNIT = 1024;
const SIZE = 64 * KiB;
const BACKING_NAME = "base-with-a-name-of-some-length.raw";

type Entry =
  | { readonly kind: "write"; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "flush" }
  | { readonly kind: "size"; readonly size: number };

/** A file that writes down what is done to it. */
class RecordingFile extends MemoryFile {
  readonly start: Uint8Array;
  readonly log: Entry[] = [];

  constructor(content: Uint8Array) {
    super(content);
    this.start = content.slice();
  }

  override async write(at: number, from: IoVector): Promise<void> {
    this.log.push({ kind: "write", at, bytes: from.toBytes().slice() });
    await super.write(at, from);
  }

  override async writeZeroes(at: number, length: number): Promise<void> {
    this.log.push({ kind: "write", at, bytes: new Uint8Array(length) });
    await super.writeZeroes(at, length);
  }

  override async discard(at: number, length: number): Promise<void> {
    const inside = Math.max(0, Math.min(length, this.size - at));
    if (inside > 0) this.log.push({ kind: "write", at, bytes: new Uint8Array(inside) });
    await super.discard(at, length);
  }

  override async flush(): Promise<void> {
    await super.flush();
    this.log.push({ kind: "flush" });
  }

  override async truncate(size: number): Promise<void> {
    this.log.push({ kind: "size", size });
    await super.truncate(size);
  }

  /** What a power failure after `moment` entries leaves. */
  crash(moment: number, random: Random): Uint8Array {
    const flushed = this.log.slice(0, moment).findLastIndex(({ kind }) => kind === "flush") + 1;
    let disk = this.start;
    const share = random.below(5);
    this.log.slice(0, moment).forEach((entry, index) => {
      if (entry.kind === "size") disk = sized(disk, entry.size);
      if (entry.kind !== "write") return;
      for (let done = 0; done < entry.bytes.length;) {
        const length = Math.min(SECTOR - (entry.at + done) % SECTOR, entry.bytes.length - done);
        if (index < flushed || random.below(4) < share) {
          disk = sized(disk, Math.max(disk.length, entry.at + done + length));
          disk.set(entry.bytes.subarray(done, done + length), entry.at + done);
        }
        done += length;
      }
    });
    return disk;
  }
}

/** A copy of another length. */
function sized(bytes: Uint8Array, size: number): Uint8Array {
  const copy = new Uint8Array(size);
  copy.set(bytes.subarray(0, size));
  return copy;
}

/** The disk as it was when each bitmap was made: what it may say without being told of anything. */
type Born = Map<string, { readonly disk: Uint8Array; readonly from: number }>;

class Session {
  readonly born: Born = new Map();
  readonly backing: BlockNode | undefined;

  constructor(
    readonly file: RecordingFile,
    readonly random: Random,
    withBacking: boolean,
    readonly lazyRefcounts: boolean,
  ) {
    this.backing = withBacking ? backingNode() : undefined;
  }

  open(): Promise<OpenImage> {
    return openTestImage(this.file, this.backing === undefined ? {} : { backingNode: this.backing });
  }

  /** Opens the image, does some writes and one of the things that bitmaps are for, and closes it. */
  async run(step: number): Promise<void> {
    const image = await this.open();
    const { node } = image;
    await this.#writes(image);
    const name = `bitmap-${step}`;
    await addBitmap(node, { name, granularityBytes: UNIT, persistent: true });
    this.born.set(name, { disk: await image.read(0, SIZE), from: this.file.log.length });
    await this.#writes(image);
    const older = node.bitmaps.filter((bitmap) => bitmap.name !== name);
    const other = older[this.random.below(Math.max(1, older.length))];
    if (other !== undefined) {
      switch (this.random.below(4)) {
        case 0:
          await removeBitmap(node, other.name);
          break;
        case 1:
          mergeBitmaps(node, name, [other.name]);
          break;
        case 2:
          // Nothing more is promised of it.
          disableBitmap(node, other.name);
          this.born.delete(other.name);
          break;
        default:
          for (const bitmap of [...node.bitmaps]) await removeBitmap(node, bitmap.name);
      }
    }
    await this.#writes(image);
    await image[Symbol.asyncDispose]();
  }

  async #writes({ node, driver }: OpenImage): Promise<void> {
    for (let i = this.random.below(4); i > 0; i--) {
      const at = this.random.below(SIZE / SECTOR) * SECTOR;
      const length = Math.min(SIZE - at, (1 + this.random.below(8)) * SECTOR);
      await node.write(at, IoVector.of(new Uint8Array(length).fill(1 + this.random.below(255))));
      if (this.random.below(3) === 0) await driver.flush();
    }
  }
}

function backingNode(): BlockNode {
  return new BlockNode({ name: "backing", driver: new MemoryFile(new Uint8Array(SIZE).fill(3)), kind: "protocol" });
}

async function record(seed: number, values: CreateValues, withBacking: boolean): Promise<Session> {
  const start = await createTestImage({ ...values, size: SIZE }) as MemoryFile;
  if (withBacking) {
    await using image = await openTestImage(start, { backingNode: backingNode() });
    await image.driver.changeBacking(BACKING_NAME, "raw");
  }
  const lazy = values["lazy_refcounts"] === true;
  const session = new Session(new RecordingFile(start.content()), new SeededRandom(seed), withBacking, lazy);
  for (let step = 0; step < 5; step++) await session.run(step);
  return session;
}

async function verify(session: Session, moment: number, content: Uint8Array): Promise<boolean> {
  const file = new MemoryFile(content);
  const options = session.backing === undefined ? {} : { backingNode: session.backing };
  // Lazily kept refcounts are mended by the first opening for writing.
  const { lazyRefcounts } = session;
  await using image = await openTestImage(file, { ...options, readOnly: !lazyRefcounts });
  const result = await image.driver.check({ fix: "none" });
  assertEquals([result.corruptions, result.checkErrors], [0, 0], result.messages.join("\n"));
  if (session.backing !== undefined) assertEquals(image.driver.image.backingName, BACKING_NAME);
  const disk = await image.read(0, SIZE);
  let trusted = 0;
  for (const bitmap of image.node.bitmaps) {
    const born = session.born.get(bitmap.name);
    if (bitmap.inconsistent || born === undefined || !bitmap.enabled) continue;
    trusted++;
    assert(moment >= born.from, `${bitmap.name} is there before it was made`);
    for (let at = 0; at < SIZE; at += UNIT) {
      const same = disk.subarray(at, at + UNIT).every((byte, i) => byte === born.disk[at + i]);
      assert(same || findBitmap(image.node, bitmap.name).has(at), `${bitmap.name}: ${at} was written and is clean`);
    }
  }
  return trusted > 0;
}

const SHAPES: readonly (readonly [name: string, values: CreateValues, withBacking: boolean])[] = [
  ["512 byte clusters", { cluster_size: 512 }, false],
  ["4 KiB clusters over a backing file", { cluster_size: 4096 }, true],
  ["16 KiB clusters, lazy refcounts, over a backing file", { cluster_size: 16384, lazy_refcounts: true }, true],
];

for (const [name, values, withBacking] of SHAPES) {
  Deno.test(`power failures leave bitmaps that are right or in use: ${name}`, async () => {
    let trusted = 0;
    let moments = 0;
    const seeds = Number(Deno.env.get("QCOW2_SEEDS") ?? 2);
    for (let seed = 1; seed <= seeds; seed++) {
      const session = await record(seed, values, withBacking);
      const random = new SeededRandom(seed + 1000);
      // Each repair takes its time.
      const step = session.lazyRefcounts ? 4 : 1;
      for (let moment = 0; moment <= session.file.log.length; moment += step) {
        const content = session.file.crash(moment, random);
        try {
          if (await verify(session, moment, content)) trusted++;
        } catch (error) {
          throw new Error(`seed ${seed}, moment ${moment}: ${error instanceof Error ? error.message : error}`);
        }
        moments++;
      }
    }
    // In some moments nothing is being written, and bitmaps say what they know.
    assert(trusted > 0 && trusted < moments, `${trusted} of ${moments}`);
  });
}

Deno.test({
  name: "qemu-img opens what a power failure leaves of an image with bitmaps",
  ignore: !haveProgram("qemu-img"),
  fn: async () => {
    await using temp = await TempFolder.make();
    const session = await record(9, { cluster_size: 4096 }, true);
    await temp.write(BACKING_NAME, new Uint8Array(SIZE).fill(3));
    const random = new SeededRandom(5);
    const step = Math.ceil(session.file.log.length / 25);
    for (let moment = 0; moment <= session.file.log.length; moment += step) {
      const path = await temp.write("a", session.file.crash(moment, random));
      const { code, stdout, stderr } = await runProgram("qemu-img", "check", "-f", "qcow2", path);
      assert(code === 0 || code === 3, `moment ${moment}: ${code} ${stdout}${stderr}`);
    }
  },
});
