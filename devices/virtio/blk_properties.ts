/**
 * The properties of `virtio-blk-device`, and the checks that QEMU makes when such a device is realized.
 *
 * @module
 */
import type { BlockBackend } from "../../block/mod.ts";
import { prop, PropertyError, type PropertyTable, type PropertyValues } from "../bus/mod.ts";
import { DRIVE_PROPERTIES, ERROR_PROPERTIES, GEOMETRY_PROPERTIES, settleBlockSizes } from "../drive/mod.ts";
import { bit, BlkFeature, Feature, MAX_QUEUE_ENTRIES, MAX_QUEUES } from "./features.ts";

const onOff = { description: "on/off" } as const;

/** In the order in which `info qtree` lists them. */
export const BLK_PROPERTIES = {
  ...DRIVE_PROPERTIES,
  ...ERROR_PROPERTIES,
  ...GEOMETRY_PROPERTIES,
  "serial": prop.str(),
  "config-wce": prop.bool(true, onOff),
  "scsi": prop.bool(false, onOff),
  "request-merging": prop.bool(true, onOff),
  "num-queues": prop.uint16(0xffff),
  "queue-size": prop.uint16(256),
  "seg-max-adjust": prop.bool(true),
  "discard": prop.bool(true, onOff),
  "report-discard-granularity": prop.bool(true),
  "write-zeroes": prop.bool(true, onOff),
  "max-discard-sectors": prop.uint32(0x3f_ffff),
  "max-write-zeroes-sectors": prop.uint32(0x3f_ffff),
  "x-enable-wce-if-config-wce": prop.bool(true),
  "indirect_desc": prop.bool(true, onOff),
  "event_idx": prop.bool(true, onOff),
  "notify_on_empty": prop.bool(true, onOff),
  "any_layout": prop.bool(true, onOff),
  "iommu_platform": prop.bool(false, onOff),
  "packed": prop.bool(false, onOff),
  "queue_reset": prop.bool(true, onOff),
  "use-started": prop.bool(true),
  "use-disabled-flag": prop.bool(true),
  "x-disable-legacy-check": prop.bool(false),
  "bootindex": prop.int32(-1, { noDefault: true, hidden: true }),
  "iothread": { ...prop.str(undefined, { hidden: true }), typeName: "link<iothread>" },
} satisfies PropertyTable;

export type BlkValues = PropertyValues<typeof BLK_PROPERTIES>;

const UNSET_QUEUES = 0xffff;
const UNSET_GRANULARITY = 0xffff_ffff;
const MAX_REQUEST_SECTORS = 0x3f_ffff;
/** What can be checked before the drive is looked at. @throws PropertyError in QEMU's words */
export function checkBlkProperties(values: BlkValues): void {
  if (values["num-queues"] === UNSET_QUEUES) values["num-queues"] = 1;
  const { "num-queues": queues, "queue-size": entries } = values;
  if (queues === 0) throw new PropertyError("num-queues property must be larger than 0");
  if (queues > MAX_QUEUES) throw new PropertyError(`num-queues property must not be larger than ${MAX_QUEUES}`);
  if (entries <= 2) throw new PropertyError(`invalid queue-size property (${entries}), must be > 2`);
  if ((entries & (entries - 1)) !== 0 || entries > MAX_QUEUE_ENTRIES) {
    throw new PropertyError(
      `invalid queue-size property (${entries}), must be a power of 2 (max ${MAX_QUEUE_ENTRIES})`,
    );
  }
}

/** All requests stay in the one event loop there is: what is checked is that the object is there. @throws PropertyError */
export function checkIoThread(values: BlkValues, backend: BlockBackend): void {
  const { iothread: id } = values;
  if (id === undefined || backend.graph.objects.list.some((object) => object.type === "iothread" && object.id === id)) {
    return;
  }
  throw new PropertyError(`Device '${id}' not found`);
}

/** Settles block sizes. @throws PropertyError in QEMU's words */
export function settleBlkBlockSizes(values: BlkValues): void {
  settleBlockSizes(values);
  const { logical_block_size: logical, discard_granularity: granularity } = values;
  if (granularity !== UNSET_GRANULARITY && granularity % logical !== 0) {
    throw new PropertyError("discard_granularity must be a multiple of logical_block_size");
  }
}

/** @throws PropertyError in QEMU's words */
export function checkLimits(values: BlkValues): void {
  const limited = [["discard", "max-discard-sectors"], ["write-zeroes", "max-write-zeroes-sectors"]] as const;
  for (const [feature, name] of limited) {
    const sectors = values[name];
    if (!values[feature] || (sectors >= 1 && sectors <= MAX_REQUEST_SECTORS)) continue;
    throw new PropertyError(`invalid ${name} property (${sectors}), must be between 1 and ${MAX_REQUEST_SECTORS}`);
  }
}

/** The granularity that a guest is told, in bytes. */
export function discardGranularity(values: BlkValues): number {
  const { discard_granularity: bytes, logical_block_size } = values;
  return bytes === UNSET_GRANULARITY || !values["report-discard-granularity"] ? logical_block_size : bytes;
}

/** What the device offers. @throws PropertyError where wishes do not go together, in QEMU's words */
export function blkFeatures(
  values: BlkValues,
  drive: { readonly readOnly: boolean; readonly writeCacheEnabled: boolean },
  { legacy, modern }: { readonly legacy: boolean; readonly modern: boolean },
): bigint {
  if (values.scsi) {
    throw new PropertyError(
      modern
        ? "Please set scsi=off for virtio-blk devices in order to use virtio 1.0"
        : "scsi=on is not available: moa passes no SCSI commands through",
    );
  }
  if (values.iommu_platform && legacy) {
    throw new PropertyError("VIRTIO_F_IOMMU_PLATFORM was supported by neither legacy nor transitional device");
  }
  const cache = drive.writeCacheEnabled || (values["x-enable-wce-if-config-wce"] && values["config-wce"]);
  const offered: readonly (readonly [feature: number, offered: boolean])[] = [
    [BlkFeature.SegMax, true],
    [BlkFeature.Geometry, true],
    [BlkFeature.Topology, true],
    [BlkFeature.BlkSize, true],
    [BlkFeature.ReadOnly, drive.readOnly],
    [BlkFeature.Scsi, !modern],
    [BlkFeature.Flush, cache],
    [BlkFeature.ConfigWce, values["config-wce"]],
    [BlkFeature.MultiQueue, values["num-queues"] > 1],
    [BlkFeature.Discard, values.discard],
    [BlkFeature.WriteZeroes, values["write-zeroes"]],
    [Feature.NotifyOnEmpty, values.notify_on_empty],
    [Feature.AnyLayout, values.any_layout],
    [Feature.IndirectDescriptors, values.indirect_desc],
    [Feature.EventIndex, values.event_idx],
    [Feature.Bad, legacy],
    [Feature.Version1, modern],
    [Feature.AccessPlatform, values.iommu_platform],
    [Feature.RingPacked, values.packed],
    [Feature.RingReset, values.queue_reset],
  ];
  return offered.reduce((set, [feature, wanted]) => wanted ? set | bit(feature) : set, 0n);
}
