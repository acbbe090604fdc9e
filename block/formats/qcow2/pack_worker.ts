/**
 * A thread that packs clusters: one comes in, what is left of it goes out, in the same order.
 *
 * Its one user is pack_pool.ts.
 *
 * @module
 */
import { type Compression, packNow } from "./compressed.ts";

/** What this program has of a worker's scope. */
interface Scope {
  onmessage: (event: MessageEvent<{ method: Compression; bytes: Uint8Array }>) => void;
  postMessage(message: Uint8Array | undefined): void;
}

const scope = globalThis as unknown as Scope;
scope.onmessage = ({ data }) => scope.postMessage(packNow(data.method, data.bytes));
