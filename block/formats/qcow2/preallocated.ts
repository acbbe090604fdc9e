/**
 * Telling whether an image was made with `preallocation=metadata`: then clusters that are mapped may be holes of the file,
 * which read as zeroes without being looked at.
 *
 * There is no mark in the image; what gives it away is that many more clusters are in use than the file has room for.
 *
 * @module
 */
import type { Qcow2Image } from "./image.ts";

/** Whether clusters of `image` are worth looking for in its file's holes. */
export async function looksPreallocated(image: Qcow2Image): Promise<boolean> {
  const storedBytes = await image.file.node.driver.allocatedBytes?.();
  if (storedBytes === undefined) return false;
  const stored = Math.ceil(storedBytes / image.clusterSize);
  const most = Math.max(Math.floor(stored * 11 / 10), stored + 2);
  const clusters = Math.ceil(image.file.size / image.clusterSize);
  if (clusters <= most) return false;
  let used = 0;
  for (let cluster = 0; cluster < clusters; cluster++) {
    if (await image.refcounts.get(cluster) > 0 && ++used > most) return true;
  }
  return false;
}
