/**
 * Two prompts on one multiplexed device, side by side with the real program, byte for byte.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { haveProgram } from "../support/programs.ts";
import { TempFolder } from "../support/temp.ts";

const QEMU = "qemu-system-x86_64";
const ENTRY = new URL("../../tools/moa.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
const TIMEOUT_MS = 120_000;

/** Keys, and what the output ends with before the next ones are pressed. */
const STEPS: readonly (readonly [keys: string, end: string])[] = [
  ["", "(qemu) "],
  ["\x01h", "sends C-a\n\r"],
  ["\x01\x01info name\n", "\r\n(qemu) "],
  ["\x01c", "\r\n(qemu) "],
  ["info status\n", "(prelaunch)\r\n(qemu) "],
  ["\x01t", "(qemu) "],
  ["\x01t\x01b\x01q\x01c", "\r\n(qemu) "],
  ["\x01x", "QEMU: Terminated\n\r"],
];

async function talk(program: string, args: readonly string[], folder: string): Promise<string[]> {
  const child = new Deno.Command(program, {
    args: [...args],
    cwd: folder,
    env: { MOA_ARGV0: QEMU, INIT_CWD: folder },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), TIMEOUT_MS);
  const writer = child.stdin.getWriter();
  const reader = child.stdout.getReader();
  const answers: string[] = [];
  try {
    for (const [keys, end] of STEPS) {
      if (keys !== "") await writer.write(new TextEncoder().encode(keys));
      let text = "";
      // Keys that print nothing are followed by no answer.
      while (keys !== "\x01t" && !text.endsWith(end)) {
        const { value, done } = await reader.read();
        if (done) throw new Error(`${program} ended after ${JSON.stringify(text)}`);
        text += new TextDecoder().decode(value);
      }
      answers.push(text);
    }
    return answers;
  } finally {
    clearTimeout(timer);
    await writer.close().catch(() => {});
    await reader.cancel();
    assertEquals((await child.status).code, 0);
  }
}

Deno.test({
  name: "two prompts on one device: banner, focus, escapes and the end as QEMU has them",
  ignore: !haveProgram(QEMU),
  async fn() {
    await using temp = await TempFolder.make();
    const options = "-accel tcg -S -display none -nodefaults -chardev stdio,id=m,mux=on,signal=off -mon m -mon m";
    const moa = ["run", "-q", "--no-prompt", "--frozen", "--config", CONFIG, "-P=start", ENTRY];
    const [theirs, ours] = await Promise.all([
      talk(QEMU, options.split(" "), temp.path),
      talk(Deno.execPath(), [...moa, ...options.split(" ")], temp.path),
    ]);
    assertEquals(ours, theirs);
  },
});
