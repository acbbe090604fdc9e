/**
 * What `map` and copying want to know: where the first run of guest bytes comes from.
 *
 * @module
 */
import type { Extent } from "../../driver.ts";
import { BlockError } from "../../errors.ts";
import type { Qcow2Image } from "./image.ts";
import { findRun, type Run } from "./runs.ts";

/** The state of the first run of `length` bytes at `at`. */
export async function statusOf(image: Qcow2Image, at: number, length: number): Promise<Extent> {
  image.ensureWorking("status");
  const first = await findRun(image, at, length);
  let lengthBytes = first.length;
  const { mapping, keptHost } = first;
  // Runs end with an L2 slice; go on while the next one says the same.
  while (lengthBytes < length) {
    const next = await lookAhead(image, at + lengthBytes, length - lengthBytes);
    if (next === undefined) break;
    if (next.mapping.kind !== mapping.kind || mapping.kind === "compressed") break;
    const distance = at + lengthBytes - (at - at % image.clusterSize);
    if (next.keptHost !== (keptHost < 0 ? -1 : keptHost + distance)) break;
    if ("host" in mapping && "host" in next.mapping) {
      if (next.mapping.host !== (mapping.host === 0 ? 0 : mapping.host + distance)) break;
    }
    lengthBytes += next.length;
  }
  switch (mapping.kind) {
    case "unallocated":
      return keptHost < 0
        ? { lengthBytes, kind: "unallocated", allocated: false }
        : { lengthBytes, kind: "unallocated", allocated: false, ...hostOf(image, keptHost, at) };
    case "zero":
      return mapping.host === 0
        ? { lengthBytes, kind: "zero", allocated: true }
        : { lengthBytes, kind: "zero", allocated: true, ...hostOf(image, mapping.host, at) };
    case "data":
      return { lengthBytes, kind: "data", allocated: true, ...hostOf(image, mapping.host, at) };
    case "compressed":
      return { lengthBytes, kind: "data", allocated: true, compressed: true };
  }
}

/** What follows, unless it cannot be told: that is for whoever asks for it. */
async function lookAhead(image: Qcow2Image, at: number, length: number): Promise<Run | undefined> {
  try {
    return await findRun(image, at, length);
  } catch (error) {
    if (error instanceof BlockError) return undefined;
    throw error;
  }
}

/** Where the bytes are; nobody can use them there where they are encrypted. */
function hostOf(image: Qcow2Image, host: number, at: number): Pick<Extent, "hostOffset" | "node"> {
  if (!image.data.isPlain) return {};
  return { hostOffset: host + at % image.clusterSize, node: image.data.file.node };
}
