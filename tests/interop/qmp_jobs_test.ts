/**
 * Jobs side by side: the same requests to moa and to the real program. Answers are compared one by one, events in their
 * order: how far a job has come when a request is read is nobody's promise.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { haveProgram, must } from "../support/programs.ts";
import { type Exchange, qmpDialogue } from "../support/qmp_dialogue.ts";
import { TempFolder } from "../support/temp.ts";

const QEMU = "qemu-system-x86_64";

type Data = Readonly<Record<string, unknown>>;

/** A request as one line. */
function ask(execute: string, data: Data = {}): string {
  return JSON.stringify({ execute, arguments: data });
}

const stream = (data: Data) => ask("block-stream", data);
const commit = (data: Data) => ask("block-commit", data);
const mirror = (data: Data) => ask("blockdev-mirror", { sync: "full", ...data });
const backup = (data: Data) => ask("blockdev-backup", { sync: "full", ...data });
const job = (verb: string, id = "j") => ask(`job-${verb}`, { id });
const blockJob = (verb: string, data: Data = {}) => ask(`block-job-${verb}`, { device: "j", ...data });
const query = [ask("query-jobs"), ask("query-block-jobs")];
const KEPT = { "auto-dismiss": false, "auto-finalize": false };
const SLOW = { speed: 1 };

interface Dialogue {
  readonly name: string;
  /** By default `ARGS`. */
  readonly args?: readonly string[];
  readonly requests: readonly string[];
}

const VERBS = [
  ...["pause", "resume", "complete", "finalize", "dismiss"].map((verb) => job(verb)),
  ask("block-job-set-speed", { device: "j", speed: -1 }),
  ...["finalize", "dismiss"].map((verb) => ask(`block-job-${verb}`, { id: "j" })),
  ...["resume", "complete"].map((verb) => blockJob(verb)),
];

const prompt = (line: string) => ask("human-monitor-command", { "command-line": line });
const HELP = "block_stream block_job_set_speed block_job_cancel block_job_complete block_job_pause block_job_resume " +
  "snapshot_blkdev drive_mirror drive_backup";

