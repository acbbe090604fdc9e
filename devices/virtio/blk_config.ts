/**
 * A block device's configuration space.
 *
 * Source: [VIRTIO 1.2] 5.2.4 "Device configuration layout".
 *
 * @module
 */
import { struct, u16, u32, u64, u8 } from "../../base/struct.ts";
import { type BlkValues, discardGranularity } from "./blk_properties.ts";

const SECTOR = 512;

const Layout = struct("little", 60, {
  capacity: u64,
  sizeMax: u32,
  segMax: u32,
  cylinders: u16,
  heads: u8,
  sectors: u8,
  blockSize: u32,
  physicalBlockExponent: u8,
  alignmentOffset: u8,
  minIoBlocks: u16,
  optIoBlocks: u32,
  writeback: u8,
  unused0: u8,
  queues: u16,
  maxDiscardSectors: u32,
  maxDiscardSegments: u32,
  discardAlignment: u32,
  maxWriteZeroesSectors: u32,
  maxWriteZeroesSegments: u32,
  writeZeroesMayUnmap: u8,
  unused1: u8,
  unused2: u16,
});

/** Where the one field is that a driver writes. */
export const WRITEBACK_OFFSET = 32;
const WITHOUT_DISCARD_BYTES = 36;
const WITH_DISCARD_BYTES = 48;
const WITH_WRITE_ZEROES_BYTES = 57;

/** The bytes as they are for a medium of `sizeBytes`. A device without a feature ends before its fields. */
export function blkConfig(values: BlkValues, sizeBytes: number, writeback: boolean): Uint8Array {
  const { logical_block_size: block, "queue-size": entries } = values;
  const sectorsPerBlock = block / SECTOR;
  // A geometry that would not end with a block is cut to one that does.
  const track = sizeBytes / values.heads / values.secs;
  const uneven = sizeBytes > 0 && Math.floor(track) % block !== 0;
  const bytes = Layout.toBytes({
    capacity: Math.floor(sizeBytes / SECTOR),
    sizeMax: 0,
    segMax: (values["seg-max-adjust"] ? entries : 128) - 2,
    cylinders: values.cyls,
    heads: values.heads,
    sectors: uneven ? values.secs - values.secs % sectorsPerBlock : values.secs,
    blockSize: block,
    physicalBlockExponent: Math.log2(values.physical_block_size / block),
    alignmentOffset: 0,
    minIoBlocks: values.min_io_size / block,
    optIoBlocks: values.opt_io_size / block,
    writeback: writeback ? 1 : 0,
    unused0: 0,
    queues: values["num-queues"],
    maxDiscardSectors: values.discard ? values["max-discard-sectors"] : 0,
    maxDiscardSegments: values.discard ? 1 : 0,
    discardAlignment: values.discard ? Math.floor(discardGranularity(values) / SECTOR) : 0,
    maxWriteZeroesSectors: values["write-zeroes"] ? values["max-write-zeroes-sectors"] : 0,
    maxWriteZeroesSegments: values["write-zeroes"] ? 1 : 0,
    writeZeroesMayUnmap: values["write-zeroes"] ? 1 : 0,
    unused1: 0,
    unused2: 0,
  });
  if (values["write-zeroes"]) return bytes.subarray(0, WITH_WRITE_ZEROES_BYTES);
  return bytes.subarray(0, values.discard ? WITH_DISCARD_BYTES : WITHOUT_DISCARD_BYTES);
}
