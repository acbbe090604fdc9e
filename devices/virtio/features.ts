/**
 * Names of what a virtio device and its driver agree on, and of the driver's progress.
 *
 * Source: [VIRTIO 1.2] 2.1 "Device Status Field", 6 "Reserved Feature Bits", 5.2.3 "Feature bits" of the block device.
 *
 * @module
 */

/** Device status. */
export const DeviceStatus = {
  Acknowledge: 0x01,
  Driver: 0x02,
  DriverOk: 0x04,
  FeaturesOk: 0x08,
  NeedsReset: 0x40,
  Failed: 0x80,
} as const;

/** Feature bits that all devices share, by number. */
export const Feature = {
  NotifyOnEmpty: 24,
  AnyLayout: 27,
  IndirectDescriptors: 28,
  EventIndex: 29,
  /** Reserved; a legacy driver that takes it has not negotiated at all. */
  Bad: 30,
  Version1: 32,
  AccessPlatform: 33,
  RingPacked: 34,
  RingReset: 40,
} as const;

/** Feature bits of the block device. */
export const BlkFeature = {
  SegMax: 2,
  Geometry: 4,
  ReadOnly: 5,
  BlkSize: 6,
  Scsi: 7,
  Flush: 9,
  Topology: 10,
  ConfigWce: 11,
  MultiQueue: 12,
  Discard: 13,
  WriteZeroes: 14,
} as const;

/** A set with the one feature of that number. */
export function bit(number: number): bigint {
  return 1n << BigInt(number);
}

/** What only legacy drivers are offered: [VIRTIO 1.2] 6.3. */
export const LEGACY_FEATURES: bigint = bit(Feature.Bad) | bit(Feature.NotifyOnEmpty) | bit(Feature.AnyLayout);

/** "No vector": the queue, or the configuration, is not heard. */
export const NO_VECTOR = 0xffff;

/** Queues that a device can have, and entries in one. */
export const MAX_QUEUES = 1024;
export const MAX_QUEUE_ENTRIES = 1024;
