/**
 * The machine as a whole process: how soon its prompt appears, how much memory it holds while idle.
 *
 * @module
 */
import { MiB } from "../../base/units.ts";
import type { Benchmark } from "./harness.ts";
import { makeImage } from "./image_io.ts";
import { run } from "./qemu.ts";

const RAM_MIB = 128;

/** Benchmarks of the machine's process over an image in `directory`. */
export function machineBenchmarks(directory: string): Benchmark[] {
  const image = `${directory}/bench.qcow2`;
  return [
    {
      name: "start to the prompt, warm",
      unit: "s",
      target: 0.3,
      lessIsBetter: true,
      prepare: () => makeImage(directory, "qcow2"),
      ours: async () => {
        await untilPrompt(image);
        return (await untilPrompt(image)).seconds;
      },
    },
    {
      // RAM that the guest has not touched is not resident, so that the bound holds without adding it.
      name: `resident memory, idle, ${RAM_MIB} MiB of RAM`,
      unit: "MiB",
      target: 150,
      lessIsBetter: true,
      prepare: () => makeImage(directory, "qcow2"),
      ours: async () => (await untilPrompt(image)).residentBytes / MiB,
    },
  ];
}

async function untilPrompt(image: string): Promise<{ seconds: number; residentBytes: number }> {
  const start = performance.now();
  await using child = new Deno.Command("deno", {
    args: ["task", "-q", "start", "-m", `${RAM_MIB}`, "-hda", image, "-display", "none", "-monitor", "stdio"],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let seen = "";
  while (!seen.includes("(qemu) ")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`the machine ended before its prompt: ${seen}`);
    seen += value;
  }
  const seconds = (performance.now() - start) / 1000;
  const residentBytes = await residentOf(child.pid);
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode("quit\n"));
  await writer.close();
  while (!(await reader.read()).done);
  await child.status;
  return { seconds, residentBytes };
}

/** Resident memory of the process that works: the task runner's child, where there is one. */
async function residentOf(pid: number): Promise<number> {
  const children = (await run("cat", `/proc/${pid}/task/${pid}/children`)).trim().split(/\s+/).filter(Boolean);
  if (children[0] !== undefined) return await residentOf(Number(children[0]));
  const status = await run("cat", `/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}
