/** Transactions by the machine protocol, side by side with the real program: all or none. @module */
import { ask, compareQmp } from "../support/qmp_side_by_side.ts";

type Data = Readonly<Record<string, unknown>>;
type Action = readonly [type: string, data: Data];

const run = (actions: readonly Action[], properties?: Data) =>
  ask("transaction", {
    actions: actions.map(([type, data]) => ({ type, data })),
    ...(properties === undefined ? {} : { properties }),
  });
const together = (...actions: readonly Action[]) => run(actions);
const grouped = (...actions: readonly Action[]) => run(actions, { "completion-mode": "grouped" });
const bitmap = (verb: string, name: string, more: Data = {}): Action => [
  `block-dirty-bitmap-${verb}`,
  verb === "merge" ? { node: "top", target: name, ...more } : { node: "top", name, ...more },
];
const ABORT: Action = ["abort", {}];
const backup = (device: string, target: string, id: string, more: Data = {}): Action => [
  "blockdev-backup",
  { device, target, sync: "full", "job-id": id, ...more },
];
const internal = (name: string, device = "top"): Action => ["blockdev-snapshot-internal-sync", { device, name }];
const overlay = (node: string, file: string, name: string): Action => [
  "blockdev-snapshot-sync",
  { "node-name": node, "snapshot-file": file, "snapshot-node-name": name },
];
const over = (node: string, top: string): Action => ["blockdev-snapshot", { node, overlay: top }];
const sha = (name: string) => ask("x-debug-block-dirty-bitmap-sha256", { node: "top", name });
const GRAPH = ask("x-debug-query-block-graph");
const NODES = ask("query-named-block-nodes", { flat: true });
const JOBS = ask("query-jobs");

const BEFORE = [
  "qemu-img create -q -f qcow2 base.q 4M",
  "qemu-img create -q -f qcow2 -b base.q -F qcow2 top.q",
  "qemu-img bitmap --add top.q kept",
  "qemu-img create -q -f qcow2 t.q 4M",
  "qemu-img create -q -f qcow2 e.q 4M",
  "qemu-img create -q -f raw r.raw 4M",
];
const ARGS = [
  "-blockdev file,filename=top.q,node-name=topf -blockdev qcow2,node-name=top,file=topf",
  "-blockdev file,filename=t.q,node-name=tf -blockdev qcow2,node-name=t,file=tf",
  "-blockdev file,filename=e.q,node-name=ef -blockdev qcow2,node-name=e,file=ef",
  "-blockdev file,filename=r.raw,node-name=rf -blockdev raw,node-name=r,file=rf -device ide-hd,drive=top",
].join(" ");

const IMAGES = ["top.q", "t.q", "e.q"].map((image) => `qemu-img info ${image} --output=human`);
const CHECKS = ["top.q", "t.q", "e.q"].map((image) => `qemu-img check ${image}`);

