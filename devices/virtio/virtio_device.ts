/**
 * What all virtio devices are: features, status, queues, interrupts, and a configuration space of their own. How a
 * driver gets at them is the transport's affair.
 *
 * A driver that breaks the rules breaks the device: it does nothing more until it is reset, and a driver of version 1
 * finds NEEDS_RESET in the status.
 *
 * A reset by the driver cannot wait: what is in flight then ends unheard, and until it has ended the status does not
 * read as zero, which is what [VIRTIO 1.2] 4.1.4.3.2 has drivers wait for.
 *
 * Source: [VIRTIO 1.2] 2 "Basic Facilities of a Virtio Device".
 *
 * @module
 */
import { assert } from "../../base/assert.ts";
import { Device, type DeviceContext, type DeviceOptions, type DeviceType } from "../bus/mod.ts";
import type { PropertyTable, PropertyValues } from "../bus/mod.ts";
import { bit, DeviceStatus, Feature, MAX_QUEUES, NO_VECTOR } from "./features.ts";
import type { RingMemory } from "./ring_memory.ts";
import { VirtioBus } from "./virtio_bus.ts";
import { type QueueOwner, type QueueState, Virtqueue } from "./virtqueue.ts";

/** Bits of the interrupt status: [VIRTIO 1.2] 4.1.4.5. */
export const Isr = { Queue: 1, Config: 2 } as const;

/** The part of the state that is the same for all devices. Feature sets are in halves: low, high. */
export interface VirtioState {
  readonly features: readonly [low: number, high: number];
  readonly status: number;
  readonly isr: number;
  readonly generation: number;
  readonly queueSelect: number;
  readonly configVector: number;
  readonly broken: boolean;
  readonly disabled: boolean;
  readonly queues: readonly QueueState[];
}

