/** The graph looked at and changed by the machine protocol, side by side with the real program. @module */
import { ask, compareQmp, prompt } from "../support/qmp_side_by_side.ts";

const change = (data: Readonly<Record<string, string>>) => ask("x-blockdev-change", data);
const histogram = (data: Readonly<Record<string, unknown>>) => ask("block-latency-histogram-set", data);
const threshold = (node: string, bytes: unknown) =>
  ask("block-set-write-threshold", { "node-name": node, "write-threshold": bytes });
const iothread = (data: Readonly<Record<string, unknown>>) => ask("x-blockdev-set-iothread", data);
const disk = (name: string) => `-blockdev null-co,node-name=${name},size=1048576`;

const resize = (node: string, size: number) => ask("block_resize", { "node-name": node, size });

compareQmp("graph", [
  {
    name: "which sizes a node takes is its driver's affair",
    before: [
      "qemu-img create -q -f qcow2 a.q 1M",
      "qemu-img create -q -f raw r.raw 1M",
      "qemu-img create -q -f raw f.raw 1M",
    ],
    args: "-blockdev file,filename=r.raw,node-name=rf -blockdev raw,node-name=r,file=rf " +
      "-blockdev file,filename=f.raw,node-name=f -blockdev file,filename=a.q,node-name=fq " +
      "-blockdev qcow2,node-name=q,file=fq -object throttle-group,id=g " +
      "-blockdev throttle,node-name=t,throttle-group=g,file=f -blockdev null-co,node-name=n,size=1048576 " +
      "-blockdev null-co,node-name=ro,size=1048576,read-only=on -blockdev raw,node-name=rn,file=n",
    requests: [
      ...["r", "f", "t", "q", "rn", "n", "ro", "zz"].flatMap((name) => [resize(name, 1000), resize(name, 2048)]),
      ...["q", "ro", "n"].map((name) => resize(name, -1)),
    ],
    after: ["qemu-img info --output=json r.raw", "qemu-img check a.q"],
  },
  {
    name: "nodes, edges and permissions",
    before: ["qemu-img create -q -f qcow2 base.q 1M", "qemu-img create -q -f qcow2 -b base.q -F qcow2 top.q"],
    args: "-blockdev file,filename=top.q,node-name=fl -blockdev qcow2,node-name=top,file=fl -drive if=none,id=cd " +
      `${disk("n1")} ${
        disk("used")
      } -device ide-hd,drive=top,bus=ide.0 -device ide-cd,drive=cd,id=c,bus=ide.0,unit=1 ` +
      "-device ide-hd,drive=used,id=u,bus=ide.1",
    requests: [ask("x-debug-query-block-graph"), ask("query-block-exports"), ask("query-pr-managers")],
  },
  {
    name: "copies of a quorum come and go",
    before: ["qemu-img create -q -f qcow2 top.q 1M"],
    args:
      `-blockdev file,filename=top.q,node-name=fl ${
        ["n1", "n2", "n3", "n4", "n5", "n6", "used"].map(disk).join(" ")
      } ` +
      "-blockdev null-co,node-name=bigger,size=2097152 -blockdev qcow2,file=fl,node-name=top -device ide-hd,drive=used",
    requests: [
      change({ parent: "zz" }),
      change({ parent: "top" }),
      change({ parent: "top", child: "n1" }),
      change({ parent: "top", node: "n1" }),
      change({ parent: "top", node: "n1", child: "x" }),
      change({ parent: "top", child: "file" }),
      change({ parent: "top", node: "nn" }),
      ask("blockdev-add", {
        driver: "quorum",
        "node-name": "q",
        "vote-threshold": 1,
        children: [{ driver: "null-co", "node-name": "n0", size: 1048576 }, "n1", "n2"],
      }),
      change({ parent: "q", node: "n3" }),
      change({ parent: "q", node: "n3" }),
      ask("x-debug-query-block-graph"),
      ask("query-named-block-nodes", { flat: true }),
      change({ parent: "q", child: "children.1" }),
      change({ parent: "q", node: "n1" }),
      ask("x-debug-query-block-graph"),
      change({ parent: "q", child: "children.0" }),
      change({ parent: "q", child: "children.2" }),
      change({ parent: "q", child: "children.4" }),
      change({ parent: "q", child: "children.3" }),
      change({ parent: "q", child: "children.4" }),
      change({ parent: "q", node: "q" }),
      change({ parent: "q", node: "bigger" }),
      change({ parent: "q", node: "used" }),
      ask("query-named-block-nodes", { flat: true }),
      ask("blockdev-add", {
        driver: "quorum",
        "node-name": "qb",
        "vote-threshold": 2,
        blkverify: true,
        children: ["n4", "n5"],
      }),
      change({ parent: "qb", node: "n6" }),
      change({ parent: "qb", child: "children.0" }),
      ask("blockdev-del", { "node-name": "n1" }),
      ask("blockdev-del", { "node-name": "q" }),
      ask("x-debug-query-block-graph"),
    ],
  },
  {
    name: "marks that writes reach beyond",
    before: ["qemu-img create -q -f raw r.raw 1M"],
    args: "-blockdev file,filename=r.raw,node-name=fl -blockdev raw,file=fl,node-name=r,discard=unmap",
    requests: [
      threshold("zz", 5),
      threshold("fl", -1),
      threshold("fl", "x"),
      threshold("fl", 65536),
      threshold("r", 262144),
      ask("query-named-block-nodes", { flat: true }),
      prompt('qemu-io r "discard -q 0 1M"'),
      prompt('qemu-io r "write -q 0 64k"'),
      prompt('qemu-io r "write -q 64k 512"'),
      ask("query-named-block-nodes", { flat: true }),
      prompt('qemu-io r "write -q -z 512k 64k"'),
      threshold("fl", 65536),
      threshold("fl", 0),
      prompt('qemu-io r "write -q 512k 64k"'),
    ],
  },
  {
    name: "latencies in bins",
    args: `${disk("n1")} -device ide-hd,id=hd,drive=n1 -drive if=none,id=d0`,
    requests: [
      histogram({ id: "hd" }),
      histogram({ id: "zz" }),
      histogram({ id: "d0" }),
      histogram({ id: "hd", boundaries: [10, 50, 100] }),
      ask("query-blockstats"),
      histogram({ id: "hd", boundaries: [10, 50, 50] }),
      histogram({ id: "hd", boundaries: [0, 50] }),
      histogram({ id: "hd", boundaries: [] }),
      ask("query-blockstats"),
      histogram({ id: "hd", "boundaries-flush": [5], boundaries: [100] }),
      histogram({ id: "hd", "boundaries-read": [5, 4] }),
      histogram({ id: "hd", "boundaries-flush": [5, 4] }),
      ask("query-blockstats"),
      histogram({ id: "/machine/peripheral/hd" }),
      ask("query-blockstats"),
    ],
  },
  {
    name: "threads of nodes",
    args: `${disk("n1")} ${disk("n2")} -device ide-hd,drive=n1 -object iothread,id=io`,
    requests: [
      iothread({ "node-name": "zz", iothread: null }),
      iothread({ "node-name": "n1", iothread: null }),
      iothread({ "node-name": "n1", iothread: null, force: true }),
      iothread({ "node-name": "n2", iothread: null }),
      iothread({ "node-name": "n2", iothread: "none" }),
      iothread({ "node-name": "n2", iothread: "io" }),
      iothread({ "node-name": "n2", iothread: 5 }),
      iothread({ "node-name": "n2" }),
    ],
  },
  {
    name: "an image that is found corrupt",
    // What a job says of that differs: here it is what was found.
    only: "BLOCK_IMAGE_CORRUPTED",
    before: [
      "qemu-img create -q -f qcow2 -o preallocation=metadata a.q 1M",
      // Its first L2 entry points between two clusters.
      "qemu-io|-f|raw|-c|write -q -P 2 0x40006 1|a.q",
      "cp a.q b.q",
    ],
    args: "-drive if=none,id=d0,node-name=top,format=qcow2,file=a.q " +
      `-blockdev qcow2,node-name=b,read-only=on,file.driver=file,file.filename=b.q ${disk("n")}`,
    requests: [
      ...["d0", "b"].flatMap((device) => [
        ask("blockdev-backup", { device, target: "n", sync: "full", "job-id": "j" }),
        "wait null",
      ]),
    ],
  },
]);
