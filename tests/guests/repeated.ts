/**
 * Linux in a machine of which nothing is left to chance: time goes by instructions, the time of day and RDRAND are
 * given, and the disks lie in memory, where each request takes as long as a seed says, on the machine's own clock.
 *
 * The guest works by itself, and tells by a port how far it is. There, and at each request, the machine is looked at.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { HostClock, ManualClock } from "../../base/clocks.ts";
import { SeededRandom } from "../../base/random.ts";
import { nextTurn } from "../../base/turn.ts";
import { MiB } from "../../base/units.ts";
import type { BlockDriver } from "../../block/mod.ts";
import { MemoryRegion } from "../../devices/bus/mod.ts";
import { V86Accelerator } from "../../machine/mod.ts";
import { Vm } from "../../mod.ts";
import {
  BOOT_LIMIT_MS,
  EXT4_MODULES,
  IDE_MODULES,
  initrd,
  type LinuxPackages,
  QUICK_BOOT,
  VIRTIO_MODULES,
} from "./linux.ts";

/** Nobody else listens there. */
const MARK_PORT = 0x680;
const DISK_BYTES = 24 * MiB;
const [SHORTEST_NS, LONGEST_NS] = [10_000, 500_000];

/** Modules, file systems, files of two writers at a time on two disks; a mark after each part. */
const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mark() { printf $1 | dd of=/dev/port bs=1 seek=${MARK_PORT} 2>/dev/null; }
mount -t proc proc /proc
mount -t devtmpfs dev /dev
for module in /modules/*; do insmod $module; done
mark a
date
cat /proc/sys/kernel/random/uuid
for disk in sda vda; do
  mkdir /mnt/$disk
  mke2fs /dev/$disk > /dev/null
  mount -t ext4 /dev/$disk /mnt/$disk
done
sync
mark b
for number in 1 2 3 4 5 6; do
  for disk in sda vda; do
    dd if=/bin/busybox of=/mnt/$disk/$number bs=7001 skip=$number count=60 2>/dev/null &
  done
  wait
  sync
done
mark c
umount /mnt/sda /mnt/vda
for disk in sda vda; do
  mount -t ext4 -r /dev/$disk /mnt/$disk
  cat /mnt/$disk/? | md5sum
done
mark d
while true; do sleep 1000; done
`;

/** The guest's initial RAM disk. */
export function repeatedInitrd(packages: LinuxPackages): Uint8Array {
  const init = { init: { bytes: INIT, mode: 0o755 } };
  return initrd(packages, [...IDE_MODULES, ...VIRTIO_MODULES, ...EXT4_MODULES], init);
}

/** A machine, and what was seen of it. */
export class RepeatedLinux implements AsyncDisposable {
  readonly vm: Vm;
  readonly #cpu: V86Accelerator;
  #log: string[] = [];
  #random = new SeededRandom(0);
  /** Requests that wait for their time to come. */
  readonly #waiting = new Set<() => void>();
  #mark: string | undefined;
  #writesToGo = Infinity;
  #reached: () => void = () => {};

  private constructor(vm: Vm) {
    this.vm = vm;
    const { accelerator, events, ports } = vm.machine;
    if (!(accelerator instanceof V86Accelerator)) throw new TypeError("this machine has no CPU");
    this.#cpu = accelerator;
    const port = MemoryRegion.io("mark", 1, {
      read: () => 0,
      write: (_at, _size, value) => this.#look(String.fromCharCode(value)),
    });
    ports.root.add(port, MARK_PORT, 1);
    events.on("request", ({ device, command, lba, bytes, result }) => {
      this.#note(`${device} ${command} ${lba} ${bytes} ${result}`);
    });
  }

