/**
 * A thread that packs and unpacks clusters: one comes in, what has become of it goes out, in the same order.
 *
 * Its one user is pack_pool.ts.
 *
 * @module
 */
import { packNow, unpack } from "./compressed.ts";
import type { PackAnswer, PackMessage, PackRequest } from "./pack_pool.ts";

/** What this program has of a worker's scope. */
interface Scope {
  onmessage: (event: MessageEvent<PackRequest & { readonly bytes: Uint8Array<ArrayBuffer> }>) => void;
  postMessage(message: PackMessage, transfer: ArrayBuffer[]): void;
}

const scope = globalThis as unknown as Scope;
scope.onmessage = ({ data }) => {
  const { method, bytes, length } = data;
  if (length !== undefined) return send(unpacked(data, length));
  const answer = packNow(method, bytes);
  const memory = answer === undefined ? [bytes.buffer] : [bytes.buffer, answer.buffer];
  scope.postMessage({ answer, request: bytes }, memory);
};

/** Sends just the answer's bytes: it may be a view of something larger. */
function send(answer: PackAnswer): void {
  const own = answer instanceof Uint8Array ? new Uint8Array(answer) : answer;
  scope.postMessage({ answer: own, request: undefined }, own instanceof Uint8Array ? [own.buffer] : []);
}

function unpacked({ method, bytes }: PackRequest, length: number): PackAnswer {
  try {
    return unpack(method, bytes, length);
  } catch {
    return null;
  }
}
