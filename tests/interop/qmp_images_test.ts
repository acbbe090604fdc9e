/** Jobs that make images, change them and keep machines, side by side with the real program. @module */
import { ask, compareQmp, prompt } from "../support/qmp_side_by_side.ts";

type Data = Readonly<Record<string, unknown>>;

/** A job of one step, waited for, looked at and dismissed. */
function whole(execute: string, data: Data): string[] {
  return [
    ask(execute, { "job-id": "j", ...data }),
    "wait concluded",
    ask("query-jobs"),
    ask("job-dismiss", { id: "j" }),
  ];
}

const create = (options: Data) => whole("blockdev-create", { options });
const amend = (node: string, options: Data, more: Data = {}) =>
  whole("x-blockdev-amend", { "node-name": node, options, ...more });
const at = (filename: string) => ({ driver: "file", filename });
const QCOW2 = { driver: "qcow2", file: at("new.img") };
const MIB = 1048576;
const save = (tag: string, vmstate: string, devices: readonly string[]) =>
  whole("snapshot-save", { tag, vmstate, devices });
const load = (tag: string, vmstate: string, devices: readonly string[]) =>
  whole("snapshot-load", { tag, vmstate, devices });
const remove = (tag: string, devices: readonly string[]) => whole("snapshot-delete", { tag, devices });

compareQmp("images", [
  {
    name: "made by a job",
    before: ["qemu-img create -q -f raw held.raw 1M", "qemu-img create -q -f qcow2 base.q 1M"],
    args: "-blockdev file,filename=held.raw,node-name=held",
    requests: [
      ask("blockdev-create", { "job-id": "j", options: { driver: "null-co" } }),
      ask("blockdev-create", { "job-id": "j", options: { driver: "raw" } }),
      ask("blockdev-create", { "job-id": "j", options: { driver: "nosuch" } }),
      ask("blockdev-create", { "job-id": "1j", options: { ...at("x"), size: 512 } }),
      ask("blockdev-create", { "job-id": "j", options: { driver: "raw", size: 512 } }),
      ask("blockdev-create", { "job-id": "j", options: at("x") }),
      ask("blockdev-create", { "job-id": "j", options: { ...QCOW2, size: MIB, version: "v4" } }),
      ask("blockdev-create", { "job-id": "j", options: { ...QCOW2, size: MIB, file: 5 } }),
      ...create({ ...at("nosuch/x"), size: 512 }),
      ...create({ ...at("new.img"), size: 4096 }),
      ask("job-pause", { id: "j" }),
      ...create({ ...QCOW2, size: MIB, file: "nosuch" }),
      ...create({ ...QCOW2, size: MIB, file: at("nosuch.img") }),
      ...create({ ...QCOW2, size: 5 }),
      ...create({ ...QCOW2, size: MIB, version: "v2", "lazy-refcounts": true }),
      ...create({ ...QCOW2, size: MIB, "cluster-size": 1000 }),
      ...create({ ...QCOW2, size: MIB, "refcount-bits": 7 }),
      ...create({ ...QCOW2, size: MIB, "backing-fmt": "qcow2" }),
      ...create({ ...QCOW2, size: MIB, "data-file-raw": true }),
      ...create({ ...QCOW2, size: MIB, encrypt: { format: "luks" } }),
      ...create({ ...QCOW2, size: MIB, encrypt: { format: "luks", "key-secret": "nosuch" } }),
      ...create({ ...at("whole.img"), size: 0 }),
      ...create({
        ...QCOW2,
        file: at("whole.img"),
        size: MIB,
        "backing-file": "base.q",
        "backing-fmt": "qcow2",
        "cluster-size": 4096,
      }),
      ask("blockdev-create", { "job-id": "k", options: { driver: "qcow2", file: "held", size: MIB } }),
      "wait concluded",
      ask("blockdev-create", { "job-id": "k", options: { driver: "qcow2", file: "held", size: MIB } }),
      ask("query-block-jobs"),
      ask("block-job-dismiss", { id: "k" }),
      ask("block-job-cancel", { device: "k" }),
      prompt("info block-jobs"),
      ask("job-dismiss", { id: "k" }),
      ask("x-debug-query-block-graph"),
    ],
    after: [
      "qemu-img info whole.img",
      "qemu-img check whole.img",
      "qemu-img info held.raw",
      "qemu-img check -f qcow2 held.raw",
    ],
  },
  {
    name: "of which nothing can be amended",
    before: ["qemu-img create -q -f qcow2 q.img 1M"],
    args: "-blockdev qcow2,node-name=q,file.driver=file,file.filename=q.img -blockdev null-co,node-name=n",
    requests: [
      ask("x-blockdev-amend", { "job-id": "j", "node-name": "nosuch", options: { driver: "qcow2" } }),
      ask("x-blockdev-amend", { "job-id": "j", "node-name": "n", options: { driver: "null-co" } }),
      ask("x-blockdev-amend", { "job-id": "j", "node-name": "n", options: { driver: "luks" } }),
      ask("x-blockdev-amend", { "job-id": "j", "node-name": "n", options: { driver: "luks", state: "active" } }),
      ask("x-blockdev-amend", { "job-id": "j", "node-name": "q", options: { driver: "nosuch" } }),
      ask("x-blockdev-amend", { "job-id": "1", "node-name": "q", options: { driver: "qcow2" } }),
      ...amend("q", { driver: "qcow2" }),
      ...amend("q", { driver: "qcow2", encrypt: { format: "qcow" } }),
      ...amend("q", { driver: "qcow2", encrypt: { format: "luks", state: "active" } }, { force: true }),
    ],
    after: ["qemu-img check q.img"],
  },
  {
    name: "kept with the machine",
    before: ["qemu-img create -q -f qcow2 v.q 1M", "qemu-img create -q -f qcow2 w.q 1M"],
    args: "-blockdev file,filename=v.q,node-name=vf -blockdev qcow2,node-name=v,file=vf " +
      "-blockdev qcow2,node-name=w,file.driver=file,file.filename=w.q",
    requests: [
      ...save("a", "w", ["v"]),
      ...save("a", "v", ["v"]),
      ...save("a", "v", ["v"]),
      ...load("a", "v", ["v"]),
      ...load("zz", "v", ["v"]),
      ...load("a", "v", ["v", "vf"]),
      ...load("a", "v", ["zz"]),
      ...save("b", "v", []),
      ...save("b", "zz", ["v"]),
      ...save("b", "w", ["v", "w"]),
      ...load("b", "v", ["v", "w"]),
      ...remove("a", ["v"]),
      ...remove("a", ["v"]),
      ...remove("a", ["vf"]),
      ...remove("a", []),
      ask("query-status"),
      ask("cont"),
      ...save("r", "v", ["v"]),
      ...load("r", "v", ["v"]),
      ask("query-status"),
      ask("stop"),
      ask("snapshot-save", { "job-id": "j", tag: "x", vmstate: "v" }),
      ask("snapshot-delete", { "job-id": "j", tag: 5, devices: [] }),
    ],
    after: ["qemu-img check -q v.q", "qemu-img check -q w.q"],
  },
]);