  /** Starts it; it stands still. */
  static async make({ kernel }: LinuxPackages, initrd: string): Promise<RepeatedLinux> {
    const host = new ManualClock(Date.UTC(2026, 0, 2) * 1e6);
    const vm = await Vm.start({
      paused: true,
      kernel,
      initrd,
      append: QUICK_BOOT,
      memory: 48,
      vga: "none",
      icount: { shift: 3, sleep: false },
      seed: 1,
      clocks: { virtual: host, realtime: new HostClock(), host },
      drives: ["ide", "virtio"].map((bus) => `driver=memory,size=${DISK_BYTES},if=${bus},id=${bus},node-name=${bus}0`),
    });
    try {
      const linux = new RepeatedLinux(vm);
      for (const bus of ["ide", "virtio"]) await linux.#putImage(bus);
      return linux;
    } catch (error) {
      await vm[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** How long requests take from now on. */
  set seed(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  /** What was seen since this was last asked. */
  takeLog(): string[] {
    const log = this.#log;
    this.#log = [];
    return log;
  }

  /** Runs to `mark`, or to the n-th write from now on; then it stands still. */
  async run(until: { readonly mark: string } | { readonly writes: number }): Promise<void> {
    this.#mark = "mark" in until ? until.mark : undefined;
    this.#writesToGo = "writes" in until ? until.writes : Infinity;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#reached = () => resolve(true);
    await this.vm.cont();
    const limit = setTimeout(() => resolve(false), BOOT_LIMIT_MS);
    const reached = await promise;
    clearTimeout(limit);
    const stopping = this.vm.machine.stop();
    while (this.#cpu.running) await nextTurn();
    // The clock stands still, so their time would never come.
    for (const go of this.#waiting) go();
    await stopping;
    if (!reached) throw new Error(`the guest got nowhere; it said:\n${this.vm.serial.text}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.vm[Symbol.asyncDispose]();
  }

  /** A qcow2 image in memory on top of a drive's: one that a snapshot of the machine can be kept in. */
  async #putImage(bus: string): Promise<void> {
    const { vm } = this;
    const [file, image, id] = [`${bus}-file`, `${bus}-image`, `${bus}-make`];
    await vm.qmp("blockdev-add", { driver: "memory", "node-name": file });
    await vm.qmp("blockdev-create", { "job-id": id, options: { driver: "qcow2", file, size: DISK_BYTES } });
    await vm.until("the image is there", async () => {
      return (await vm.qmp("query-jobs", {})).some((job) => job.id === id && job.status === "concluded");
    });
    await vm.qmp("job-dismiss", { id });
    await vm.qmp("blockdev-add", { driver: "qcow2", "node-name": image, file, backing: null });
    await vm.qmp("blockdev-snapshot", { node: `${bus}0`, overlay: image });
    this.#slow(vm.machine.graph.find(image)!.driver);
  }

  #slow(driver: BlockDriver): void {
    const [read, write, flush] = [driver.read.bind(driver), driver.write.bind(driver), driver.flush.bind(driver)];
    driver.read = async (at, into) => {
      await this.#pass(`read ${at} ${into.length}`);
      await read(at, into);
    };
    driver.write = async (at, from, how) => {
      if (--this.#writesToGo === 0) this.#reached();
      await this.#pass(`write ${at} ${from.length}`);
      await write(at, from, how);
    };
    driver.flush = async () => {
      await this.#pass("flush");
      await flush();
    };
  }

  /** A request waits for its time to come, while the machine runs. */
  async #pass(what: string): Promise<void> {
    const { clock } = this.#cpu;
    if (!clock.going) return;
    this.#note(what);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.add(resolve);
    const timer = clock.setTimer(clock.nowNs() + SHORTEST_NS + this.#random.below(LONGEST_NS - SHORTEST_NS), resolve);
    await promise;
    timer.cancel();
    this.#waiting.delete(resolve);
  }

  #note(what: string): void {
    const { clock, core } = this.#cpu;
    this.#log.push(`${what} after ${core.instructions} instructions, ${clock.nowNs()} ns`);
  }

  #look(mark: string): void {
    const { core, cpu } = this.#cpu;
    const hash = createHash("sha1").update(core.ram);
    hash.update(JSON.stringify(cpu.registers(), (_key, value) => typeof value === "bigint" ? String(value) : value));
    this.#note(`mark ${mark}: ${hash.digest("hex")}`);
    if (mark === this.#mark) this.#reached();
  }
}
