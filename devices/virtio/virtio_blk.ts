/**
 * The block device: requests from its queues become requests to a backend. Data goes between guest RAM and the image's
 * file as it is; nothing is copied here.
 *
 * A request that fails under the policy "stop" is held, by the addresses of its pieces, and begun again when the machine
 * goes on. Left out: SCSI pass-through, zones, secure erase. An I/O thread is taken, and
 * changes nothing: there is one event loop.
 *
 * Source: [VIRTIO 1.2] 5.2 "Block Device".
 *
 * @module
 */
import type { IoVector } from "../../base/io_vector.ts";
import { SECTOR_BYTES } from "../../base/units.ts";
import {
  type BlockBackend,
  DEVICE_SHARED,
  type DeviceHooks,
  DONE,
  errnoOf,
  Permission,
  type RequestHow,
} from "../../block/mod.ts";
import { type DeviceContext, type DeviceOptions, type DeviceType, PropertyError } from "../bus/mod.ts";
import type { PropertyValues } from "../bus/mod.ts";
import { applyPolicies } from "../drive/mod.ts";
import { EXAMPLE_HELD, type HeldChain, loadHeld, saveHeld } from "./blk_held.ts";
import { BlkBatch } from "./blk_batch.ts";
import { blkConfig, WRITEBACK_OFFSET } from "./blk_config.ts";
import {
  BLK_PROPERTIES,
  blkFeatures,
  type BlkValues,
  checkBlkProperties,
  checkIoThread,
  checkLimits,
  settleBlkBlockSizes,
} from "./blk_properties.ts";
import { settleGeometry } from "./blk_geometry.ts";
import { BlkRequest, BlkStatus, BlkType } from "./blk_request.ts";
import { BlkFeature, DeviceStatus } from "./features.ts";
import { type Chain, FRESH_RING } from "./ring.ts";
import { type BlkTraces, blkTraces } from "./traces.ts";
import { VIRTIO_BUS } from "./virtio_bus.ts";
import { VirtioDevice, type VirtioState } from "./virtio_device.ts";
import type { Virtqueue } from "./virtqueue.ts";

interface State {
  readonly virtio: VirtioState;
  readonly held: readonly HeldChain[];
  readonly writeback: boolean;
}

const ID_BYTES = 20;
const RANGE_BYTES = 16;
/** What one request below may span. */
const MAX_REQUEST_BYTES = 0x7fff_fe00;
const RANGE_UNMAP = 1;
const VIRTIO_ID_BLOCK = 2;

/** `virtio-blk-device`. */
export class VirtioBlk extends VirtioDevice<typeof BLK_PROPERTIES, State> {
  readonly virtioId = VIRTIO_ID_BLOCK;
  readonly virtioName = "virtio-blk";
  readonly #interfaces: { readonly legacy: boolean; readonly modern: boolean };
  readonly #batch: BlkBatch;
  readonly #traces: BlkTraces;
  /** Requests that a backend works on. */
  readonly #flying = new Set<BlkRequest>();
  #idle: (() => void)[] = [];
  #held: BlkRequest[] = [];
  readonly #free: BlkRequest[] = [];
  #initialWriteback = true;
  /** The clocks as they were when the batch began; what ends within it is timed now and then only. */
  #batchStartNs = 0;
  #batchBeganNs = 0;
  #batchTookNs = 0;
  #endedAtOnce = 0;
  /** Requests that have ended below and whose ends the driver is still to be told of, together. */
  #landed: { readonly requests: readonly BlkRequest[]; readonly then: () => void }[] = [];
  #names = { device: "", path: "" };

  constructor(
    context: DeviceContext,
    interfaces: { readonly legacy: boolean; readonly modern: boolean },
    values?: Partial<BlkValues>,
    options?: DeviceOptions,
  ) {
    super(virtioBlk, context, values, options);
    this.#interfaces = interfaces;
    this.#traces = blkTraces(context.trace);
    this.#batch = new BlkBatch(this.properties["request-merging"], (requests, data) => this.#issue(requests, data));
  }

  /** The drive. @throws PropertyError where there is none */
  get backend(): BlockBackend {
    const { drive } = this.properties;
    if (drive === undefined) throw new PropertyError("drive property not set");
    return drive;
  }

