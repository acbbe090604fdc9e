/**
 * Requests as a guest's driver makes them, over ports, memory and rings, without a CPU: what the devices themselves
 * cost. The drive is null-co, the clocks are the host's; data stays in guest memory, where the device puts it.
 *
 * @module
 */
import { HostClock } from "../../base/clocks.ts";
import { parseOptionPairs } from "../../base/keyval.ts";
import { HostRandom } from "../../base/random.ts";
import { TraceEvents } from "../../base/trace.ts";
import { guestBus, type Machine, wireMachine } from "../../machine/mod.ts";
import { type GuestBus, IdeGuest, VirtioBlkGuest, type VirtioBlkOptions } from "../../machine/guest/mod.ts";
import type { Benchmark } from "./harness.ts";

const REQUEST_BYTES = 4096;
const DISK_SECTORS = 2 ** 21;
const DEPTH = 16;
const VIRTIO_REQUESTS = 400_000;
const IDE_REQUESTS = 60_000;
/** Not counted: until then V8 has not compiled the path for good. */
const WARM_UP = 50_000;

/** Benchmarks of the controllers. */
export function guestBenchmarks(): Benchmark[] {
  return [
    virtio("virtio-blk", {}),
    virtio("virtio-blk, packed ring", { packed: true }),
    {
      name: "4 KiB reads by the guest driver, IDE DMA",
      unit: "1/s",
      target: 100_000,
      ours: () => withMachine("if=ide", readIde),
    },
  ];
}

function virtio(what: string, options: VirtioBlkOptions): Benchmark {
  return {
    name: `4 KiB reads by the guest driver, ${what}, depth ${DEPTH}`,
    unit: "1/s",
    target: 400_000,
    ours: () => withMachine("if=none,id=d", (bus) => readVirtio(bus, options)),
  };
}

async function withMachine(drive: string, work: (bus: GuestBus) => Promise<number>): Promise<number> {
  const realtime = new HostClock();
  const random = new HostRandom();
  const { machine } = await wireMachine({
    nodefaults: true,
    drives: [{ pairs: parseOptionPairs(`${drive},file=null-co://,format=raw,file.read-zeroes=off`).pairs }],
    devices: drive === "if=ide" ? [] : [{ pairs: parseOptionPairs("driver=virtio-blk-pci,drive=d,packed=on").pairs }],
  }, {
    clocks: { realtime, host: new HostClock({ sinceEpoch: true }) },
    random,
    trace: new TraceEvents(),
    warn: (text) => console.error(text),
    notice() {},
  });
  await using owned: Machine = machine;
  return await work(guestBus(owned));
}

/** Requests at scattered places, so that none lie side by side. */
function sectorOf(request: number): number {
  return (request * 7919 % (DISK_SECTORS / 8 - 1)) * 8;
}

async function readVirtio(bus: GuestBus, options: VirtioBlkOptions): Promise<number> {
  const [disk] = await VirtioBlkGuest.detect(bus, { ...options, depth: DEPTH });
  const requests = Array.from(
    { length: DEPTH },
    () => ({ kind: "read" as const, sector: 0, lengthBytes: REQUEST_BYTES }),
  );
  const read = async (count: number) => {
    for (let done = 0; done < count; done += DEPTH) {
      for (let i = 0; i < DEPTH; i++) requests[i]!.sector = sectorOf(done + i);
      const statuses = await disk!.transfer(requests);
      if (statuses.some((status) => status !== 0)) throw new Error("a read failed");
    }
  };
  return await rate(read, VIRTIO_REQUESTS);
}

async function readIde(bus: GuestBus): Promise<number> {
  const guest = await IdeGuest.detect(bus);
  const disk = guest.disk(0, 0);
  const read = async (count: number) => {
    for (let done = 0; done < count; done++) await disk.fetchDma(sectorOf(done), REQUEST_BYTES / 512);
  };
  return await rate(read, IDE_REQUESTS);
}

async function rate(read: (count: number) => Promise<void>, count: number): Promise<number> {
  await read(WARM_UP);
  const start = performance.now();
  await read(count);
  return count / (performance.now() - start) * 1000;
}
