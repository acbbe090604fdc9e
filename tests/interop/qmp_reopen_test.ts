/** Nodes reopened with other options by the machine protocol, side by side with the real program. @module */
import { ask, compareQmp, prompt } from "../support/qmp_side_by_side.ts";

type Data = Readonly<Record<string, unknown>>;

const reopen = (...options: readonly Data[]) => ask("blockdev-reopen", { options });
const TOP = { driver: "qcow2", "node-name": "top", file: "topf", backing: "mid" };
const top = (more: Data) => reopen({ ...TOP, ...more });
const file = (more: Data) => reopen({ driver: "file", "node-name": "topf", filename: "top.q", ...more });
const raw = (more: Data) => reopen({ driver: "raw", "node-name": "r", file: "rf", ...more });
const node = (driver: string, name: string, more: Data) => reopen({ driver, "node-name": name, ...more });
const NODES = ask("query-named-block-nodes", { flat: true });
const GRAPH = ask("x-debug-query-block-graph");
const image = (name: string) => `-blockdev file,filename=${name}.q,node-name=${name}f`;
const disk = (name: string) => `-blockdev null-co,node-name=${name},size=1048576`;

const BEFORE = [
  ...["base", "mid", "top", "other"].map((name) => `qemu-img create -q -f qcow2 ${name}.q 1M`),
  "qemu-img rebase -u -b base.q -F qcow2 mid.q",
  "qemu-img rebase -u -b mid.q -F qcow2 top.q",
  "qemu-img create -q -f raw r.raw 1M",
  "qemu-img create -q -f raw r2.raw 1M",
  "qemu-img create -q -f qcow2 -o data_file=d.raw dd.q 1M",
];
const ARGS = [
  ...["base", "mid", "top", "other"].map(image),
  "-blockdev qcow2,node-name=base,file=basef -blockdev qcow2,node-name=mid,file=midf,backing=base",
  "-blockdev qcow2,node-name=top,file=topf,backing=mid -blockdev qcow2,node-name=other,file=otherf",
  "-blockdev file,filename=r.raw,node-name=rf -blockdev raw,file=rf,node-name=r",
  "-blockdev file,filename=r2.raw,node-name=r2f",
].join(" ");

