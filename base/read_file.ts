/**
 * A host file read whole, up to a limit: names that users give may lead to what never ends (`/dev/zero`, a FIFO that is
 * written to for ever) or is larger than anything that can be meant.
 *
 * Left out: a FIFO that nobody writes to is waited for, as `cat` waits.
 *
 * @module
 */
import { errnoText } from "./errno.ts";
import { formatSize } from "./sizes.ts";
import { MiB } from "./units.ts";

/** What does not say how long it is (a device, a pipe) is not read further, whatever the limit. */
const MAX_UNSIZED_BYTES = 256 * MiB;
const FIRST_BYTES = 64 * 1024;

/** A file is larger than what it is for can be. */
export class FileTooLargeError extends Error {
  override readonly name = "FileTooLargeError";

  constructor(readonly maxBytes: number) {
    super(`${errnoText("EFBIG")} (more than ${formatSize(maxBytes)})`);
  }
}

/**
 * All of the file `path`.
 *
 * @param maxBytes the most that it may have
 * @throws {FileTooLargeError} where it has more; a regular file is not read then
 * @throws what Deno throws where it cannot be opened or read
 */
export function readFileSync(path: string, maxBytes: number): Uint8Array<ArrayBuffer> {
  using file = Deno.openSync(path);
  const { isFile, size } = file.statSync();
  if (isFile && size > maxBytes) throw new FileTooLargeError(maxBytes);
  const most = isFile ? maxBytes : Math.min(maxBytes, MAX_UNSIZED_BYTES);
  // Files of /proc say 0.
  const bytes = readUpTo(file, most + 1, isFile && size > 0 ? size : FIRST_BYTES);
  if (bytes.length > most) throw new FileTooLargeError(most);
  return bytes;
}

/** The beginning of the file `path`, at most `maxBytes` of it. @throws what Deno throws where it cannot be read */
export function readFileStartSync(path: string, maxBytes: number): Uint8Array<ArrayBuffer> {
  using file = Deno.openSync(path);
  return readUpTo(file, maxBytes, FIRST_BYTES);
}

/** The same for those whom a FIFO must not hold up. */
export async function readFileStart(path: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  using file = await Deno.open(path);
  const { isFile, size } = await file.stat();
  const bytes = new Uint8Array(isFile && size > 0 ? Math.min(maxBytes, size) : maxBytes);
  let length = 0;
  while (length < bytes.length) {
    const count = await file.read(bytes.subarray(length));
    if (count === null) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

/** Reads to the end or to `most` bytes, into a buffer that grows; `expected` bytes fit at once. */
function readUpTo(file: Deno.FsFile, most: number, expected: number): Uint8Array<ArrayBuffer> {
  // One more than are expected, so that the end is seen.
  let bytes = new Uint8Array(Math.min(most, expected + 1));
  let length = 0;
  for (let count: number | null; length < most && (count = file.readSync(bytes.subarray(length))) !== null;) {
    length += count;
    if (length < bytes.length || length === most) continue;
    const larger = new Uint8Array(Math.min(most, 2 * length));
    larger.set(bytes);
    bytes = larger;
  }
  return bytes.subarray(0, length);
}
