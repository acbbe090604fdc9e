/**
 * A guest's virtio-blk driver: reads, writes, flushes, discards; many requests under way at once.
 *
 * It speaks the legacy interface or that of version 1, over split or packed rings, and waits by the interrupt pin, by
 * messages or by looking. Every call may be given a signal, which is how a wait gets a time limit.
 *
 * ```ts
 * import { guestBus } from "../mod.ts";
 * import { VirtioBlkGuest } from "./mod.ts";
 * import { testPc } from "../testing.ts";
 * import { assertEquals } from "@std/assert";
 *
 * const file = await Deno.makeTempFile();
 * await Deno.truncate(file, 1 << 20);
 * {
 *   await using pc = await testPc({ drives: [{ name: "d", file, format: "raw" }] });
 *   await pc.machine.addDevice({ driver: "virtio-blk-pci", properties: [["drive", "d"]] });
 *   const [disk] = await VirtioBlkGuest.detect(guestBus(pc.machine));
 *   await disk!.write(8, new Uint8Array(512).fill(0x5a));
 *   assertEquals((await disk!.read(8, 1))[0], 0x5a);
 * }
 * await Deno.remove(file);
 * ```
 *
 * Source: [VIRTIO 1.2] 3.1.1 "Device Initialization", 5.2 "Block Device".
 *
 * @module
 */
import type { GuestBus } from "./bus.ts";
import type { DmaArea } from "./ide_channel.ts";
import { assignPci, type PciFunction, scanPci } from "./pci.ts";
import {
  type VirtioBlkCall,
  type VirtioBlkConfig,
  VirtioBlkError,
  type VirtioBlkOptions,
  type VirtioBlkTransfer,
  VirtioBlkType,
} from "./virtio_blk_types.ts";
import { VIRTIO_VENDOR, VirtioFeature, VirtioStatus, type VirtioTransport, virtioTransport } from "./virtio_pci.ts";
import {
  CHAIN_BUFFERS,
  type DriverRing,
  PackedDriverRing,
  ringBytes,
  type SlotChain,
  SplitDriverRing,
} from "./virtio_ring.ts";

export * from "./virtio_blk_types.ts";

const DEFAULT_AREA: DmaArea = { address: 0xa0_0000, sizeBytes: 0x20_0000 };
const DEFAULT_DEPTH = 16;
const DEFAULT_LINE = 11;
const SECTOR = 512;
const PAGE_BYTES = 4096;
const HEADER_BYTES = 16;
const DEVICES: readonly number[] = [0x1001, 0x1042];
const Feature = { ReadOnly: 5, Flush: 9, ConfigWce: 11, MultiQueue: 12, Discard: 13, WriteZeroes: 14 } as const;
const CONFIG_BYTES = 36;
const WRITEBACK_OFFSET = 32;
/** What a chain holds before its slot has been used: nothing that a status could be. */
const NO_STATUS = 0xff;

interface Slot {
  readonly index: number;
  readonly dataAddress: number;
}

/** One queue: its ring, and memory for each request under way. */
class DriverQueue {
  readonly index: number;
  readonly ring: DriverRing;
  readonly slots: readonly Slot[];
  readonly headers: number;
  readonly statuses: number;
  readonly maxBytes: number;
  readonly headerBytes: Uint8Array;
  readonly #chains: SlotChain[] = [];

  constructor(index: number, ring: DriverRing, area: DmaArea, depth: number) {
    this.index = index;
    this.ring = ring;
    this.headers = area.address;
    this.statuses = area.address + depth * HEADER_BYTES;
    this.headerBytes = new Uint8Array(depth * HEADER_BYTES);
    const data = area.address + Math.ceil(depth * (HEADER_BYTES + 1) / PAGE_BYTES) * PAGE_BYTES;
    const left = area.address + area.sizeBytes - data;
    this.maxBytes = Math.floor(left / depth / PAGE_BYTES) * PAGE_BYTES;
    this.slots = Array.from({ length: depth }, (_, i) => ({ index: i, dataAddress: data + i * this.maxBytes }));
  }