  protected override async onRealize(): Promise<void> {
    const values: BlkValues = this.properties;
    const { backend } = this;
    if (!backend.isInserted) throw new PropertyError("Device needs media, but drive is empty");
    checkBlkProperties(values);
    checkIoThread(values, backend);
    settleBlkBlockSizes(values);
    await this.#claim(values, backend);
    await settleGeometry(values, backend);
    checkLimits(values);
    applyPolicies(values, backend);
    this.#initialWriteback = backend.writeCacheEnabled;
    // A feature of the time between: a device without version 1 has nobody to offer it to.
    values.any_layout &&= this.#interfaces.modern;
    this.offer(blkFeatures(values, backend, this.#interfaces));
    for (let i = 0; i < values["num-queues"]; i++) this.addQueue(values["queue-size"]);
    backend.setDevice(this.#hooks());
    this.#names = { device: backend.name || this.path, path: this.path };
  }

  async #claim(values: BlkValues, backend: BlockBackend): Promise<void> {
    const used = Permission.consistentRead | (backend.readOnly ? 0 : Permission.write);
    await backend.setPermissions(used, DEVICE_SHARED | (values["share-rw"] ? Permission.write : 0));
  }

  #hooks(): DeviceHooks {
    return {
      path: this.path,
      id: this.id ?? "",
      removable: false,
      mediumChanged() {},
      ejectRequest() {},
      isTrayOpen: () => false,
      isMediumLocked: () => false,
      resized: () => this.configChanged(),
    };
  }

  protected override onUnrealize(): void {
    this.backend.setDevice(undefined);
  }

  override configBytes(): Uint8Array {
    const { backend } = this;
    return blkConfig(this.properties, backend.sizeBytes, backend.writeCacheEnabled);
  }

  protected override writeConfigByte(offset: number, value: number): void {
    if (offset === WRITEBACK_OFFSET) this.backend.writeCacheEnabled = value !== 0;
  }

  /** A driver that cannot switch the cache has one only if it can flush it. */
  protected override onStatus(status: number): void {
    if ((status & DeviceStatus.DriverOk) === 0 || this.has(BlkFeature.ConfigWce)) return;
    this.backend.writeCacheEnabled = this.has(BlkFeature.Flush);
  }

  protected override onDriverReset(): void {
    this.#held = [];
    this.backend.writeCacheEnabled = this.#initialWriteback;
  }

  protected override onQueueReset(queue: Virtqueue): void {
    this.#held = this.#held.filter((request) => request.queue !== queue);
  }

  override hasStragglers(queue?: Virtqueue): boolean {
    for (const request of this.#flying) {
      if (request.epoch !== request.queue.epoch && (queue === undefined || request.queue === queue)) return true;
    }
    return false;
  }

  protected override async onStop(): Promise<void> {
    while (this.#flying.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  protected override async onReset(): Promise<void> {
    this.driverReset();
    await this.onStop();
  }

  // Taking requests ---------------------------------------------------------------------------------------------------

  protected override handle(queue: Virtqueue): void {
    if (!queue.begin()) return;
    this.#startClock();
    // More chains than the ring has entries cannot wait: the ring feeds itself.
    for (let taken = 0; !this.broken; taken++) {
      const chain = queue.pop();
      if (chain === undefined) break;
      if (taken === queue.size) {
        this.fail("Virtqueue size exceeded");
        break;
      }
      this.#take(queue, chain);
    }
    this.#batch.submit();
    if (!this.broken) queue.wantKick();
    queue.end();
  }

  #take(queue: Virtqueue, chain: Chain): void {
    const request = this.#free.pop() ?? new BlkRequest();
    request.queue = queue;
    request.chain = chain;
    request.epoch = queue.epoch;
    request.startNs = this.#batchStartNs;
    request.beganNs = this.#batchBeganNs;
    this.#begin(request);
  }

  #startClock(): void {
    const { virtual, realtime } = this.context.clocks;
    this.#batchStartNs = virtual.nowNs();
    this.#batchBeganNs = realtime.nowNs();
  }