const DIALOGUES: readonly Dialogue[] = [
  {
    name: "at the prompt",
    args: "-drive file=top.img,if=none,id=d0,format=qcow2 -device ide-hd,drive=d0".split(" "),
    requests: [
      ...HELP.split(" ").map((name) => prompt(`help ${name}`)),
      prompt("info block-jobs"),
      prompt("block_stream d0 1K"),
      prompt("info status"),
      prompt("block_job_pause d0"),
      "wait paused",
      prompt("block_job_cancel d0"),
      prompt("block_job_cancel -f d0"),
      "wait null",
      prompt("drive_mirror d0 m.img"),
      "wait BLOCK_JOB_READY",
      prompt("drive_mirror -f d0 m.img"),
      prompt("block_resize d0 8M"),
      prompt("block_stream d0"),
      prompt("info block-jobs"),
      prompt("block_job_complete d0"),
      "wait null",
      prompt("info block"),
      prompt("snapshot_blkdev d0"),
      prompt("snapshot_blkdev nope x"),
      prompt("snapshot_blkdev d0 sn.img"),
      prompt("info block"),
      prompt("drive_backup d0 bk.img"),
      "wait null",
      prompt("drive_backup -f d0 bk2.img qcow2"),
      "wait null",
      prompt("drive_backup nope x"),
      prompt("drive_mirror nope x"),
      prompt("drive_mirror d0 m9.img raw"),
      prompt("block_stream d0"),
      "wait null",
      prompt("block_job_cancel d0"),
      prompt("block_job_set_speed d0 5"),
      prompt("info block"),
      ask("query-named-block-nodes", { flat: true }),
    ],
  },
  {
    name: "stream, its ends and what it refuses",
    requests: [
      stream({ device: "nope" }),
      stream({ device: "top", base: "nope" }),
      stream({ device: "top", "base-node": "nope" }),
      stream({ device: "top", base: "x", "base-node": "y" }),
      stream({ device: "top", "base-node": "t" }),
      stream({ device: "top" }),
      stream({ device: "top", "job-id": "1x" }),
      stream({ device: "top", "job-id": "j", "base-node": "top" }),
      stream({ device: "top", "job-id": "j", speed: -1 }),
      stream({ device: "top", "job-id": "j", "backing-file": "x" }),
      stream({ device: "top", "job-id": "j", bottom: "mid", base: "q" }),
      stream({ device: "top", "job-id": "j", bottom: "t" }),
      stream({ device: "top", "job-id": "j", "on-error": "never" }),
      stream({ device: "base", "job-id": "j" }),
      "wait null",
      stream({ device: "top", "job-id": "j", "base-node": "base", ...KEPT }),
      "wait pending",
      ...query,
      job("finalize"),
      ...query,
      job("dismiss"),
      ...query,
      ask("query-block"),
      stream({ device: "top", "job-id": "j" }),
      "wait null",
      ask("query-block"),
    ],
  },
  {
    name: "what is busy while a job runs, and every verb in its states",
    requests: [
      stream({ "job-id": "j", device: "top", ...SLOW, ...KEPT }),
      stream({ "job-id": "j", device: "top" }),
      stream({ "job-id": "k", device: "mid" }),
      ask("blockdev-del", { "node-name": "mid" }),
      ask("block_resize", { "node-name": "top", size: 8388608 }),
      commit({ device: "top", "job-id": "k" }),
      mirror({ device: "top", target: "t", "job-id": "k" }),
      mirror({ device: "t", target: "mid", "job-id": "k" }),
      ...VERBS,
      job("pause", "zz"),
      blockJob("pause", { device: "zz" }),
      ask("block-job-dismiss", { id: "zz" }),
      job("pause"),
      "wait paused",
      blockJob("cancel"),
      blockJob("resume"),
      blockJob("cancel"),
      "wait concluded",
      ...VERBS.slice(0, 4),
      ask("block-job-set-speed", { device: "j", speed: 5 }),
      job("cancel"),
    ],
  },
  {
    name: "every verb of a mirror that is ready, and of a job that is pending",
    requests: [
      mirror({ "job-id": "j", device: "top", target: "t", ...KEPT }),
      "wait BLOCK_JOB_READY",
      ...query,
      job("resume"),
      job("finalize"),
      job("dismiss"),
      job("pause"),
      "wait standby",
      job("pause"),
      blockJob("cancel"),
      ...query,
      job("resume"),
      'wait "ready"',
      blockJob("cancel"),
      "wait BLOCK_JOB_PENDING",
      ...VERBS.slice(0, 3),
      ask("block-job-set-speed", { device: "j", speed: 5 }),
      job("cancel"),
      "wait concluded",
      ask("query-jobs"),
      job("dismiss"),
    ],
  },
  {
    name: "commit of layers in the middle, and what it refuses",
    requests: [
      commit({ device: "nope" }),
      commit({ device: "top" }),
      commit({ device: "base", "job-id": "j" }),
      commit({ device: "top", "job-id": "j", top: "nope" }),
      commit({ device: "top", "job-id": "j", "top-node": "nope" }),
      commit({ device: "top", "job-id": "j", "top-node": "t" }),
      commit({ device: "top", "job-id": "j", "base-node": "t" }),
      commit({ device: "top", "job-id": "j", "base-node": "top" }),
      commit({ device: "top", "job-id": "j", base: "x" }),
      commit({ device: "top", "job-id": "j", base: "x", "base-node": "y" }),
      commit({ device: "top", "job-id": "j", top: "x", "top-node": "y" }),
      commit({ device: "top", "job-id": "j", "top-node": "base" }),
      commit({ device: "top", "job-id": "j", "backing-file": "x" }),
      commit({ device: "top", "job-id": "j", "top-node": "mid", "auto-dismiss": false }),
      "wait concluded",
      ...query,
      ask("query-block"),
    ],
  },
  {
    name: "commit of the layer that the guest writes",
    requests: [
      commit({ "job-id": "j", device: "top", "auto-dismiss": false }),
      "wait BLOCK_JOB_READY",
      ...query,
      job("complete"),
      "wait concluded",
      ...query,
      ask("query-block"),
    ],
  },
  {
    name: "mirror, what it refuses, and that the guest goes over",
    requests: [
      mirror({ device: "nope", target: "t" }),
      mirror({ device: "top", target: "nope" }),
      mirror({ device: "top", target: "t" }),
      mirror({ device: "top", target: "top", "job-id": "j" }),
      mirror({ device: "top", target: "t", sync: "incremental", "job-id": "j" }),
      mirror({ device: "top", target: "t", "job-id": "j", granularity: 511 }),
      mirror({ device: "top", target: "t", "job-id": "j", granularity: 513 }),
      mirror({ device: "top", target: "t", "job-id": "j", "buf-size": -1 }),
      mirror({ device: "top", target: "t", "job-id": "j", speed: -1 }),
      mirror({ device: "top", target: "t", "job-id": "j", replaces: "nope" }),
      mirror({ device: "top", target: "t", "job-id": "j", replaces: "t" }),
      mirror({ device: "top", target: "mid", "job-id": "j" }),
      mirror({ device: "top", target: "large", "job-id": "j" }),
      "wait null",
      mirror({ "job-id": "j", device: "top", target: "t", "copy-mode": "write-blocking" }),
      "wait BLOCK_JOB_READY",
      ...query,
      blockJob("complete"),
      "wait null",
      ask("query-block"),
    ],
  },
  {
    name: "backup, and what it refuses",
    requests: [
      backup({ device: "nope", target: "t" }),
      backup({ device: "top", target: "nope" }),
      backup({ device: "top", target: "t" }),
      backup({ device: "top", target: "top", "job-id": "j" }),
      backup({ device: "top", target: "large", "job-id": "j" }),
      backup({ device: "top", target: "t", sync: "incremental", "job-id": "j" }),
      backup({ device: "top", target: "t", sync: "bitmap", "job-id": "j" }),
      backup({ device: "top", target: "t", sync: "bitmap", bitmap: "b", "job-id": "j" }),
      backup({ device: "top", target: "t", "bitmap-mode": "always", "job-id": "j" }),
      ask("block-dirty-bitmap-add", { node: "top", name: "b" }),
      backup({ device: "top", target: "t", bitmap: "b", "job-id": "j" }),
      backup({ device: "top", target: "t", bitmap: "b", "bitmap-mode": "never", "job-id": "j" }),
      backup({ device: "top", target: "t", sync: "none", bitmap: "b", "bitmap-mode": "always", "job-id": "j" }),
      ...[{ "max-workers": 0 }, { "max-workers": 2 ** 31 }, { "max-chunk": -1 }, { "max-chunk": 1 }].map((perf) =>
        backup({ device: "top", target: "t", "job-id": "j", "x-perf": perf })
      ),
      backup({ device: "top", target: "t", sync: "incremental", bitmap: "b", "bitmap-mode": "always", "job-id": "j" }),
      backup({ device: "top", target: "t", sync: "incremental", bitmap: "b", "job-id": "j" }),
      "wait null",
      backup({
        ...{ "job-id": "j", device: "top", target: "t", "auto-dismiss": false },
        "x-perf": { "use-copy-range": true, "max-workers": 1, "max-chunk": 131072 },
      }),
      "wait concluded",
      ...query,
      job("dismiss"),
      backup({ "job-id": "j", device: "top", target: "t", sync: "none" }),
      ...query,
      job("cancel"),
      "wait null",
    ],
  },
  {
    name: "overlays",
    requests: [
      ask("blockdev-snapshot", { node: "top", overlay: "nope" }),
      ask("blockdev-snapshot", { node: "top", overlay: "top" }),
      ask("blockdev-snapshot", { node: "mid", overlay: "t" }),
      ask("blockdev-snapshot", { node: "top", overlay: "base" }),
      ask("blockdev-snapshot", { node: "top", overlay: "t" }),
      ask("query-block"),
      ...[
        { "node-name": "nope", "snapshot-file": "x.img", "snapshot-node-name": "s" },
        { "node-name": "t", "snapshot-file": "x.img" },
        { "node-name": "t", "snapshot-file": "x.img", "snapshot-node-name": "t" },
        { "snapshot-file": "x.img" },
        { "node-name": "mid", "snapshot-file": "x.img", "snapshot-node-name": "s" },
        { "node-name": "t", "snapshot-file": "x.img", "snapshot-node-name": "s", format: "nope" },
        { "node-name": "t", "snapshot-file": "x.img", "snapshot-node-name": "s", format: "raw" },
        { "node-name": "t", "snapshot-file": "/nodir/x.img", "snapshot-node-name": "s" },
        { "node-name": "t", "snapshot-file": "x.img", "snapshot-node-name": "s" },
      ].map((data) => ask("blockdev-snapshot-sync", data)),
      ask("change-backing-file", { device: "s", "image-node-name": "base", "backing-file": "x" }),
      ask("change-backing-file", { device: "s", "image-node-name": "nope", "backing-file": "x" }),
      ask("change-backing-file", { device: "t", "image-node-name": "t", "backing-file": "x" }),
      ask("change-backing-file", { device: "s", "image-node-name": "s", "backing-file": "other.img" }),
    ],
  },
];

