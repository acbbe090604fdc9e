/**
 * Transactions and reopening that fail under a guest that writes: graph, nodes, bitmaps and images are as before, whichever
 * change comes first, and no write of the guest is missing from disk or bitmap.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { IoVector } from "../../base/io_vector.ts";
import { SeededRandom } from "../../base/random.ts";
import { nextTurn } from "../../base/turn.ts";
import { type BlockBackend, BlockError, type OptionTree } from "../../block/mod.ts";
import { Vm } from "../../monitor/mod.ts";
import type { QmpData } from "../../monitor/vm/qmp.ts";
import { must } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const DISK_BYTES = 4 * 1024 * 1024;
const UNIT_BYTES = 65536;

type Action = QmpData<"transaction">["actions"][number];

/** A machine with disks, bitmaps, and a guest at work. */
class Scene implements AsyncDisposable {
  readonly vm: Vm;
  readonly drive: BlockBackend;
  readonly model: Uint8Array = new Uint8Array(DISK_BYTES);
  /** Units that were written since bitmap `b` was made. */
  readonly written: Set<number> = new Set();
  readonly #random = new SeededRandom(5);
  #stop = false;
  #running: Promise<void> | undefined;

  private constructor(vm: Vm) {
    this.vm = vm;
    this.drive = vm.machine.backends.find("d0")!;
  }

  static async over(temp: TempFolder): Promise<Scene> {
    const image = (name: string) => temp.file(name);
    await must("qemu-img", ["create", "-q", "-f", "qcow2", image("base"), "4M"]);
    await must("qemu-img", ["create", "-q", "-f", "qcow2", "-b", image("base"), "-F", "qcow2", image("top")]);
    for (const name of ["t", "e"]) await must("qemu-img", ["create", "-q", "-f", "qcow2", image(name), "4M"]);
    const opened = (name: string) => `qcow2,node-name=${name},file.driver=file,file.filename=${image(name)}`;
    const vm = await Vm.start({
      nodefaults: true,
      memory: 16,
      paused: true,
      drives: [`if=none,id=d0,node-name=top,file=${image("top")},format=qcow2`],
      blockdevs: [opened("t"), opened("e"), "null-co,node-name=n,size=4194304,read-zeroes=on"],
    });
    const bitmap = { node: "top", granularity: UNIT_BYTES };
    await vm.qmp("block-dirty-bitmap-add", { ...bitmap, name: "b" });
    await vm.qmp("block-dirty-bitmap-add", { ...bitmap, name: "off", disabled: true });
    await vm.qmp("block-dirty-bitmap-add", { ...bitmap, name: "kept", persistent: true });
    return new Scene(vm);
  }

