/**
 * Reading guest data: run by run, from this image's clusters, from its backing node, or zeroes.
 *
 * What lies in one cached run never comes here (driver.ts asks {@link Qcow2Image.plainRun} first).
 *
 * @module
 */
import { IoVector } from "../../../base/io_vector.ts";
import { chainStatus } from "../../chain.ts";
import { unpack } from "./compressed.ts";
import type { Qcow2Image } from "./image.ts";
import { findRun, type Run } from "./runs.ts";
import { unpackBatch } from "./unpack_batch.ts";

/** Reads `into.length` bytes at guest offset `at`; the VM state's offsets are allowed too. */
export async function readGuest(image: Qcow2Image, at: number, into: IoVector): Promise<void> {
  image.ensureWorking("read");
  const isLarge = into.length > image.clusterSize;
  if (isLarge && (image.packers.unpacksAside() || mayBatch(image))) return await readAside(image, at, into);
  for (let done = 0; done < into.length;) {
    const run = await findRun(image, at + done, into.length - done);
    await readRun(image, run, at + done, into.slice(done, run.length), false);
    done += run.length;
  }
}

/** Whether there may be compressed clusters that can be unpacked in batches: asked for the price of a look. */
function mayBatch(image: Qcow2Image): boolean {
  return image.compression === "zstd" && image.packers.unpacked > 0 && image.packers.decoder !== undefined;
}

/** A large read: its compressed clusters are unpacked by threads, all at once. */
async function readAside(image: Qcow2Image, at: number, into: IoVector): Promise<void> {
  const parts: Promise<void>[] = [];
  for (let done = 0; done < into.length;) {
    const batch = await unpackBatch(image, at + done, into.slice(done));
    if (batch !== undefined) {
      const part = endBatch(image, batch.work, at + done, into.slice(done, batch.bytes));
      part.catch(() => {});
      parts.push(part);
      done += batch.bytes;
      continue;
    }
    const run = await findRun(image, at + done, into.length - done);
    const part = readRun(image, run, at + done, into.slice(done, run.length), image.packers.decoder === undefined);
    part.catch(() => {});
    parts.push(part);
    done += run.length;
  }
  const ended = await Promise.allSettled(parts);
  for (const part of ended) if (part.status === "rejected") throw part.reason;
}

/** What could not be unpacked as a batch is read cluster by cluster. */
async function endBatch(image: Qcow2Image, work: Promise<boolean>, at: number, into: IoVector): Promise<void> {
  if (await work) return;
  for (let done = 0; done < into.length;) {
    const run = await findRun(image, at + done, into.length - done);
    await readRun(image, run, at + done, into.slice(done, run.length), false);
    done += run.length;
  }
}

/** `aside`: it is a part of a large read, one of a disk that is copied perhaps: threads unpack it. */
async function readRun(image: Qcow2Image, run: Run, at: number, into: IoVector, aside: boolean): Promise<void> {
  const { mapping } = run;
  switch (mapping.kind) {
    case "unallocated":
      return await readBacking(image, at, into);
    case "zero":
      return into.fill(0);
    case "data":
      image.file.node.debugEvent("read_aio");
      return await image.data.read(mapping.host + at % image.clusterSize, at, into);
    case "compressed": {
      image.file.node.debugEvent("read_compressed");
      const packed = await image.file.readBytes(mapping.host, mapping.length);
      image.packers.unpacked++;
      const cluster = aside
        ? await image.packers.pool.unpack(packed, image.clusterSize)
        : unpack(image.compression, packed, image.clusterSize);
      const from = at % image.clusterSize;
      return into.copyFrom(cluster.subarray(from, from + into.length));
    }
  }
}

/** What shows through from the backing node: its bytes, zeroes behind its end and for the VM state. */
export async function readBacking(image: Qcow2Image, at: number, into: IoVector): Promise<void> {
  const { backing } = image;
  const end = backing === undefined ? 0 : Math.min(backing.size, image.header.size);
  const inside = Math.max(0, Math.min(into.length, end - at));
  if (inside < into.length) into.fill(0, inside);
  if (inside > 0) image.file.node.debugEvent("read_backing_aio");
  if (inside > 0 && backing !== undefined) await backing.read(at, into.slice(0, inside));
}

/** Whether `length` bytes at `at` read as zeroes without being looked at: by L2 entry, or for want of a backing file. */
export async function readsAsZero(image: Qcow2Image, at: number, length: number): Promise<boolean> {
  for (let done = 0; done < length;) {
    const run = await findRun(image, at + done, length - done);
    const position = at + done;
    switch (run.mapping.kind) {
      case "data":
      case "compressed":
        return false;
      case "unallocated":
        if (!await backingIsZero(image, position, run.length)) return false;
        break;
      case "zero":
        break;
    }
    done += run.length;
  }
  return true;
}

async function backingIsZero(image: Qcow2Image, at: number, length: number): Promise<boolean> {
  const { backing } = image;
  if (backing === undefined) return true;
  const end = Math.min(at + length, backing.size, image.header.size);
  for (let position = at; position < end;) {
    // What the backing node itself holds nothing of may show from further down.
    const run = await chainStatus(backing, position, end - position);
    if (run.kind === "data") return false;
    position += run.lengthBytes;
  }
  return true;
}

/** A fresh buffer with `length` bytes of what the guest sees at `at`. */
export async function readGuestBytes(image: Qcow2Image, at: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await readGuest(image, at, IoVector.of(bytes));
  return bytes;
}