/** The base of virtio devices. */
export abstract class VirtioDevice<Table extends PropertyTable = PropertyTable, State extends object = object>
  extends Device<Table, State>
  implements QueueOwner {
  /** Its number among virtio devices: [VIRTIO 1.2] 5. */
  abstract readonly virtioId: number;
  /** As names of memory regions have it: `virtio-blk`. */
  abstract readonly virtioName: string;
  readonly queues: Virtqueue[] = [];
  /** The queue that its registers are seen of. */
  queueSelect = 0;
  configVector = NO_VECTOR;
  #hostFeatures = 0n;
  #features = 0n;
  #status = 0;
  #isr = 0;
  #generation = 0;
  #broken = false;
  #disabled = false;
  #closingStatus = 0;

  constructor(
    type: DeviceType<Table>,
    context: DeviceContext,
    values?: Partial<PropertyValues<Table>>,
    options?: DeviceOptions,
  ) {
    super(type, context, values, options);
  }

  /** What the device offers. */
  get hostFeatures(): bigint {
    return this.#hostFeatures;
  }

  /** What the driver took of it. */
  get features(): bigint {
    return this.#features;
  }

  has(feature: number): boolean {
    return (this.#features & bit(feature)) !== 0n;
  }

  /** The status register. */
  get status(): number {
    if (this.#status !== 0 || !this.hasStragglers()) return this.#status;
    return this.#closingStatus;
  }

  get isr(): number {
    return this.#isr;
  }

  get generation(): number {
    return this.#generation;
  }

  get broken(): boolean {
    return this.#broken;
  }

  get disabled(): boolean {
    return this.#disabled;
  }

  get memory(): RingMemory {
    return this.virtioBus.transport.memory;
  }

  get virtioBus(): VirtioBus {
    assert(this.bus instanceof VirtioBus, `${this.type.name} is on no virtio bus`);
    return this.bus;
  }

  /** The queue that is selected. */
  get selected(): Virtqueue | undefined {
    return this.queues[this.queueSelect];
  }

  /** Settles what the device offers; while it is realized. */
  protected offer(features: bigint): void {
    this.#hostFeatures = features;
  }

  protected addQueue(entries: number): Virtqueue {
    const queue = new Virtqueue(this, this.queues.length, entries);
    this.queues.push(queue);
    return queue;
  }

  /** Configuration space as it is now. */
  abstract configBytes(): Uint8Array;
  /** The driver wrote a byte of it. */
  protected abstract writeConfigByte(offset: number, value: number): void;
  /** Chains wait in `queue`, which works. */
  protected abstract handle(queue: Virtqueue): void;
  /** The driver's status has changed. */
  protected onStatus(_status: number): void {}
  /** Forgets what the driver has begun; queues are reset already. */
  protected abstract onDriverReset(): void;
  /** Forgets what waits in `queue`, which is reset already. */
  protected abstract onQueueReset(queue: Virtqueue): void;
  /** Whether requests from before a reset of the device, or of `queue`, are still in flight. */
  abstract hasStragglers(queue?: Virtqueue): boolean;

  readConfig(offset: number, size: number): number {
    const bytes = this.configBytes();
    if (offset + size > bytes.length) return 2 ** (8 * size) - 1;
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[offset + i]!;
    return value;
  }

  writeConfig(offset: number, size: number, value: number): void {
    if (offset + size > this.configBytes().length) return;
    for (let i = 0, rest = value; i < size; i++, rest = Math.floor(rest / 256)) {
      this.writeConfigByte(offset + i, rest % 256);
    }
  }

  /** The driver takes `wanted`; what is not offered it does not get. Too late once it has said that it is through. */
  setFeatures(wanted: bigint): void {
    if ((this.#status & DeviceStatus.FeaturesOk) !== 0) return;
    this.#features = wanted & this.#hostFeatures;
  }

  /** The driver writes its status; 0 resets. */
  setStatus(value: number): void {
    if (value === 0) return this.driverReset();
    const entering = value & ~this.#status;
    if (this.has(Feature.Version1) && (entering & DeviceStatus.FeaturesOk) !== 0 && !this.#acceptsFeatures()) return;
    this.#status = value & 0xff;
    this.onStatus(this.#status);
  }

  /** One feature is no wish: who does not go by the platform's addresses cannot be served. */
  #acceptsFeatures(): boolean {
    const platform = bit(Feature.AccessPlatform);
    return (this.#hostFeatures & platform) === 0n || (this.#features & platform) !== 0n;
  }

  /** The driver resets the device. */
  driverReset(): void {
    if (this.#status !== 0) this.#closingStatus = this.#status;
    this.#features = 0n;
    this.#status = 0;
    this.#isr = 0;
    this.#broken = this.#disabled = false;
    this.queueSelect = 0;
    this.configVector = NO_VECTOR;
    for (const queue of this.queues) queue.reset();
    this.onDriverReset();
  }

  /** The driver resets one queue. */
  resetQueue(queue: Virtqueue): void {
    queue.reset();
    this.onQueueReset(queue);
  }

  /** The device has lost the bus: it is as if the driver had not said yet that it is ready. */
  stopDriver(): void {
    if ((this.#status & DeviceStatus.DriverOk) === 0) return;
    this.#status &= ~DeviceStatus.DriverOk;
    this.onStatus(this.#status);
  }

  /** Bus mastering goes (`true`) or comes. While it is gone the device does nothing. */
  setDisabled(disabled: boolean): void {
    this.#disabled = disabled;
  }

  /** The driver says that there is something in queue `index`. */
  kick(index: number): void {
    const queue = this.queues[index];
    if (queue?.enabled && !this.#broken && !this.#disabled) this.handle(queue);
  }

  interrupt(queue: Virtqueue): void {
    this.#isr |= Isr.Queue;
    this.#tell(queue.vector);
  }

  /** Reading the interrupt status clears it. */
  takeIsr(): number {
    const isr = this.#isr;
    this.#isr = 0;
    return isr;
  }

  /** Configuration space has changed. */
  protected configChanged(): void {
    if ((this.#status & DeviceStatus.DriverOk) === 0) return;
    this.#isr |= Isr.Queue | Isr.Config;
    this.#generation = (this.#generation + 1) & 0xff;
    this.#tell(this.configVector);
  }

  fail(text: string): void {
    if (this.#broken) return;
    this.context.warn(text);
    if (this.has(Feature.Version1)) {
      this.#status |= DeviceStatus.NeedsReset;
      this.configChanged();
    }
    this.#broken = true;
  }

  #tell(vector: number): void {
    if (!this.#broken) this.virtioBus.transport.interrupt(vector, this.#isr);
  }

  protected override onReset(): void | Promise<void> {
    this.driverReset();
  }

  protected saveVirtio(): VirtioState {
    return {
      features: [Number(this.#features & 0xffff_ffffn), Number(this.#features >> 32n)],
      status: this.#status,
      isr: this.#isr,
      generation: this.#generation,
      queueSelect: this.queueSelect,
      configVector: this.configVector,
      broken: this.#broken,
      disabled: this.#disabled,
      queues: this.queues.map((queue) => queue.save()),
    };
  }

  protected loadVirtio(state: VirtioState): void {
    this.driverReset();
    const [low, high] = state.features;
    this.#features = (BigInt(high >>> 0) << 32n | BigInt(low >>> 0)) & this.#hostFeatures;
    this.#status = state.status & 0xff;
    this.#isr = state.isr & 3;
    this.#generation = state.generation & 0xff;
    this.queueSelect = Math.min(state.queueSelect >>> 0, MAX_QUEUES - 1);
    this.configVector = state.configVector & 0xffff;
    this.#broken = state.broken;
    this.#disabled = state.disabled;
    for (const [index, queue] of this.queues.entries()) {
      const saved = state.queues[index];
      if (saved !== undefined) queue.load(saved);
    }
  }
}
