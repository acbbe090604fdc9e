/**
 * The machine protocol side by side: the same requests to moa and to the real program, every line compared.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { haveProgram, must } from "../support/programs.ts";
import { qmpDialogue } from "../support/qmp_dialogue.ts";
import { TempFolder } from "../support/temp.ts";

const QEMU = "qemu-system-x86_64";

/** A request as one line. */
function ask(execute: string, data?: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(data === undefined ? { execute } : { execute, arguments: data });
}

interface Dialogue {
  readonly name: string;
  /** Images to be made: arguments of `qemu-img create`. */
  readonly images?: readonly string[];
  readonly args: readonly string[];
  readonly requests: readonly string[];
}

const tray = (verb: string, id: string) => ask(`blockdev-${verb}-tray`, { id });
const insert = (id: string, node: string) => ask("blockdev-insert-medium", { id, "node-name": node });
const prompt = (line: string) => ask("human-monitor-command", { "command-line": line });
const NO_RATES = { bps: 0, bps_rd: 0, bps_wr: 0, iops: 0, iops_rd: 0, iops_wr: 0 };
const limit = (data: Readonly<Record<string, unknown>>) => ask("block_set_io_throttle", { ...NO_RATES, ...data });
const remove = (id: string) => ask("blockdev-remove-medium", { id });

