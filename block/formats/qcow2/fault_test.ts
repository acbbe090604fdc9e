/**
 * A file that fails now and then, and many requests at once: what was acknowledged is there, what failed is old or new,
 * and the image stays sound.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { IoVector } from "../../../base/io_vector.ts";
import { SeededRandom } from "../../../base/random.ts";
import { KiB } from "../../../base/units.ts";
import { BlockError, ioError } from "../../errors.ts";
import { createTestImage, fileNode, MemoryFile, openTestImage } from "./testing.ts";

const SECTOR = 512;

/** Fails a share of its writes and flushes while `failing`. */
class FaultyFile extends MemoryFile {
  failing = false;
  readonly #random: SeededRandom;

  constructor(content: Uint8Array, seed: number) {
    super(content);
    this.#random = new SeededRandom(seed);
  }

  #mayFail(operation: "write" | "flush"): void {
    if (this.failing && this.#random.below(5) === 0) throw ioError(operation, operation === "write" ? "ENOSPC" : "EIO");
  }

  override async write(at: number, from: IoVector): Promise<void> {
    // Requests of different length overtake one another.
    for (let i = this.#random.below(4); i > 0; i--) await Promise.resolve();
    this.#mayFail("write");
    await super.write(at, from);
  }

  override async flush(): Promise<void> {
    this.#mayFail("flush");
    await super.flush();
  }
}

for (const failing of [false, true]) {
  Deno.test(`many requests at once${failing ? ", some of which fail" : ""}`, async () => {
    const size = 256 * KiB;
    for (let seed = 1; seed <= Number(Deno.env.get("QCOW2_SEEDS") ?? 8); seed++) {
      const random = new SeededRandom(seed);
      const clusterSize = [512, 4096, 16384][seed % 3]!;
      const made = await createTestImage({ size, cluster_size: clusterSize }) as MemoryFile;
      const file = new FaultyFile(made.content(), seed);
      const backingBytes = new Uint8Array(200 * KiB).fill(99);
      const backingNode = fileNode(new MemoryFile(backingBytes), "backing");
      const image = await openTestImage(file, {
        discard: "unmap",
        backingNode,
        ...(seed % 2 === 0 ? { "l2-cache-size": 1024, "l2-cache-entry-size": 512 } : {}),
      });
      const allowed = Array.from({ length: size / SECTOR }, (_, i) => new Set([i < 400 ? 99 : 0]));
      file.failing = failing;
      for (let round = 0; round < 12; round++) {
        const requests: Promise<void>[] = [];
        const attempt = (at: number, length: number, value: number, run: () => Promise<void>) => {
          for (let s = at / SECTOR; s < (at + length) / SECTOR; s++) allowed[s]!.add(value);
          requests.push(
            run().then(
              () => {
                for (let s = at / SECTOR; s < (at + length) / SECTOR; s++) allowed[s] = new Set([value]);
              },
              () => {},
            ),
          );
        };
        // Requests that share clusters, but not sectors.
        for (let at = random.below(20) * SECTOR; at < size;) {
          const length = Math.min(size - at, (1 + random.below(12)) * SECTOR);
          const start = at;
          const value = 1 + random.below(90);
          const kind = random.below(8);
          if (kind < 4) {
            attempt(start, length, value, () => image.write(start, new Uint8Array(length).fill(value)));
          } else if (kind === 4) {
            attempt(start, length, 0, () => image.node.writeZeroes(start, length, { unmap: true }));
          } else if (kind === 5 && start % clusterSize === 0) {
            const whole = IoVector.of(new Uint8Array(clusterSize).fill(value));
            attempt(start, clusterSize, value, () => image.node.writeCompressed(start, whole));
            at = start + clusterSize - length;
          } else if (kind <= 6) requests.push(image.read(start, length).then(() => {}));
          else requests.push(image.node.flush().catch(() => {}));
          at += length + random.below(3) * SECTOR;
        }
        await Promise.all(requests);
      }
      file.failing = false;
      const disk = await image.read(0, size);
      allowed.forEach((values, sector) => {
        const bytes = disk.subarray(sector * SECTOR, (sector + 1) * SECTOR);
        assert(
          bytes.every((byte) => values.has(byte)),
          `seed ${seed}, sector ${sector}: ${bytes[0]} of ${[...values]}`,
        );
      });
      await image[Symbol.asyncDispose]();
      const again = await openTestImage(new MemoryFile(file.content()), { backingNode });
      assertEquals(await again.read(0, size), disk);
      const result = await again.driver.check({ fix: "none" });
      assertEquals([result.corruptions, result.checkErrors], [0, 0], result.messages.join("\n"));
      if (!failing) assertEquals(result.leaks, 0, result.messages.join("\n"));
      await again[Symbol.asyncDispose]();
    }
  });
}

Deno.test("compressed writes take whole clusters, and what is left at the end of the disk", async () => {
  const size = 10 * KiB;
  const image = await openTestImage(await createTestImage({ size, cluster_size: 4096 }));
  const write = (at: number, length: number) =>
    image.node.writeCompressed(at, IoVector.of(new Uint8Array(length).fill(7)));
  for (const [at, length] of [[0, 512], [512, 4096], [0, 6144], [8192, 1024], [6144, 4096]] as const) {
    await assertRejects(() => write(at, length), BlockError, "Invalid argument");
  }
  assertEquals(await image.read(0, size), new Uint8Array(size));
  await write(0, size);
  assertEquals(await image.read(0, size), new Uint8Array(size).fill(7));
  await image[Symbol.asyncDispose]();
});
