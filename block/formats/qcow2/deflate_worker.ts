/**
 * A thread that deflates clusters: one comes in, what is left of it goes out, in the same order.
 *
 * Its one user is deflate_pool.ts.
 *
 * @module
 */
import { deflateNow } from "./compressed.ts";

/** What this program has of a worker's scope. */
interface Scope {
  onmessage: (event: MessageEvent<Uint8Array<ArrayBuffer>>) => void;
  postMessage(message: Uint8Array | undefined): void;
}

const scope = globalThis as unknown as Scope;
scope.onmessage = ({ data }) => scope.postMessage(deflateNow(data));