compareQmp("transactions", [
  {
    name: "what is no transaction",
    before: BEFORE,
    args: ARGS,
    requests: [
      ask("transaction", { actions: [] }),
      together(ABORT),
      ask("transaction", { actions: [{ type: "nosuch", data: {} }] }),
      ask("transaction", { actions: [{ type: "abort" }] }),
      ask("transaction", { actions: [{ data: {} }] }),
      ask("transaction", { actions: [{ type: "abort", data: { x: 1 } }] }),
      ask("transaction", { actions: {} }),
      ask("transaction", {}),
      ask("transaction", { actions: [5] }),
      run([ABORT], { "completion-mode": "x" }),
      run([ABORT], {}),
      run([ABORT], { x: 1 }),
      together(bitmap("add", "b", { x: 1 })),
      // The real program ends at `enable` and `disable`.
      ...["add", "remove", "clear"].map((verb) => grouped(bitmap(verb, "kept"))),
      grouped(bitmap("merge", "kept", { bitmaps: [] })),
      grouped(ABORT),
      grouped(over("top", "t")),
      grouped(overlay("top", "x.q", "x")),
      grouped(internal("i")),
      GRAPH,
      NODES,
    ],
  },
  {
    name: "bitmaps, each change taken back, first and last of several",
    before: BEFORE,
    args: ARGS,
    requests: [
      ask("block-dirty-bitmap-add", { node: "top", name: "b", granularity: 65536 }),
      ask("block-dirty-bitmap-add", { node: "top", name: "c", granularity: 65536, disabled: true }),
      sha("b"),
      sha("kept"),
      together(bitmap("add", "n"), ABORT),
      together(bitmap("add", "n", { persistent: true }), ABORT),
      together(bitmap("add", "n"), bitmap("add", "n")),
      together(bitmap("clear", "b"), ABORT),
      together(bitmap("enable", "c"), ABORT),
      together(bitmap("disable", "b"), ABORT),
      together(bitmap("merge", "b", { bitmaps: ["kept"] }), ABORT),
      together(bitmap("remove", "b"), ABORT),
      together(bitmap("remove", "kept"), ABORT),
      together(
        bitmap("add", "n"),
        bitmap("disable", "n"),
        bitmap("enable", "c"),
        bitmap("clear", "b"),
        bitmap("merge", "b", { bitmaps: ["zz"] }),
      ),
      together(bitmap("remove", "b"), bitmap("clear", "b")),
      together(bitmap("remove", "b"), bitmap("add", "b")),
      together(bitmap("clear", "zz")),
      together(["block-dirty-bitmap-clear", { node: "zz", name: "b" }]),
      sha("b"),
      sha("kept"),
      NODES,
      together(
        bitmap("add", "n"),
        bitmap("disable", "b"),
        bitmap("enable", "c"),
        bitmap("merge", "n", { bitmaps: ["b", "kept"] }),
        bitmap("remove", "kept"),
      ),
      NODES,
    ],
    after: [...IMAGES, ...CHECKS],
  },
  {
    name: "overlays and snapshots, each taken back, first and last of several",
    before: BEFORE,
    args: ARGS,
    requests: [
      together(over("top", "t"), ABORT),
      GRAPH,
      together(over("top", "t"), over("t", "e"), ABORT),
      GRAPH,
      together(over("top", "t"), over("top", "e")),
      together(over("top", "t"), over("zz", "e")),
      together(overlay("top", "s.q", "s"), ABORT),
      together(overlay("top", "s.q", "s"), overlay("zz", "s2.q", "s2")),
      together(overlay("top", "s.q", "s"), overlay("top", "s2.q", "s")),
      together(internal("i"), ABORT),
      together(internal("i"), internal("i")),
      together(internal("i", "t"), internal("j", "r")),
      together(internal("i"), over("top", "t"), ABORT),
      GRAPH,
      NODES,
      together(internal("i"), over("top", "t"), overlay("e", "s.q", "s")),
      GRAPH,
      NODES,
    ],
    after: [...CHECKS, "qemu-img info t.q --output=human --backing-chain", "qemu-img info s.q", "qemu-img check s.q"],
  },
  {
    name: "backups, each taken back, one by one and ending together",
    before: BEFORE,
    args: ARGS,
    requests: [
      together(backup("top", "t", "j"), ABORT),
      JOBS,
      GRAPH,
      together(backup("top", "t", "j"), backup("r", "e", "j")),
      together(backup("top", "t", "j"), backup("r", "zz", "k")),
      together(backup("top", "t", "j"), backup("zz", "e", "k")),
      together(["drive-backup", { device: "top", target: "d.q", sync: "full", "job-id": "j", format: "qcow2" }], ABORT),
      together(["drive-backup", { device: "top", target: "d.q", sync: "none", "job-id": "j", format: "qcow2" }], ABORT),
      together(
        bitmap("add", "n"),
        backup("top", "t", "j", { sync: "bitmap", bitmap: "n", "bitmap-mode": "always" }),
        ABORT,
      ),
      JOBS,
      GRAPH,
      together(backup("top", "t", "j"), backup("r", "e", "k")),
      ...["j", "k"].map((id) => `wait "null", "id": "${id}"`),
      grouped(backup("top", "t", "j", { "auto-finalize": false }), backup("r", "e", "k")),
      "wait BLOCK_JOB_PENDING",
      ask("job-finalize", { id: "j" }),
      ...["j", "k"].map((id) => `wait "null", "id": "${id}"`),
      JOBS,
      GRAPH,
    ],
    after: [...CHECKS, "qemu-img compare -f qcow2 -F qcow2 top.q t.q", "qemu-img compare -f raw -F qcow2 r.raw e.q"],
  },
  {
    name: "of jobs that end together one is cancelled before the others are done, and after",
    before: BEFORE,
    args: ARGS,
    requests: [
      grouped(
        ["blockdev-backup", { device: "top", target: "t", sync: "none", "job-id": "j" }],
        backup("r", "e", "k", { "auto-dismiss": false }),
      ),
      "wait waiting",
      ask("job-finalize", { id: "k" }),
      ask("job-pause", { id: "k" }),
      ask("job-cancel", { id: "j" }),
      "wait concluded",
      JOBS,
      ask("job-dismiss", { id: "k" }),
      grouped(
        backup("top", "t", "j", { "auto-dismiss": false, "auto-finalize": false }),
        backup("r", "e", "k", { "auto-finalize": false }),
      ),
      "wait BLOCK_JOB_PENDING",
      ask("job-cancel", { id: "k" }),
      "wait concluded",
      JOBS,
      ask("job-dismiss", { id: "j" }),
      grouped(
        ["blockdev-backup", { device: "top", target: "t", sync: "none", "job-id": "j" }],
        backup("r", "e", "k"),
      ),
      "wait waiting",
      ask("job-cancel", { id: "k" }),
      "wait null",
      JOBS,
      GRAPH,
    ],
    after: CHECKS,
  },
]);