  /** Begins a request, or begins it again. Within a batch of its queue. */
  #begin(request: BlkRequest): void {
    const wrong = request.parse(this.memory);
    if (wrong !== undefined) return this.fail(wrong);
    switch (request.type) {
      case BlkType.In:
      case BlkType.Out:
        return this.#beginTransfer(request);
      case BlkType.Flush:
        this.#batch.submit();
        return this.#follow([request], this.backend.flush(), undefined);
      case BlkType.GetId:
        return this.#identify(request);
      case BlkType.Discard:
      case BlkType.WriteZeroes:
        return this.#beginRange(request);
      default:
        return this.#end(request, BlkStatus.Unsupported, "unsupported");
    }
  }

  #beginTransfer(request: BlkRequest): void {
    const { sector, data: { length } } = request;
    const kind = request.type === BlkType.Out ? "write" : "read";
    const { blkHandleRead, blkHandleWrite } = this.#traces;
    const trace = kind === "read" ? blkHandleRead : blkHandleWrite;
    if (trace.enabled) trace.emit({ device: this.backend.name, sector, sectors: length / SECTOR_BYTES });
    if (!this.#fits(sector, length)) return this.#refuse(request, kind);
    if (length === 0) this.#end(request, BlkStatus.Ok, "ok");
    else this.#batch.add(request);
  }

  /** Whether a request lies on the medium, in whole blocks. */
  #fits(sector: number, lengthBytes: number): boolean {
    const block = this.properties.logical_block_size;
    const at = sector * SECTOR_BYTES;
    return lengthBytes <= MAX_REQUEST_BYTES && lengthBytes % block === 0 && at % block === 0 &&
      at + lengthBytes <= this.backend.sizeBytes;
  }

  #refuse(request: BlkRequest, kind: "read" | "write" | "unmap"): void {
    this.backend.stats.invalid(kind, this.context.clocks.realtime.nowNs());
    this.#end(request, BlkStatus.IoError, "invalid");
  }

  #identify(request: BlkRequest): void {
    const id = new TextEncoder().encode(this.properties.serial ?? "").subarray(0, ID_BYTES);
    const bytes = new Uint8Array(Math.min(ID_BYTES, request.data.length));
    bytes.set(id.subarray(0, bytes.length));
    request.data.copyFrom(bytes);
    this.#end(request, BlkStatus.Ok, "ok");
  }

  /** Discard and write zeroes: one range of sectors. */
  #beginRange(request: BlkRequest): void {
    const discard = request.type === BlkType.Discard;
    const feature = discard ? BlkFeature.Discard : BlkFeature.WriteZeroes;
    if ((this.hostFeatures >> BigInt(feature) & 1n) === 0n || request.data.length > RANGE_BYTES) {
      return this.#end(request, BlkStatus.Unsupported, "unsupported");
    }
    if (request.data.length < RANGE_BYTES) return this.fail("virtio-blk discard/write_zeroes header too short");
    const view = new DataView(request.data.toBytes().slice().buffer);
    const sector = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
    const sectors = view.getUint32(8, true);
    const flags = view.getUint32(12, true);
    request.sector = sector;
    const most = this.properties[discard ? "max-discard-sectors" : "max-write-zeroes-sectors"];
    const lengthBytes = sectors * SECTOR_BYTES;
    if (sectors > most || !this.#fits(sector, lengthBytes)) return this.#refuse(request, discard ? "unmap" : "write");
    if ((flags & ~(discard ? 0 : RANGE_UNMAP)) !== 0) return this.#end(request, BlkStatus.Unsupported, "unsupported");
    this.#batch.submit();
    const at = sector * SECTOR_BYTES;
    const unmap = (flags & RANGE_UNMAP) !== 0;
    const work = discard ? this.backend.discard(at, lengthBytes) : this.backend.writeZeroes(at, lengthBytes, { unmap });
    this.#follow([request], work, undefined);
  }

  // Requests below ----------------------------------------------------------------------------------------------------

  /** Reads or writes for `requests`, which lie side by side. */
  #issue(requests: readonly BlkRequest[], data: IoVector): void {
    const { backend } = this;
    const [{ sector, type }] = requests as readonly [BlkRequest];
    const at = sector * SECTOR_BYTES;
    const kind = type === BlkType.Out ? "write" : "read";
    const how: RequestHow | undefined = requests.length === 1 ? undefined : { account: false };
    if (how !== undefined) {
      backend.stats.merged(kind, requests.length - 1);
      const { blkMerged } = this.#traces;
      if (blkMerged.enabled) {
        blkMerged.emit({ device: backend.name, requests: requests.length, at, bytes: data.length, kind });
      }
    }
    const work = kind === "write" ? backend.write(at, data, how) : backend.read(at, data, how);
    this.#follow(requests, work, how === undefined ? undefined : kind);
  }

  /** Ends `requests` when `work` has; `account` says as what each of them is counted here. */
  #follow(requests: readonly BlkRequest[], work: Promise<void>, account: "read" | "write" | undefined): void {
    if (work === DONE) return this.#succeed(requests, account, true);
    for (const request of requests) this.#flying.add(request);
    work.then(
      () => this.#land(requests, () => this.#succeed(requests, account, false)),
      (error) => this.#land(requests, () => this.#failed(requests, error)),
    );
  }

  /** What lands in the same turn is told to the driver together: one look at the ring, one interrupt. */
  #land(requests: readonly BlkRequest[], then: () => void): void {
    if (this.#landed.push({ requests, then }) === 1) queueMicrotask(() => this.#tellLanded());
  }

  #tellLanded(): void {
    const landed = this.#landed;
    this.#landed = [];
    let open: Virtqueue | undefined;
    for (const { requests, then } of landed) {
      for (const request of requests) this.#flying.delete(request);
      const [{ queue, epoch }] = requests as readonly [BlkRequest];
      if (queue !== open) {
        open?.end();
        open = undefined;
      }
      // The driver has reset the queue: nobody waits any more.
      if (epoch !== queue.epoch) { for (const request of requests) this.#release(request); }
      else if (!this.broken && !this.disabled && (open !== undefined || queue.begin())) {
        open = queue;
        then();
      }
    }
    open?.end();
    if (this.#flying.size > 0 || this.#idle.length === 0) return;
    for (const wake of this.#idle.splice(0)) wake();
  }

  #succeed(requests: readonly BlkRequest[], account: "read" | "write" | undefined, atOnce: boolean): void {
    for (const request of requests) {
      const tookNs = atOnce ? this.#atOnceNs(request) : this.#nowNs() - request.beganNs;
      if (account !== undefined) {
        this.backend.stats.done(account, request.data.length, request.beganNs, request.beganNs + tookNs);
      }
      this.#end(request, BlkStatus.Ok, "ok", tookNs);
    }
  }

  /** How long a request took that ended at once: a look at the clock for one in eight, as the backend has it. */
  #atOnceNs(request: BlkRequest): number {
    if ((this.#endedAtOnce++ & 7) === 0) this.#batchTookNs = this.#nowNs() - request.beganNs;
    return this.#batchTookNs;
  }

  #nowNs(): number {
    return this.context.clocks.realtime.nowNs();
  }

  #failed(requests: readonly BlkRequest[], error: unknown): void {
    for (const request of requests) {
      const kind = request.type === BlkType.In ? "read" : "write";
      const action = this.backend.reportError(kind, error);
      if (action === "stop") this.#held.push(request);
      else if (action === "ignore") this.#end(request, BlkStatus.Ok, "ok");
      else this.#end(request, BlkStatus.IoError, errnoOf(error));
    }
  }

  /** Gives a request back to the driver. Within a batch of its queue. */
  #end(request: BlkRequest, status: number, result: string, tookNs = this.#nowNs() - request.beganNs): void {
    const { queue, chain } = request;
    const { blkComplete } = this.#traces;
    if (blkComplete.enabled) blkComplete.emit({ device: this.backend.name, request: request.name, status });
    this.#report(request, result, tookNs);
    const wrong = request.writeStatus(this.memory, status);
    if (wrong !== undefined) return this.fail(wrong);
    queue.push(chain, chain.writableBytes);
    this.#free.push(request);
  }

  #release(request: BlkRequest): void {
    request.queue.release(request.chain);
    this.#free.push(request);
  }

  #report(request: BlkRequest, result: string, durationNs: number): void {
    const { sector, startNs, type } = request;
    const transfer = type === BlkType.In || type === BlkType.Out;
    const bytes = request.data.length;
    this.context.request?.({
      device: this.#names.device,
      path: this.#names.path,
      command: request.name,
      lba: sector,
      sectors: transfer ? bytes / SECTOR_BYTES : 0,
      bytes: transfer ? bytes : 0,
      result,
      startNs,
      durationNs,
    });
  }

  // A machine that stops and goes on ----------------------------------------------------------------------------------

  protected override onResume(): void {
    const held = this.#held;
    this.#held = [];
    this.#startClock();
    for (const request of held) {
      if (this.broken || !request.queue.begin()) return;
      this.#begin(request);
      this.#batch.submit();
      request.queue.end();
    }
  }

  protected override readonly occasionalState = { ring: FRESH_RING, held: [EXAMPLE_HELD] };

  protected override saveState(): State {
    return {
      virtio: this.saveVirtio(),
      held: this.#held.map(saveHeld),
      writeback: this.backend.writeCacheEnabled,
    };
  }

  protected override loadState({ virtio, held, writeback }: State): void {
    this.loadVirtio(virtio);
    this.backend.writeCacheEnabled = writeback;
    for (const saved of held) {
      const request = loadHeld(saved, this.queues);
      if (request === undefined) return this.fail("virtio-blk: a request in the saved state is damaged");
      this.#held.push(request);
    }
  }
}

/** The type `virtio-blk-device`: what a transport carries. */
export const virtioBlk: DeviceType<typeof BLK_PROPERTIES> = {
  name: "virtio-blk-device",
  busType: VIRTIO_BUS,
  category: "Storage",
  userCreatable: true,
  properties: BLK_PROPERTIES,
  create: (context, values: Partial<PropertyValues<typeof BLK_PROPERTIES>> = {}, options) =>
    new VirtioBlk(context, { legacy: true, modern: true }, values, options),
};
