/**
 * Damages images on purpose: a few bytes at a place, a length.
 *
 * @module
 */

/** Overwrites bytes of a file at `at`, beyond its end too. */
export async function patchFile(path: string, at: number, bytes: Uint8Array | readonly number[]): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.seek(at, Deno.SeekMode.Start);
  const data = Uint8Array.from(bytes);
  for (let done = 0; done < data.length;) done += await file.write(data.subarray(done));
}

/** Overwrites a big-endian number of `size` bytes. */
export function patchNumber(path: string, at: number, size: 1 | 2 | 4 | 8, value: number | bigint): Promise<void> {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return patchFile(path, at, bytes.subarray(8 - size));
}

/** Reads `length` bytes of a file at `at`; fewer at its end. */
export async function peekFile(path: string, at: number, length: number): Promise<Uint8Array> {
  using file = await Deno.open(path, { read: true });
  await file.seek(at, Deno.SeekMode.Start);
  const data = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const got = await file.read(data.subarray(done));
    if (got === null) break;
    done += got;
  }
  return data.subarray(0, done);
}