  /** The chain of a transfer in slot `index`; the last one again where nothing has changed. */
  transferChain(index: number, write: boolean, lengthBytes: number): SlotChain {
    const known = this.#chains[index];
    const data = known?.buffers[1];
    if (known !== undefined && data?.write === write && data.lengthBytes === lengthBytes) return known;
    return this.#chains[index] = {
      slot: index,
      buffers: [
        { address: this.headers + index * HEADER_BYTES, lengthBytes: HEADER_BYTES, write: false },
        { address: this.slots[index]!.dataAddress, lengthBytes, write },
        { address: this.statuses + index, lengthBytes: 1, write: true },
      ],
    };
  }
}

/** A disk. Addresses and counts are sectors of 512 bytes. One call at a time on each queue. */
export class VirtioBlkGuest {
  readonly function: PciFunction;
  readonly transport: VirtioTransport;
  /** What driver and device agreed on. */
  readonly features: bigint;
  readonly #bus: GuestBus;
  readonly #queues: readonly DriverQueue[];
  readonly #wait: "poll" | "pin" | "messages";
  readonly #line: number;
  readonly #messages: number;

  private constructor(
    fn: PciFunction,
    transport: VirtioTransport,
    features: bigint,
    queues: readonly DriverQueue[],
    wait: "poll" | "pin" | "messages",
    line: number,
    messages: number,
  ) {
    this.function = fn;
    this.transport = transport;
    this.features = features;
    this.#bus = fn.bus;
    this.#queues = queues;
    this.#wait = wait;
    this.#line = line;
    this.#messages = messages;
  }

  /**
   * Starts a driver for every virtio disk; base addresses are given out where firmware has not. Disks share the area
   * in equal parts.
   */
  static async detect(bus: GuestBus, options: VirtioBlkOptions = {}): Promise<VirtioBlkGuest[]> {
    const present = await scanPci(bus);
    const functions = present.filter(({ vendor, device }) => vendor === VIRTIO_VENDOR && DEVICES.includes(device));
    await assignPci(functions, present);
    const area = options.area ?? DEFAULT_AREA;
    const share = Math.floor(area.sizeBytes / Math.max(1, functions.length) / PAGE_BYTES) * PAGE_BYTES;
    const disks: VirtioBlkGuest[] = [];
    for (const [i, fn] of functions.entries()) {
      const part = { address: area.address + i * share, sizeBytes: share };
      disks.push(await VirtioBlkGuest.start(fn, { ...options, area: part }));
    }
    return disks;
  }

  /**
   * Starts a driver for `fn`, whose base addresses are assigned: [VIRTIO 1.2] 3.1.1.
   *
   * @throws {RangeError} where it does not speak the interface, or the area is too small
   */
  static async start(fn: PciFunction, options: VirtioBlkOptions = {}): Promise<VirtioBlkGuest> {
    const { bus } = fn;
    const area = options.area ?? DEFAULT_AREA;
    const { wait = "poll", line = DEFAULT_LINE, depth = DEFAULT_DEPTH } = options;
    await fn.enable();
    if (wait === "pin") await fn.routePin(line);
    // Messages land in the first page.
    await bus.writeMemory(area.address, new Uint8Array(PAGE_BYTES));
    const messages = wait === "messages" ? await fn.enableMessages(area.address) : 0;
    const transport = await virtioTransport(fn, options.interface, messages > 0);
    await reset(transport, bus);
    await transport.setStatus(VirtioStatus.Acknowledge);
    await transport.setStatus(VirtioStatus.Acknowledge | VirtioStatus.Driver);
    const features = wanted(await transport.offered(), transport.kind, options);
    await transport.accept(features);
    let status: number = VirtioStatus.Acknowledge | VirtioStatus.Driver;
    if (transport.kind === "modern") {
      status |= VirtioStatus.FeaturesOk;
      await transport.setStatus(status);
      if ((await transport.status() & VirtioStatus.FeaturesOk) === 0) throw new RangeError("features are refused");
    }
    if (messages > 0) await transport.setConfigVector(0);
    const count = has(features, Feature.MultiQueue) ? (await transport.read(34, 2))[0]! : 1;
    const rest = { address: area.address + PAGE_BYTES, sizeBytes: area.sizeBytes - PAGE_BYTES };
    const queues: DriverQueue[] = [];
    for (let index = 0; index < count; index++) {
      const queue = await makeQueue(transport, bus, index, part(rest, index, count), depth, features, wait !== "poll");
      await queue.ring.prepare();
      await transport.setQueue(index, queue.ring.addresses, messages > index + 1 ? index + 1 : undefined);
      queues.push(queue);
    }
    await transport.setStatus(status | VirtioStatus.DriverOk);
    return new VirtioBlkGuest(fn, transport, features, queues, wait, line, area.address);
  }

