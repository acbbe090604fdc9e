/**
 * The product of job kind, state and verb: every verb is said to a job of every kind in every state in which one can be
 * held. What is allowed does its work, what is refused is refused in QEMU's words, while somebody writes to the disk.
 *
 * One table says what is to happen. The real program is held to it too, so that the table is true. `created`,
 * `aborting` and `null` last no longer than a command: no client meets a job in them.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { haveProgram } from "../support/programs.ts";
import { type JobClient, MemoryMachine, RealMachine } from "../support/job_machines.ts";

type Data = Readonly<Record<string, unknown>>;

const MIB = 1048576;
const LIMIT_MS = 60_000;
const KEPT = { "job-id": "j", "auto-dismiss": false, "auto-finalize": false };

/** How each kind is started, over `base <- mid <- top` and an empty `target`. */
const KINDS = {
  stream: ["block-stream", { device: "top" }],
  commit: ["block-commit", { device: "top", "top-node": "mid", "base-node": "base" }],
  "active commit": ["block-commit", { device: "top", "base-node": "mid" }],
  mirror: ["blockdev-mirror", { device: "top", target: "target", sync: "full" }],
  backup: ["blockdev-backup", { device: "top", target: "target", sync: "full" }],
  create: ["blockdev-create", { options: { driver: "qcow2", file: "scratch", size: MIB } }],
  amend: ["x-blockdev-amend", { "node-name": "second", options: { driver: "qcow2" } }],
  "snapshot-save": ["snapshot-save", { tag: "s", vmstate: "second", devices: ["second"] }],
} as const satisfies Record<string, readonly [string, Data]>;

type Kind = keyof typeof KINDS;
type State = "running" | "paused" | "ready" | "standby" | "waiting" | "pending" | "concluded";

/** They run to their end at once, and keep their results. */
const PLAIN: readonly Kind[] = ["create", "amend", "snapshot-save"];
const ALL: readonly Kind[] = ["stream", "commit", "active commit", "mirror", "backup"];
const GETS_READY: readonly Kind[] = ["active commit", "mirror"];

/** The kinds that can be held in each state; only backups wait for others. */
const HELD: Readonly<Record<State, readonly Kind[]>> = {
  running: ALL,
  paused: ALL,
  ready: GETS_READY,
  standby: GETS_READY,
  waiting: ["backup"],
  pending: ALL,
  concluded: [...ALL, ...PLAIN],
};

const said = { pause: "job-pause", resume: "job-resume", cancel: "job-cancel", complete: "job-complete" };

/** Brings a fresh job into a state. */
async function bring(client: JobClient, kind: Kind, state: State): Promise<void> {
  const [command, data] = KINDS[kind];
  if (PLAIN.includes(kind)) {
    if (kind === "create") await client.addScratch();
    await client.must(command, { "job-id": "j", ...data });
    return await client.until("concluded");
  }
  const goes = { ...KEPT, ...data };
  const say = (verb: keyof typeof said | "finalize") => client.must(`job-${verb}`, { id: "j" });
  if (state === "waiting") {
    const other = { ...KEPT, "job-id": "k", device: "mid", target: "second", sync: "full", speed: 1 };
    const actions = [goes, other].map((data) => ({ type: "blockdev-backup", data }));
    await client.must("transaction", { actions, properties: { "completion-mode": "grouped" } });
    return await client.until("waiting");
  }
  const isSlow = state === "running" || state === "paused";
  await client.must(command, { ...goes, ...(isSlow ? { speed: 1 } : {}) });
  await client.until("running");
  if (state === "running") return;
  if (state === "paused") {
    await say("pause");
    return await client.until("paused");
  }
  if (GETS_READY.includes(kind)) {
    await client.until("ready");
    if (state === "ready") return;
    await say(state === "standby" ? "pause" : "complete");
    if (state === "standby") return await client.until("standby");
  }
  await client.until("pending");
  if (state === "pending") return;
  await say("finalize");
  await client.until("concluded");
}

/** What a verb comes to: the state that follows, or the refusal. */
type Outcome = { readonly then: State | "gone" } | { readonly refused: string; readonly as?: string };

const then = (state: State | "gone"): Outcome => ({ then: state });
const refused = (text: string): Outcome => ({ refused: text });
const PAUSED_ALREADY = refused("Job is already paused");
const NO_BLOCK_JOB: Outcome = { refused: "Block job 'j' not found", as: "DeviceNotActive" };
const NOT_PAUSED = refused("Can't resume a job that was not paused");
const IS_PAUSED = refused("The block job for device 'j' is currently paused");