const CHAIN = [
  ["create -f qcow2 base.img 4M", "write -P 1 0 1M"],
  ["create -f qcow2 -b base.img -F qcow2 mid.img", "write -P 2 1M 1M"],
  ["create -f qcow2 -b mid.img -F qcow2 top.img", "write -P 3 2M 1M"],
  ["create -f qcow2 t.img 4M", ""],
] as const;

const ARGS = [
  "-blockdev file,filename=base.img,node-name=basef -blockdev qcow2,file=basef,node-name=base",
  "-blockdev file,filename=mid.img,node-name=midf -blockdev qcow2,file=midf,node-name=mid,backing=base",
  "-blockdev file,filename=top.img,node-name=topf -blockdev qcow2,file=topf,node-name=top,backing=mid",
  "-blockdev qcow2,node-name=t,file.driver=file,file.filename=t.img",
  "-blockdev null-co,node-name=large,size=8388608 -device ide-hd,drive=top,id=d0",
].join(" ").split(" ");

/** How far a job was that was cancelled in the middle depends on how quickly that was said. */
/** A job that is drained while it runs pauses once more or not, as its step falls: pauses in a row count once. */
function withoutRepeats(lines: readonly string[]): string {
  const isPause = (at: number) =>
    /"status": "paused"/.test(lines[at] ?? "") && /"status": "running"/.test(lines[at + 1] ?? "");
  return lines.filter((line, at) => {
    const inRow = (isPause(at) && isPause(at - 2)) || (isPause(at - 1) && isPause(at - 3));
    return !(inRow && lines[at - 2] === line);
  }).join("\n");
}