  /** The most bytes of one request. */
  get maxBytes(): number {
    return this.#queues[0]!.maxBytes;
  }

  /** How many queues there are. */
  get queues(): number {
    return this.#queues.length;
  }

  get readOnly(): boolean {
    return has(this.features, Feature.ReadOnly);
  }

  /** The configuration as it is now. */
  async config(): Promise<VirtioBlkConfig> {
    const bytes = await this.transport.read(0, CONFIG_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return {
      sectors: view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32,
      segMax: view.getUint32(12, true),
      blockBytes: view.getUint32(20, true),
      writeback: bytes[WRITEBACK_OFFSET] !== 0,
      queues: view.getUint16(34, true),
      bytes,
    };
  }

  /** Switches the write cache. */
  async setWriteback(on: boolean): Promise<void> {
    await this.transport.write(WRITEBACK_OFFSET, new Uint8Array([on ? 1 : 0]));
  }

  /** Reads. @throws VirtioBlkError */
  async read(lba: number, sectors: number, call: VirtioBlkCall = {}): Promise<Uint8Array> {
    const bytes = new Uint8Array(sectors * SECTOR);
    await this.#each("read", lba, bytes.length, call, async (slot, offset, lengthBytes) => {
      bytes.set(await this.#bus.readMemory(slot.dataAddress, lengthBytes), offset);
    });
    return bytes;
  }