/** What is not the refusal that names state and verb. `cancel` is without force, `end` with it. */
const OUTCOMES: Readonly<Record<State, Readonly<Record<string, Outcome>>>> = {
  running: { pause: then("paused"), resume: NOT_PAUSED, cancel: then("concluded"), end: then("concluded") },
  paused: { pause: PAUSED_ALREADY, resume: then("running"), cancel: IS_PAUSED, end: then("concluded") },
  ready: {
    ...{ pause: then("standby"), resume: NOT_PAUSED, complete: then("pending") },
    ...{ cancel: then("pending"), end: then("concluded") },
  },
  standby: {
    ...{ pause: PAUSED_ALREADY, resume: then("ready"), complete: then("standby") },
    ...{ cancel: IS_PAUSED, end: then("concluded") },
  },
  waiting: { resume: NOT_PAUSED, cancel: then("concluded"), end: then("concluded") },
  pending: { resume: NOT_PAUSED, cancel: then("concluded"), end: then("concluded"), finalize: then("concluded") },
  concluded: { resume: NOT_PAUSED, dismiss: then("gone") },
};
const TAKES_SPEED: readonly State[] = ["running", "paused", "ready", "standby"];

/** Each verb in both of its forms: the word of the table and of the refusal, and what is sent. */
const VERBS: readonly (readonly [word: string, command: string, data: Data])[] = [
  ...["pause", "resume", "complete", "finalize", "dismiss"].map((verb) => [verb, `job-${verb}`, { id: "j" }] as const),
  ["end", "job-cancel", { id: "j" }],
  ...["pause", "resume", "complete"].map((verb) => [verb, `block-job-${verb}`, { device: "j" }] as const),
  ...["finalize", "dismiss"].map((verb) => [verb, `block-job-${verb}`, { id: "j" }] as const),
  ["cancel", "block-job-cancel", { device: "j" }],
  ["end", "block-job-cancel", { device: "j", force: true }],
  ["set-speed", "block-job-set-speed", { device: "j", speed: 3 }],
];

function outcome(kind: Kind, state: State, word: string, command: string): Outcome {
  if (PLAIN.includes(kind) && command.startsWith("block-job-")) return NO_BLOCK_JOB;
  if (word === "set-speed" && TAKES_SPEED.includes(state)) return then(state);
  const verb = word === "end" ? "cancel" : word;
  return OUTCOMES[state][word] ?? refused(`Job 'j' in state '${state}' cannot accept command verb '${verb}'`);
}

async function stateOf(client: JobClient): Promise<string> {
  const jobs = await client.must("query-jobs") as { id: string; status: string }[];
  return jobs.find(({ id }) => id === "j")?.status ?? "gone";
}

/** A job needs its time, and QEMU's backup goes on for a moment after it has told that it is paused. */
async function assertState(client: JobClient, state: string, what: string): Promise<void> {
  const giveUpMs = performance.now() + LIMIT_MS;
  let is = await stateOf(client);
  while (is !== state && performance.now() < giveUpMs) is = await stateOf(client);
  assertEquals(is, state, what);
}

async function check(client: JobClient, kind: Kind, state: State): Promise<void> {
  const split = Object.groupBy(
    VERBS,
    ([word, command]) => "then" in outcome(kind, state, word, command) ? "allowed" : "refused",
  );
  let isFresh = false;
  for (const [word, command, data] of [...split.refused ?? [], ...split.allowed ?? []]) {
    const what = `${kind}, ${state}: ${command} ${JSON.stringify(data)}`;
    if (!isFresh) {
      await client.renew();
      await bring(client, kind, state);
      isFresh = true;
    }
    client.forget();
    const reply = await client.ask(command, data);
    const wanted = outcome(kind, state, word, command);
    if ("refused" in wanted) {
      assertEquals(reply, { error: { class: wanted.as ?? "GenericError", desc: wanted.refused } }, what);
      await assertState(client, state, what);
      continue;
    }
    isFresh = false;
    assertEquals(reply, { return: {} }, what);
    await assertState(client, wanted.then, what);
    if (word === "set-speed") {
      const jobs = await client.must("query-block-jobs") as { device: string; speed: number }[];
      assertEquals(jobs.find(({ device }) => device === "j")?.speed, 3, what);
    }
    if (state === "standby" && word === "complete") {
      // It is heard when the job goes on.
      await client.must("job-resume", { id: "j" });
      await client.until("pending");
    }
  }
}

async function checkAll(client: JobClient): Promise<void> {
  for (const state of Object.keys(HELD) as State[]) for (const kind of HELD[state]) await check(client, kind, state);
  await client.renew();
}

Deno.test("every verb to jobs of every kind in every state, while somebody writes", async () => {
  await using machine = await MemoryMachine.start(4 * MIB);
  await checkAll(machine);
  assert(machine.writes > 100, String(machine.writes));
});

Deno.test({
  name: "the real program's jobs take and refuse the same verbs",
  ignore: !haveProgram("qemu-system-x86_64"),
  async fn() {
    await using machine = await RealMachine.start(4 * MIB);
    await checkAll(machine);
  },
});