const DIALOGUES: readonly Dialogue[] = [
  {
    name: "drives and nodes are told member by member",
    images: ["-f qcow2 base.qcow2 1M", "-f qcow2 -b base.qcow2 -F qcow2 top.qcow2"],
    args: "-drive file=top.qcow2,id=d0,if=none -device ide-hd,drive=d0 -device ide-cd,id=cd0".split(" "),
    requests: [
      ask("query-block"),
      ask("query-named-block-nodes"),
      ask("query-named-block-nodes", { flat: true }),
      ask("query-blockstats"),
      ask("query-blockstats", { "query-nodes": true }),
      ask("query-name"),
      ask("query-uuid"),
      ask("block_resize", { device: "d0", size: -1 }),
      ask("block_resize", { device: "d0", size: 513 }),
      ask("block_resize", { device: "d0", size: 2097152 }),
      ask("query-block"),
    ],
  },
  {
    name: "trays and media",
    images: ["-f qcow2 disk.qcow2 1M", "-f raw cd.raw 1M"],
    args: [
      ...["-drive", "file=disk.qcow2,id=d0,if=none,node-name=disk", "-device", "ide-hd,drive=d0,id=hd0"],
      ...["-device", "ide-cd,id=cd0", "-blockdev", "null-co,node-name=n0,size=1048576,read-only=on"],
    ],
    requests: [
      tray("open", "cd0"),
      tray("open", "cd0"),
      insert("cd0", "zz"),
      insert("cd0", "n0"),
      insert("cd0", "n0"),
      tray("close", "cd0"),
      ask("query-block"),
      remove("cd0"),
      tray("close", "hd0"),
      tray("open", "hd0"),
      remove("hd0"),
      insert("hd0", "disk"),
      ask("eject", { id: "hd0" }),
      ask("eject", { device: "d0" }),
      ask("eject", {}),
      ask("eject", { device: "x", id: "y" }),
      ask("eject", { id: "nosuch" }),
      ask("eject", { id: "cd0" }),
      ask("eject", { id: "cd0", force: true }),
      remove("cd0"),
      ask("blockdev-change-medium", { id: "cd0", filename: "nosuch.raw" }),
      ask("blockdev-change-medium", { id: "cd0", filename: "cd.raw", format: "raw", "read-only-mode": "read-only" }),
      tray("open", "nosuch"),
      ask("blockdev-del", { "node-name": "n0" }),
      ask("blockdev-del", { "node-name": "disk" }),
    ],
  },
  {
    name: "nodes and bitmaps, and what is refused",
    images: ["-f qcow2 disk.qcow2 1M"],
    args: [],
    requests: [
      ask("blockdev-add", { driver: "null-co", "node-name": "n0", size: 1048576 }),
      ask("blockdev-add", { driver: "raw", "node-name": "r0", file: "n0" }),
      ask("blockdev-add", { driver: "raw", "node-name": "r0", file: "n0" }),
      ask("blockdev-add", { driver: "qcow2", "node-name": "q0", file: { driver: "file", filename: "disk.qcow2" } }),
      ask("blockdev-add", { driver: "qcow2", "node-name": "q1", file: { driver: "file", filename: "nosuch.qcow2" } }),
      ask("blockdev-add", { driver: "nosuch", "node-name": "x" }),
      ask("blockdev-add", { driver: "file", "node-name": "x" }),
      ask("blockdev-add", { driver: "null-co" }),
      ask("blockdev-add", { driver: "null-co", "node-name": "1x" }),
      ask("blockdev-add", { driver: "raw", "node-name": "x", file: 5 }),
      ask("blockdev-add", { driver: "raw", "node-name": "x", file: { driver: "null-co", size: "x" } }),
      ask("blockdev-add", { driver: "raw", "node-name": "x", file: { driver: "null-co", foo: 1 } }),
      ask("block-dirty-bitmap-add", { node: "q0", name: "a" }),
      ask("block-dirty-bitmap-add", { node: "q0", name: "a" }),
      ask("block-dirty-bitmap-add", { node: "q0", name: "b", persistent: true, disabled: true, granularity: 512 }),
      ask("block-dirty-bitmap-add", { node: "q0", name: "c", granularity: 513 }),
      ask("block-dirty-bitmap-add", { node: "q0", name: "" }),
      ask("block-dirty-bitmap-add", { node: "n0", name: "c", persistent: true }),
      ask("block-dirty-bitmap-add", { node: "nosuch", name: "c" }),
      ask("query-named-block-nodes", { flat: true }),
      ask("x-debug-block-dirty-bitmap-sha256", { node: "q0", name: "a" }),
      ask("block-dirty-bitmap-merge", { node: "q0", target: "a", bitmaps: ["b", { node: "q0", name: "zz" }] }),
      ask("block-dirty-bitmap-merge", { node: "q0", target: "a", bitmaps: ["b", { node: "q0", name: "b" }] }),
      ask("block-dirty-bitmap-enable", { node: "q0", name: "b" }),
      ask("block-dirty-bitmap-disable", { node: "q0", name: "a" }),
      ask("block-dirty-bitmap-clear", { node: "q0", name: "nosuch" }),
      ask("block-dirty-bitmap-remove", { node: "nosuch", name: "b" }),
      ask("block-dirty-bitmap-remove", { node: "q0", name: "b" }),
      ask("query-named-block-nodes"),
      ask("blockdev-del", { "node-name": "n0" }),
      ask("blockdev-del", { "node-name": "nosuch" }),
      ask("blockdev-del", { "node-name": "r0" }),
      ask("blockdev-del", { "node-name": "n0" }),
      prompt("info status"),
      prompt("foo bar"),
      ask("human-monitor-command", { "command-line": "info status", "cpu-index": 1 }),
      "nonsense",
    ],
  },
  {
    name: "limits of drives and groups",
    images: ["-f qcow2 disk.qcow2 1M", "-f raw other.raw 1M"],
    args: [
      ...["-drive", "file=disk.qcow2,if=none,id=d0,bps=1000,bps_max=2000,throttling.bps-total-max-length=3"],
      ...["-drive", "file=other.raw,format=raw,if=none,id=e0,iops=10,group=h", "-drive", "if=none,id=cd0"],
    ],
    requests: [
      ask("query-block"),
      limit({ device: "d0" }),
      limit({ device: "zz" }),
      limit({}),
      limit({ device: "d0", iops: 5, group: "g" }),
      limit({ device: "e0", iops: 7, group: "g" }),
      ask("query-block"),
      limit({ device: "d0", iops: 5, iops_max: 50, iops_max_length: 3, iops_size: 4096 }),
      limit({ device: "d0", iops: 5, bps_rd: -1 }),
      limit({ device: "d0", iops: 5, iops_max_length: 3 }),
      limit({ device: "d0", iops: 5, iops_rd: 3 }),
      limit({ device: "d0", iops: 5, iops_max: 3 }),
      limit({ device: "d0", iops_size: 512 }),
      limit({ device: "cd0", iops: 5 }),
      ask("query-block"),
      limit({ device: "d0" }),
      ask("query-block"),
      prompt("info block"),
      prompt("block_set_io_throttle d0 100 0 0 5 0 0"),
      prompt("block_set_io_throttle d0 100 5 0 5 0 0"),
      prompt("block_set_io_throttle d0 -1 0 0 0 0 0"),
      prompt("block_set_io_throttle zz 0 0 0 0 0 0"),
      prompt("block_set_io_throttle cd0 0 0 0 0 0 0"),
      prompt("block_set_io_throttle d0 1"),
      prompt("info block"),
    ],
  },
];

for (const { name, images = [], args, requests } of DIALOGUES) {
  Deno.test({
    name: `QMP as QEMU's: ${name}`,
    ignore: !haveProgram(QEMU),
    async fn() {
      const sides = await Promise.all([QEMU, "moa"].map(async (program) => {
        await using temp = await TempFolder.make();
        for (const image of images) await must("qemu-img", ["create", "-q", ...image.split(" ")], { cwd: temp.path });
        const all = ["-accel", "tcg", "-S", "-display", "none", "-nodefaults", ...args, "-qmp", "stdio"];
        return await qmpDialogue(program, { name: QEMU, args: all, folder: temp.path }, requests);
      }));
      const [theirs, ours] = sides as [typeof sides[0], typeof sides[0]];
      for (let i = 0; i < requests.length; i++) assertEquals(ours[i], theirs[i]);
    },
  });
}
