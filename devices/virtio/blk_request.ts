/**
 * A block device's request: what its header says, and where in the chain its data and status lie.
 *
 * ```
 *   readable   type 4, reserved 4, sector 8, data of writes        (cut into pieces anywhere)
 *   writable   data of reads, status 1
 * ```
 *
 * Source: [VIRTIO 1.2] 5.2.6 "Device Operation", 5.2.6.4 on framing by legacy drivers.
 *
 * @module
 */
import { IoVector } from "../../base/io_vector.ts";
import type { Chain } from "./ring.ts";
import type { RingMemory } from "./ring_memory.ts";
import type { Virtqueue } from "./virtqueue.ts";

/** Kinds of request: [VIRTIO 1.2] 5.2.6. */
export const BlkType = {
  In: 0,
  Out: 1,
  Scsi: 2,
  Flush: 4,
  GetId: 8,
  Discard: 11,
  WriteZeroes: 13,
} as const;

/** A bit that old drivers set to keep writes in order, which they are anyway. */
const BARRIER = 0x8000_0000;

export const BlkStatus = { Ok: 0, IoError: 1, Unsupported: 2 } as const;

export const HEADER_BYTES = 16;

const NAMES: ReadonlyMap<number, string> = new Map([
  [BlkType.In, "VIRTIO_BLK_T_IN"],
  [BlkType.Out, "VIRTIO_BLK_T_OUT"],
  [BlkType.Scsi, "VIRTIO_BLK_T_SCSI_CMD"],
  [BlkType.Flush, "VIRTIO_BLK_T_FLUSH"],
  [BlkType.GetId, "VIRTIO_BLK_T_GET_ID"],
  [BlkType.Discard, "VIRTIO_BLK_T_DISCARD"],
  [BlkType.WriteZeroes, "VIRTIO_BLK_T_WRITE_ZEROES"],
]);

const UNMAPPABLE = "virtio: bogus descriptor or out of resources";

/** One request, from the moment its chain is taken until it is given back. Objects are used again. */
export class BlkRequest {
  queue!: Virtqueue;
  chain!: Chain;
  /** That of the queue when the chain was taken. */
  epoch = 0;
  type = 0;
  sector = 0;
  /** The data, as pieces of guest RAM, for this request only. */
  data: IoVector = EMPTY;
  startNs = 0;
  beganNs = 0;

  /** Its name in the specification. */
  get name(): string {
    return NAMES.get(this.type) ?? `VIRTIO_BLK_T_${this.type}`;
  }

  /** Whether the device writes its data. */
  get intoGuest(): boolean {
    return this.type === BlkType.In || this.type === BlkType.GetId;
  }

  /** Reads the header and maps the data. @returns what is wrong with it */
  parse(memory: RingMemory): string | undefined {
    const { chain } = this;
    if (chain.readable < 1 || chain.writable < 1) return "virtio-blk missing headers";
    if (chain.readableBytes < HEADER_BYTES) return "virtio-blk request outhdr too short";
    if (!this.#readHeader(memory)) return UNMAPPABLE;
    const data = this.intoGuest
      ? mapPieces(memory, chain, chain.readable, chain.writable, 0, chain.writableBytes - 1, true)
      : mapPieces(memory, chain, 0, chain.readable, HEADER_BYTES, chain.readableBytes - HEADER_BYTES, false);
    if (data === undefined) return UNMAPPABLE;
    this.data = data;
    return undefined;
  }

  #readHeader(memory: RingMemory): boolean {
    const { chain } = this;
    const [address] = chain.addresses as [number];
    const window = chain.lengths[0]! < HEADER_BYTES ? undefined : memory.windowAt(address, HEADER_BYTES, false);
    let bytes: Uint8Array;
    let at = 0;
    if (window !== undefined) {
      bytes = window.bytes;
      at = address - window.start;
    } else {
      const header = mapPieces(memory, chain, 0, chain.readable, 0, HEADER_BYTES, false);
      if (header === undefined) return false;
      bytes = header.toBytes();
    }
    this.type = (word(bytes, at) & ~BARRIER) >>> 0;
    this.sector = word(bytes, at + 8) + word(bytes, at + 12) * 2 ** 32;
    return true;
  }

  /** Tells the driver how it went, in the last byte, and the accelerator what was written. @returns what is wrong */
  writeStatus(memory: RingMemory, status: number): string | undefined {
    const { chain } = this;
    const last = chain.readable + chain.writable - 1;
    const address = chain.addresses[last]! + chain.lengths[last]! - 1;
    const window = memory.windowAt(address, 1, true);
    if (window === undefined) return UNMAPPABLE;
    window.bytes[address - window.start] = status;
    if (!this.intoGuest) {
      memory.changed(address, 1);
      return undefined;
    }
    for (let i = chain.readable; i <= last; i++) memory.changed(chain.addresses[i]!, chain.lengths[i]!);
    return undefined;
  }
}

const EMPTY: IoVector = IoVector.from([]);

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>> 0;
}

/**
 * `lengthBytes` of guest RAM behind the first `skipBytes` of pieces `first` to `first + count - 1`; `undefined` where not
 * all of it is RAM.
 */
function mapPieces(
  memory: RingMemory,
  chain: Chain,
  first: number,
  count: number,
  skipBytes: number,
  lengthBytes: number,
  forWriting: boolean,
): IoVector | undefined {
  if (lengthBytes === 0) return EMPTY;
  const slices: Uint8Array[] = [];
  let skip = skipBytes;
  let left = lengthBytes;
  for (let i = first; i < first + count && left > 0; i++) {
    const pieceBytes = chain.lengths[i]!;
    if (skip >= pieceBytes) {
      skip -= pieceBytes;
      continue;
    }
    const end = Math.min(pieceBytes, skip + left);
    for (let at = skip; at < end;) {
      const slice = memory.ramAt(chain.addresses[i]! + at, end - at, forWriting);
      if (slice === undefined) return undefined;
      slices.push(slice);
      at += slice.length;
    }
    left -= end - skip;
    skip = 0;
  }
  return slices.length === 1 ? IoVector.of(slices[0]!) : IoVector.from(slices);
}