compareQmp("reopen", [
  {
    name: "an image and its file",
    before: BEFORE,
    args: ARGS,
    requests: [
      ask("blockdev-reopen"),
      reopen({ driver: "qcow2", file: "topf" }),
      node("qcow2", "zz", { file: "topf" }),
      node("raw", "top", { file: "topf" }),
      node("raw", "top", { file: "topf", x: 1 }),
      node("qcow2", "r", { file: "rf" }),
      node("qcow2", "top", {}),
      node("qcow2", "top", { file: "topf" }),
      top({ foo: 1 }),
      top({ "read-only": 5 }),
      top({}),
      top({ "read-only": true }),
      NODES,
      top({}),
      NODES,
      top({ cache: { direct: true, "no-flush": true } }),
      NODES,
      top({ "detect-zeroes": "unmap" }),
      top({ discard: "unmap", "detect-zeroes": "unmap" }),
      top({ "detect-zeroes": "unmap" }),
      top({ "detect-zeroes": "on", "auto-read-only": true }),
      NODES,
      top({ "force-share": true }),
      top({
        "lazy-refcounts": true,
        "cache-size": 1048576,
        "overlap-check": "all",
        "pass-discard-other": true,
        "l2-cache-entry-size": 4096,
        "cache-clean-interval": 5,
        "refcount-cache-size": 65536,
      }),
      prompt('qemu-io top "write -q 64k 128k"'),
      top({ "l2-cache-entry-size": 4095 }),
      top({ "cache-size": 1000, "l2-cache-size": 2000 }),
      top({ "overlap-check": "foo" }),
      top({ "data-file": "r" }),
      top({ encrypt: { format: "luks" } }),
      top({}),
      prompt('qemu-io top "read -q 64k 128k"'),
      file({}),
      file({ filename: "x.q" }),
      file({ aio: "native" }),
      file({ aio: "io_uring" }),
      file({ locking: "off" }),
      file({ cache: { direct: true }, aio: "native" }),
      file({ cache: { "no-flush": true } }),
      file({ "read-only": true }),
      NODES,
      reopen({ driver: "file", "node-name": "topf", filename: "top.q", "read-only": true }, {
        ...TOP,
        "read-only": true,
      }),
      NODES,
      reopen({ driver: "file", "node-name": "topf", filename: "top.q" }, TOP),
      file({ "drop-cache": false }),
      file({ "auto-read-only": true }),
      prompt('qemu-io top "write -q 256k 64k"'),
    ],
    after: ["qemu-img check top.q", "qemu-img check mid.q"],
  },
  {
    name: "children are exchanged, and what cannot be",
    before: BEFORE,
    args:
      `${ARGS} ${["n", "n2", "n3"].map(disk).join(" ")} -object throttle-group,id=g1 -object throttle-group,id=g2 ` +
      "-blockdev file,filename=d.raw,node-name=ddf -blockdev throttle,node-name=t,file=n,throttle-group=g1 " +
      "-blockdev qcow2,node-name=dd,file.driver=file,file.filename=dd.q,data-file=ddf",
    requests: [
      top({ file: "midf" }),
      NODES,
      top({ file: { driver: "file", filename: "top.q" } }),
      top({ file: "zz" }),
      top({ backing: null }),
      NODES,
      top({ backing: "base" }),
      NODES,
      top({ backing: "top" }),
      reopen({ driver: "qcow2", "node-name": "base", file: "basef", backing: "top" }),
      top({ backing: { driver: "null-co" } }),
      top({ backing: "zz" }),
      top({ backing: "other" }),
      NODES,
      top({ backing: "mid" }),
      raw({}),
      raw({ offset: 512 }),
      raw({ size: 1024 }),
      NODES,
      raw({ file: "r2f" }),
      NODES,
      raw({ size: 1000 }),
      node("null-co", "n", {}),
      node("null-co", "n", { size: 1048576 }),
      node("null-co", "n", { size: 5 }),
      node("null-co", "n", { size: 1048576, "latency-ns": 5 }),
      node("null-co", "n2", { size: 1048576, "read-only": true }),
      node("throttle", "t", { file: "n" }),
      node("throttle", "t", { file: "n", "throttle-group": "zz" }),
      node("throttle", "t", { file: "n", "throttle-group": "g2" }),
      ask("object-del", { id: "g2" }),
      ask("object-del", { id: "g1" }),
      node("throttle", "t", { file: "n3", "throttle-group": "g2" }),
      NODES,
      node("qcow2", "dd", { file: { driver: "file", filename: "dd.q" } }),
      node("qcow2", "dd", { file: { driver: "file", filename: "dd.q" }, "data-file": "r" }),
      node("qcow2", "dd", { file: { driver: "file", filename: "dd.q" }, "data-file": "ddf" }),
      node("qcow2", "dd", { file: { driver: "file", filename: "other.q" }, "data-file": "ddf" }),
      node("qcow2", "dd", { file: { driver: "file", filename: "dd.q" }, "data-file": "ddf", "read-only": true }),
      NODES,
    ],
    after: ["qemu-img check top.q", "qemu-img check dd.q"],
  },
  {
    name: "several at once, all or none",
    before: BEFORE,
    args: `${ARGS} ${disk("n")} -device ide-hd,drive=top`,
    requests: [
      top({ "read-only": true }),
      reopen({ ...TOP, backing: null }, { driver: "null-co", "node-name": "n", size: 5 }),
      reopen({ ...TOP, backing: "other" }, { driver: "raw", "node-name": "r", file: "zz" }),
      reopen({ ...TOP, backing: null, "detect-zeroes": "on" }, {
        driver: "qcow2",
        "node-name": "mid",
        file: "topf",
        backing: "base",
      }),
      // The real program lists children in another order after that.
      NODES,
      reopen({ ...TOP, backing: null, "detect-zeroes": "on" }, {
        driver: "qcow2",
        "node-name": "other",
        file: "otherf",
        backing: "base",
      }),
      NODES,
    ],
    after: ["qemu-img check top.q", "qemu-img check other.q"],
  },
  {
    name: "filters that take no other options",
    args: `${["n", "n2", "n3", "n4", "n5", "n6"].map(disk).join(" ")} -blockdev copy-on-read,node-name=cor,file=n ` +
      "-blockdev quorum,node-name=q,vote-threshold=1,children.0=n2,children.1=n3 -blockdev blkdebug,image=n4,node-name=bd",
    requests: [
      node("copy-on-read", "cor", { file: "n" }),
      node("copy-on-read", "cor", { file: "n5" }),
      node("quorum", "q", { "vote-threshold": 1, children: ["n2", "n3"] }),
      node("quorum", "q", { "vote-threshold": 2, children: ["n2", "n3"] }),
      node("blkdebug", "bd", { image: "n4" }),
      node("blkdebug", "bd", { image: "n4", align: 4096 }),
      node("blkdebug", "bd", { image: "n5" }),
      GRAPH,
    ],
  },
]);
