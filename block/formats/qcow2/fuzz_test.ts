/** Random damage to metadata: whatever is done with such an image ends, and in nothing else than a block error. */
import { IoVector } from "../../../base/io_vector.ts";
import { type Random, SeededRandom } from "../../../base/random.ts";
import { KiB, MiB } from "../../../base/units.ts";
import { BlockError } from "../../errors.ts";
import { createTestImage, MemoryFile, openTestImage } from "./testing.ts";

const MAX_FILE_BYTES = 64 * MiB;

/** A file that has an end to its patience: an image may not make it grow without bounds. */
class SmallFile extends MemoryFile {
  #refuse(end: number): void {
    if (end > MAX_FILE_BYTES) throw new BlockError({ kind: "io", operation: "write", errno: "EFBIG" });
  }

  override async write(at: number, from: IoVector): Promise<void> {
    this.#refuse(at + from.length);
    await super.write(at, from);
  }

  override async truncate(size: number): Promise<void> {
    this.#refuse(size);
    await super.truncate(size);
  }
}

async function template(clusterSize: number): Promise<Uint8Array> {
  const file = await createTestImage({ size: MiB, cluster_size: clusterSize }) as MemoryFile;
  const image = await openTestImage(file);
  for (let at = 0; at < MiB; at += 150 * KiB) await image.write(at, new Uint8Array(20 * KiB).fill(1));
  const start = 96 * KiB;
  await image.node.writeCompressed(start, IoVector.of(new Uint8Array(clusterSize).fill(7)));
  const now = { name: "s", vmStateBytes: 100, dateSeconds: 0, dateNanoseconds: 0, vmClockNs: 0, icount: -1 };
  await image.driver.vmState.write(0, IoVector.of(new Uint8Array(100)));
  await image.driver.snapshots.create(now);
  await image.write(0, new Uint8Array(20 * KiB).fill(2));
  await image[Symbol.asyncDispose]();
  return file.content();
}

function damage(random: Random, bytes: Uint8Array, clusterSize: number): void {
  const view = new DataView(bytes.buffer);
  for (let n = 1 + random.below(3); n > 0; n--) {
    // The header, or one of the first clusters, where the tables are.
    const at = random.below(2) === 0 ? random.below(112) : random.below(Math.min(bytes.length, 12 * clusterSize) - 8);
    switch (random.below(4)) {
      case 0:
        bytes[at] = random.below(256);
        break;
      case 1:
        bytes[at]! ^= 1 << random.below(8);
        break;
      case 2:
        view.setBigUint64(
          at - at % 8,
          BigInt(random.below(40)) * BigInt(clusterSize) | (BigInt(random.below(8)) << 61n),
        );
        break;
      default:
        view.setUint32(at - at % 4, random.below(3) === 0 ? 0xffffffff : random.uint32());
    }
  }
}

async function useImage(random: Random, content: Uint8Array): Promise<void> {
  const attempt = async (what: () => Promise<unknown>) => {
    try {
      await what();
    } catch (error) {
      if (!(error instanceof BlockError)) throw error;
    }
  };
  await attempt(async () => {
    const image = await openTestImage(new SmallFile(content), { discard: "unmap", forCheck: random.below(2) === 0 });
    const { driver } = image;
    const size = Math.min(driver.size, 2 * MiB);
    for (let i = 0; i < 8 && size > 0; i++) {
      const at = random.below(size / 512) * 512;
      const length = Math.min(size - at, 512 * (1 + random.below(100)));
      const list = driver.snapshots.list();
      await attempt(async () => {
        switch (random.below(9)) {
          case 0:
          case 1:
            return await image.read(at, length);
          case 2:
          case 3:
            return await image.write(at, new Uint8Array(length).fill(9));
          case 4:
            return await image.node.writeZeroes(at, length, { unmap: true });
          case 5:
            return await image.node.discard(at, length);
          case 6:
            return await driver.check({ fix: (["none", "leaks", "all"] as const)[random.below(3)]! });
          case 7:
            return await (list[0] === undefined ? driver.flush() : driver.snapshots.apply(list[0].id));
          default:
            return await (list[0] === undefined ? driver.status(at, length) : driver.snapshots.delete(list[0].id));
        }
      });
    }
    await image[Symbol.asyncDispose]();
  });
}

Deno.test("damaged metadata ends in block errors, and ends", async () => {
  const rounds = Number(Deno.env.get("QCOW2_SEEDS") ?? 1) * 120;
  for (const clusterSize of [512, 4096]) {
    const sound = await template(clusterSize);
    for (let seed = 1; seed <= rounds; seed++) {
      const random = new SeededRandom(seed * 1000 + clusterSize);
      const bytes = sound.slice();
      damage(random, bytes, clusterSize);
      try {
        await useImage(random, bytes);
      } catch (cause) {
        throw new Error(`cluster size ${clusterSize}, seed ${seed}: ${cause}`, { cause });
      }
    }
  }
});
