/**
 * Reads or writes that one kick brought, joined where they lie side by side: fewer and longer requests below.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import type { BlkRequest } from "./blk_request.ts";

/** So many are looked at together, as QEMU does. */
const MAX_REQUESTS = 32;
/** What one call of the host takes. */
const MAX_SLICES = 1024;
const MAX_BYTES = 0x7fff_fe00;

/** Takes what is ready: requests that lie side by side, in order, and all of their data. */
export type Issue = (requests: readonly BlkRequest[], data: IoVector) => void;

/** Requests of one direction that wait for each other. */
export class BlkBatch {
  readonly #requests: BlkRequest[] = [];
  readonly #merge: boolean;
  readonly #issue: Issue;

  constructor(merge: boolean, issue: Issue) {
    this.#merge = merge;
    this.#issue = issue;
  }

  /** Takes `request` in; what must not wait any longer is issued. */
  add(request: BlkRequest): void {
    const first = this.#requests[0];
    if (first !== undefined) {
      if (!this.#merge || first.type !== request.type || this.#requests.length === MAX_REQUESTS) this.submit();
    }
    this.#requests.push(request);
  }

  /** Issues everything. */
  submit(): void {
    const { length } = this.#requests;
    if (length === 0) return;
    const requests = this.#requests.splice(0);
    if (length === 1) return this.#issue(requests, requests[0]!.data);
    requests.sort((a, b) => a.sector - b.sector);
    for (let start = 0; start < length;) {
      const end = runEnd(requests, start);
      if (end === start + 1) this.#issue([requests[start]!], requests[start]!.data);
      else {
        const run = requests.slice(start, end);
        this.#issue(run, IoVector.from(run.flatMap(({ data }) => data.slices)));
      }
      start = end;
    }
  }
}

/** Where the run that begins at `start` ends. */
function runEnd(requests: readonly BlkRequest[], start: number): number {
  let { length: bytes, slices: { length: slices } } = requests[start]!.data;
  let end = start + 1;
  for (; end < requests.length; end++) {
    const { sector, data } = requests[end]!;
    bytes += data.length;
    slices += data.slices.length;
    const last = requests[end - 1]!;
    if (sector !== last.sector + last.data.length / SECTOR_BYTES || bytes > MAX_BYTES || slices > MAX_SLICES) break;
  }
  return end;
}