  /** Writes whole sectors. @throws VirtioBlkError */
  async write(lba: number, bytes: Uint8Array, call: VirtioBlkCall = {}): Promise<void> {
    if (bytes.length % SECTOR !== 0) throw new RangeError(`${bytes.length} bytes are no whole sectors`);
    await this.#each("write", lba, bytes.length, call, async (slot, offset, lengthBytes) => {
      await this.#bus.writeMemory(slot.dataAddress, bytes.subarray(offset, offset + lengthBytes));
    });
  }

  /** Makes all that was written durable. @throws VirtioBlkError */
  async flush(call: VirtioBlkCall = {}): Promise<void> {
    await this.#single("flush", VirtioBlkType.Flush, 0, call);
  }

  /** The serial number. @throws VirtioBlkError */
  async identify(call: VirtioBlkCall = {}): Promise<string> {
    const bytes = await this.#single("get id", VirtioBlkType.GetId, 20, call);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  /** Says that an area is of no further use. @throws VirtioBlkError */
  async discard(lba: number, sectors: number, call: VirtioBlkCall = {}): Promise<void> {
    await this.#single("discard", VirtioBlkType.Discard, rangeOf(lba, sectors, 0), call);
  }

  /** Writes zeroes; with `unmap` the space may be given back. @throws VirtioBlkError */
  async writeZeroes(lba: number, sectors: number, how: VirtioBlkCall & { unmap?: boolean } = {}): Promise<void> {
    await this.#single("write zeroes", VirtioBlkType.WriteZeroes, rangeOf(lba, sectors, how.unmap ? 1 : 0), how);
  }

  /**
   * Makes requests, no more than the depth, all under way at once. Their data stays in guest memory: request `i`'s is at
   * {@link dataAddress}`(i)`. @returns the status of each
   */
  async transfer(requests: readonly VirtioBlkTransfer[], call: VirtioBlkCall = {}): Promise<Uint8Array> {
    const queue = this.#queues[call.queue ?? 0]!;
    const view = new DataView(queue.headerBytes.buffer);
    const chains = requests.map(({ kind, sector, lengthBytes }, i) => {
      putHeader(view, i * HEADER_BYTES, kind === "read" ? VirtioBlkType.In : VirtioBlkType.Out, sector);
      return queue.transferChain(i, kind === "read", lengthBytes);
    });
    await this.#bus.writeMemory(queue.headers, queue.headerBytes);
    await this.#run(queue, chains, call.signal);
    return await this.#bus.readMemory(queue.statuses, requests.length);
  }

  /** Where the data of request `index` of a {@link transfer} is. */
  dataAddress(index: number, queue = 0): number {
    return this.#queues[queue]!.slots[index]!.dataAddress;
  }

  /** Waits until the device says that its configuration has changed. */
  async configChange(signal?: AbortSignal): Promise<void> {
    for (;;) {
      if (this.#wait === "messages" && await this.#takeMessage(0)) return;
      if (this.#wait !== "messages" && (await this.transport.isr() & 2) !== 0) return;
      signal?.throwIfAborted();
      await this.#bus.pause();
    }
  }

  /** Resets the device; this driver is of no further use then. */
  async reset(): Promise<void> {
    await reset(this.transport, this.#bus);
  }

  /** Cuts a transfer into requests, as many at once as the depth lets. */
  async #each(
    kind: "read" | "write",
    lba: number,
    totalBytes: number,
    call: VirtioBlkCall,
    move: (slot: Slot, offset: number, lengthBytes: number) => Promise<void>,
  ): Promise<void> {
    const queue = this.#queues[call.queue ?? 0]!;
    for (let at = 0; at < totalBytes;) {
      const requests: VirtioBlkTransfer[] = [];
      const begin = at;
      for (; at < totalBytes && requests.length < queue.slots.length;) {
        const lengthBytes = Math.min(queue.maxBytes, totalBytes - at);
        requests.push({ kind, sector: lba + at / SECTOR, lengthBytes });
        at += lengthBytes;
      }
      const data = async () => {
        for (const [i, { lengthBytes }] of requests.entries()) {
          await move(queue.slots[i]!, begin + i * queue.maxBytes, lengthBytes);
        }
      };
      if (kind === "write") await data();
      for (const status of await this.transfer(requests, call)) check(kind, status);
      if (kind === "read") await data();
    }
  }

  /** One request with `payload` to be read by the device, or as many bytes to be written by it. @returns what it wrote */
  async #single(what: string, type: number, payload: Uint8Array | number, call: VirtioBlkCall): Promise<Uint8Array> {
    const queue = this.#queues[call.queue ?? 0]!;
    const [slot] = queue.slots as [Slot];
    const header = new Uint8Array(HEADER_BYTES);
    putHeader(new DataView(header.buffer), 0, type, 0);
    await this.#bus.writeMemory(queue.headers, header);
    const write = typeof payload === "number";
    const lengthBytes = write ? payload : payload.length;
    if (!write) await this.#bus.writeMemory(slot.dataAddress, payload);
    const buffers = [
      { address: queue.headers, lengthBytes: HEADER_BYTES, write: false },
      ...(lengthBytes === 0 ? [] : [{ address: slot.dataAddress, lengthBytes, write }]),
      { address: queue.statuses, lengthBytes: 1, write: true },
    ];
    await this.#bus.writeMemory(queue.statuses, new Uint8Array([NO_STATUS]));
    await this.#run(queue, [{ slot: 0, buffers }], call.signal);
    check(what, (await this.#bus.readMemory(queue.statuses, 1))[0]!);
    return write ? await this.#bus.readMemory(slot.dataAddress, lengthBytes) : new Uint8Array(0);
  }

  async #run(
    queue: DriverQueue,
    chains: readonly SlotChain[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (await queue.ring.submit(chains)) await this.transport.kick(queue.index);
    for (let back = 0; back < chains.length;) {
      const used = await queue.ring.collect();
      back += used.length;
      if (used.length === 0) await this.#pause(queue, signal);
    }
    // What was raised meanwhile is taken, so that the line is down for the next wait.
    if (this.#wait === "pin") await this.transport.isr();
  }

  async #pause(queue: DriverQueue, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if ((await this.transport.status() & VirtioStatus.NeedsReset) !== 0) throw new Error("the device needs a reset");
    if (this.#wait === "pin") {
      await this.#bus.waitForInterrupt(this.#line, signal);
      await this.transport.isr();
    } else if (this.#wait === "messages") {
      while (!await this.#takeMessage(queue.index + 1)) {
        signal?.throwIfAborted();
        await this.#bus.pause();
      }
    } else await this.#bus.pause();
  }

  async #takeMessage(vector: number): Promise<boolean> {
    const at = this.#messages + 4 * vector;
    const [byte] = await this.#bus.readMemory(at, 4);
    if (byte === 0) return false;
    await this.#bus.writeMemory(at, new Uint8Array(4));
    return true;
  }
}

function part(area: DmaArea, index: number, count: number): DmaArea {
  const sizeBytes = Math.floor(area.sizeBytes / count / PAGE_BYTES) * PAGE_BYTES;
  return { address: area.address + index * sizeBytes, sizeBytes };
}

async function makeQueue(
  transport: VirtioTransport,
  bus: GuestBus,
  index: number,
  area: DmaArea,
  depth: number,
  features: bigint,
  interrupts: boolean,
): Promise<DriverQueue> {
  const size = await transport.queueSize(index);
  if (depth * CHAIN_BUFFERS > size) {
    throw new RangeError(`a queue of ${size} entries has no room for ${depth} requests`);
  }
  const ringTakes = ringBytes(size, depth);
  const plan = {
    bus,
    address: area.address,
    size,
    slots: depth,
    indirect: has(features, VirtioFeature.IndirectDescriptors),
    eventIndex: has(features, VirtioFeature.EventIndex),
    interrupts,
  };
  const ring = has(features, VirtioFeature.RingPacked) ? new PackedDriverRing(plan) : new SplitDriverRing(plan);
  const rest = { address: area.address + ringTakes, sizeBytes: area.sizeBytes - ringTakes };
  const queue = new DriverQueue(index, ring, rest, depth);
  if (queue.maxBytes < PAGE_BYTES) throw new RangeError(`an area of ${area.sizeBytes} bytes is too small`);
  return queue;
}

async function reset(transport: VirtioTransport, bus: GuestBus): Promise<void> {
  await transport.setStatus(0);
  while (await transport.status() !== 0) await bus.pause();
}

/** What to take of what is offered. */
function wanted(offered: bigint, kind: "legacy" | "modern", options: VirtioBlkOptions): bigint {
  const take: number[] = [...Object.values(Feature)];
  if (options.indirect) take.push(VirtioFeature.IndirectDescriptors);
  if (options.eventIndex) take.push(VirtioFeature.EventIndex);
  if (options.packed) take.push(VirtioFeature.RingPacked);
  if (kind === "modern") take.push(VirtioFeature.Version1);
  const without = options.without ?? [];
  return take.filter((feature) => !without.includes(feature))
    .reduce((set, feature) => set | (offered & 1n << BigInt(feature)), 0n);
}

function has(features: bigint, feature: number): boolean {
  return (features >> BigInt(feature) & 1n) !== 0n;
}

function check(what: string, status: number): void {
  if (status !== 0) throw new VirtioBlkError(what, status);
}

function putHeader(view: DataView, at: number, type: number, sector: number): void {
  view.setUint32(at, type, true);
  view.setUint32(at + 4, 0, true);
  view.setUint32(at + 8, sector >>> 0, true);
  view.setUint32(at + 12, Math.floor(sector / 2 ** 32), true);
}

function rangeOf(lba: number, sectors: number, flags: number): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, lba >>> 0, true);
  view.setUint32(4, Math.floor(lba / 2 ** 32), true);
  view.setUint32(8, sectors, true);
  view.setUint32(12, flags, true);
  return bytes;
}
