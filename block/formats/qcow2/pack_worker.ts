/**
 * A thread that packs and unpacks clusters: one comes in, what has become of it goes out, in the same order.
 *
 * Its one user is pack_pool.ts.
 *
 * @module
 */
import { packNow, unpack } from "./compressed.ts";
import type { PackAnswer, PackRequest } from "./pack_pool.ts";

/** What this program has of a worker's scope. */
interface Scope {
  onmessage: (event: MessageEvent<PackRequest>) => void;
  postMessage(message: PackAnswer, transfer?: ArrayBufferLike[]): void;
}

const scope = globalThis as unknown as Scope;
scope.onmessage = ({ data }) => {
  const answer = data.length === undefined ? packNow(data.method, data.bytes) : unpacked(data, data.length);
  // Small ones share a buffer of Node's with others: only what has a buffer of its own is handed over.
  if (!(answer instanceof Uint8Array) || answer.buffer.byteLength > 2 * answer.length) return scope.postMessage(answer);
  scope.postMessage(new Uint8Array(answer.buffer, answer.byteOffset, answer.length), [answer.buffer]);
};

function unpacked({ method, bytes }: PackRequest, length: number): PackAnswer {
  try {
    return unpack(method, bytes, length);
  } catch {
    return null;
  }
}
