/**
 * The process is killed in the middle of a job: the disk reads as before to the real program, and the job begun again
 * comes to its end.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { haveProgram, must, run } from "../support/programs.ts";
import { qmpDialogue } from "../support/qmp_dialogue.ts";
import { TempFolder } from "../support/temp.ts";

const ENTRY = new URL("../../tools/moa.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
const TIMEOUT_MS = 60_000;

const CHAIN = [
  ["create -q -f qcow2 base.img 8M", "write -P 1 0 3M"],
  ["create -q -f qcow2 -b base.img -F qcow2 mid.img", "write -P 2 2M 3M"],
  ["create -q -f qcow2 -b mid.img -F qcow2 top.img", "write -P 3 4M 1M"],
] as const;

const ARGS = [
  ..."-accel qtest -S -display none -nodefaults -qmp stdio".split(" "),
  ..."-blockdev qcow2,node-name=top,file.driver=file,file.filename=top.img -device ide-hd,drive=top".split(" "),
];

interface Case {
  readonly job: string;
  readonly command: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** The files that the chain has at the end. */
  readonly left: readonly string[];
}

const CASES: readonly Case[] = [
  { job: "stream", command: "block-stream", data: { device: "top" }, left: ["top.img"] },
  { job: "commit", command: "block-commit", data: { device: "top", top: "mid.img" }, left: ["top.img", "base.img"] },
];

/** Starts the machine and the job under a limit, waits until something was copied, and kills it. */
async function killedInTheMiddle(folder: string, start: string): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--no-prompt", "--frozen", "--config", CONFIG, "-P=start", ENTRY, ...ARGS],
    cwd: folder,
    env: { MOA_ARGV0: "qemu-system-x86_64", INIT_CWD: folder },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
  const writer = child.stdin.getWriter();
  const say = (line: string) => writer.write(new TextEncoder().encode(`${line}\n`));
  await say('{"execute":"qmp_capabilities"}');
  await say(start);
  let text = "";
  let isCopying = false;
  for await (const piece of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += piece;
    isCopying ||= /"current-progress": [1-9]/.test(text);
    if (isCopying) break;
    if (piece.includes("\n")) await say('{"execute":"query-jobs"}');
  }
  child.kill("SIGKILL");
  await child.status;
  clearTimeout(timer);
  await writer.close().catch(() => {});
  assert(isCopying, text);
}

for (const { job, command, data, left } of CASES) {
  Deno.test({
    name: `a ${job} whose process was killed is begun again and ends`,
    ignore: !haveProgram("qemu-img"),
    async fn() {
      await using temp = await TempFolder.make();
      const cwd = temp.path;
      for (const [create, write] of CHAIN) {
        await must("qemu-img", create.split(" "), { cwd });
        const name = /\w+\.img(?= 8M$|$)/.exec(create)![0];
        await must("qemu-io", ["-c", write, name], { cwd });
      }
      await must("qemu-img", ["convert", "-O", "raw", "top.img", "before.raw"], { cwd });
      const sameAsBefore = async () => {
        await must("qemu-img", ["compare", "-q", "-f", "qcow2", "-F", "raw", "top.img", "before.raw"], { cwd });
        for (const name of left) {
          // What was allocated last may leak.
          const { code, stdout } = await run("qemu-img", ["check", name], { cwd });
          assert(code === 0 || code === 3, stdout);
        }
      };
      const ask = (more: object) =>
        JSON.stringify({ execute: command, arguments: { "job-id": "j", ...data, ...more } });
      await killedInTheMiddle(cwd, ask({ speed: 262144 }));
      await sameAsBefore();
      await qmpDialogue("moa", { name: "qemu-system-x86_64", args: ARGS, folder: cwd }, [ask({}), "wait null"]);
      await sameAsBefore();
      const chain = JSON.parse(
        await must("qemu-img", ["info", "--backing-chain", "--output=json", "top.img"], { cwd }),
      );
      assertEquals(chain.map(({ filename }: { filename: string }) => filename), left);
    },
  });
}