  work(): void {
    this.#running = (async () => {
      while (!this.#stop) {
        const at = this.#random.below(DISK_BYTES / 512 - 16) * 512;
        const bytes = new Uint8Array(8192).fill(this.#random.below(255) + 1);
        await this.drive.write(at, IoVector.of(bytes));
        this.model.set(bytes, at);
        for (let unit = Math.floor(at / UNIT_BYTES); unit * UNIT_BYTES < at + 8192; unit++) this.written.add(unit);
        await nextTurn();
      }
    })();
  }

  /** All that must not change; what the guest does meanwhile left out. */
  async state(): Promise<unknown> {
    const nodes = await this.vm.qmp("query-named-block-nodes", { flat: true });
    return {
      graph: await this.vm.qmp("x-debug-query-block-graph", {}),
      nodes: nodes.map(({ image, "dirty-bitmaps": bitmaps, ...node }) => ({
        ...node,
        image: { ...image, "actual-size": 0, "virtual-size": node.drv === "file" ? 0 : image["virtual-size"] },
        bitmaps: bitmaps?.map(({ count: _, ...one }) => one),
      })),
      jobs: await this.vm.qmp("query-jobs", {}),
      off: await this.vm.qmp("x-debug-block-dirty-bitmap-sha256", { node: "top", name: "off" }),
    };
  }

  async finish(): Promise<void> {
    this.#stop = true;
    await this.#running;
    const found = new Uint8Array(DISK_BYTES);
    await this.drive.read(0, IoVector.of(found));
    assertEquals(found.findIndex((byte, at) => byte !== this.model[at]), -1);
    const { bitmaps } = this.drive.node!;
    for (const name of ["b", "kept"]) {
      const bitmap = bitmaps.find((one) => one.name === name)!;
      for (const unit of this.written) assert(bitmap.has(unit * UNIT_BYTES), `${name} misses unit ${unit}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop = true;
    await this.#running?.catch(() => {});
    await this.vm[Symbol.asyncDispose]();
  }
}

const bitmap = (name: string) => ({ node: "top", name });

function actionsIn(temp: TempFolder): readonly Action[] {
  return [
    { type: "block-dirty-bitmap-add", data: { ...bitmap("new"), persistent: true } },
    { type: "block-dirty-bitmap-disable", data: bitmap("b") },
    { type: "block-dirty-bitmap-clear", data: bitmap("b") },
    { type: "block-dirty-bitmap-enable", data: bitmap("off") },
    { type: "block-dirty-bitmap-merge", data: { node: "top", target: "off", bitmaps: ["b"] } },
    { type: "block-dirty-bitmap-remove", data: bitmap("kept") },
    { type: "blockdev-snapshot-internal-sync", data: { device: "d0", name: "i" } },
    { type: "blockdev-backup", data: { device: "top", target: "e", sync: "full", "job-id": "j" } },
    {
      type: "drive-backup",
      data: { device: "top", target: temp.file("d"), format: "qcow2", sync: "none", "job-id": "k" },
    },
    { type: "blockdev-snapshot", data: { node: "top", overlay: "t" } },
    {
      type: "blockdev-snapshot-sync",
      data: { "node-name": "t", "snapshot-file": temp.file("s"), "snapshot-node-name": "s" },
    },
  ];
}

const ABORT: Action = { type: "abort", data: {} };

Deno.test("a transaction that fails at its end takes each change back under a writing guest, by itself and all", async () => {
  await using temp = await TempFolder.make();
  await using scene = await Scene.over(temp);
  scene.work();
  const actions = actionsIn(temp);
  // An overlay of an overlay only makes sense after the first, and a disk is backed up once at a time.
  const alone = actions.slice(0, -1).map((action) => [action]);
  const isBackup = ({ type }: Action) => type.endsWith("-backup");
  const together = actions.filter((action) => !isBackup(action));
  const bitmaps = actions.filter(({ type }) => type.startsWith("block-dirty"));
  const rows = [...alone, together, together.slice(6), [...bitmaps].reverse()];
  rows.push(...actions.filter(isBackup).map((action) => [...bitmaps, action]));
  for (const some of rows) {
    const before = await scene.state();
    const failure = await assertRejects(() => scene.vm.qmp("transaction", { actions: [...some, ABORT] }), Error);
    assertEquals(failure.message, "Transaction aborted using Abort action", some.map(({ type }) => type).join());
    assertEquals(await scene.state(), before, some.map(({ type }) => type).join());
  }
  await scene.finish();
});

Deno.test("reopening that fails at its last node leaves all as it was under a writing guest", async () => {
  await using temp = await TempFolder.make();
  await using scene = await Scene.over(temp);
  const { vm } = scene;
  scene.work();
  const top = { driver: "qcow2", "node-name": "top", file: { driver: "file", filename: temp.file("top") } };
  const changes: readonly OptionTree[] = [
    { backing: null },
    { backing: "e" },
    { backing: "e", "detect-zeroes": "on", cache: { "no-flush": true } },
    { backing: "e", "lazy-refcounts": true, "l2-cache-entry-size": 4096, "overlap-check": "all" },
  ];
  // Another image has that file and shares it with no writer: only seen when it is tried.
  const file = vm.machine.graph.find("e")!.child("file")!.name;
  const conflict = { driver: "qcow2", "node-name": "t", file };
  for (const change of changes) {
    const before = await scene.state();
    const failure = await assertRejects(() =>
      vm.qmp("blockdev-reopen", { options: [{ ...top, ...change }, conflict] })
    );
    assertMatch((failure as Error).message, /^Permission conflict on node/);
    assertEquals(await scene.state(), before);
  }
  // And one whose options fail when they are taken, after the flags and options of the other have changed.
  const { driver } = vm.machine.graph.find("n")!;
  const failing = new BlockError({ kind: "state", text: "no options today" });
  Object.defineProperty(driver, "reopening", { value: { options: [], prepare: () => () => Promise.reject(failing) } });
  const last = { driver: "null-co", "node-name": "n", size: DISK_BYTES, "read-zeroes": true };
  for (const change of changes) {
    const before = await scene.state();
    const failure = await assertRejects(() => vm.qmp("blockdev-reopen", { options: [{ ...top, ...change }, last] }));
    assertEquals((failure as Error).message, "no options today");
    assertEquals(await scene.state(), before);
  }
  await scene.finish();
});