function events(exchanges: readonly Exchange[]): string[] {
  return exchanges.flatMap(({ lines }) => lines.filter((line) => line.includes('"event": ')))
    .map((line) => /"speed": (1|1024),/.test(line) ? line.replace(/"offset": \d+/, "") : line);
}

/** The answer, without what depends on how long a job ran, how much room a file takes, and how it was named. */
function answer({ lines }: Exchange): string | undefined {
  return lines.find((line) => !line.includes('"event": '))?.replaceAll(/"actual-size": \d+/g, "")
    .replaceAll(/"busy": (true|false)/g, "").replaceAll(", ", ",\n");
}

for (const { name, args = ARGS, requests } of DIALOGUES) {
  Deno.test({
    name: `jobs as QEMU's: ${name}`,
    ignore: !haveProgram(QEMU),
    async fn() {
      const sides = await Promise.all([QEMU, "moa"].map(async (program) => {
        await using temp = await TempFolder.make();
        for (const [create, write] of CHAIN) {
          const words = create.split(" ");
          await must("qemu-img", words, { cwd: temp.path });
          const image = words.at(-1) === "4M" ? words.at(-2)! : words.at(-1)!;
          if (write !== "") await must("qemu-io", ["-c", write, image], { cwd: temp.path });
        }
        const all = ["-accel", "tcg", "-S", "-display", "none", "-nodefaults", ...args, "-qmp", "stdio"];
        return await qmpDialogue(program, { name: QEMU, args: all, folder: temp.path }, requests);
      }));
      const [theirs, ours] = sides as [Exchange[], Exchange[]];
      for (let i = 0; i < requests.length; i++) assertEquals(answer(ours[i]!), answer(theirs[i]!), requests[i]);
      assertEquals(withoutRepeats(events(ours)), withoutRepeats(events(theirs)));
    },
  });
}
