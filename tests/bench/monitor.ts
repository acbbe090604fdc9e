/**
 * The machine protocol and large graphs: `query-block` over a unix socket against qemu-system-x86_64, and how long a
 * graph of a thousand nodes takes to open.
 *
 * @module
 */
import { MiB } from "../../base/units.ts";
import type { Benchmark } from "./harness.ts";
import { hostGraph } from "./in_process.ts";
import { installMoa } from "./process.ts";
import { run } from "./qemu.ts";

const QUERIES = 1000;
/** Each image is two nodes. */
const IMAGES = 500;
const MOST_SECONDS = 2;

/** All benchmarks; what they need is made in `directory` when its turn has come. */
export function monitorBenchmarks(directory: string): Benchmark[] {
  const image = `${directory}/monitor.qcow2`;
  const drive = ["-drive", `file=${image},format=qcow2,if=ide`];
  return [
    {
      name: `${QUERIES} query-block over a unix socket`,
      unit: "1/s",
      target: 1,
      async prepare() {
        await installMoa(directory);
        await run("qemu-img", "create", "-q", "-f", "qcow2", image, `${64 * MiB}`);
      },
      ours: () => queriesPerSecond(`${directory}/bin/qemu-system-x86_64`, ["-accel", "qtest", ...drive], directory),
      theirs: () => queriesPerSecond("qemu-system-x86_64", ["-accel", "tcg", ...drive], directory),
    },
    {
      name: `a graph of ${2 * IMAGES} nodes opens`,
      unit: "s",
      target: MOST_SECONDS,
      lessIsBetter: true,
      async prepare() {
        await run("qemu-img", "create", "-q", "-f", "qcow2", image, `${64 * MiB}`);
        for (let i = 0; i < IMAGES; i++) await Deno.copyFile(image, `${directory}/n${i}.qcow2`);
      },
      async ours() {
        await using graph = hostGraph();
        const start = performance.now();
        const nodes = [];
        for (let i = 0; i < IMAGES; i++) {
          const file = { driver: "file", filename: `${directory}/n${i}.qcow2` } as const;
          nodes.push(await graph.open({ driver: "qcow2", "node-name": `n${i}`, file }));
        }
        const seconds = (performance.now() - start) / 1000;
        for (const node of nodes) await graph.release(node);
        return seconds;
      },
    },
  ];
}

/** Starts a machine that stands still, and asks it so many times, each time when the last one was answered. */
async function queriesPerSecond(program: string, args: readonly string[], directory: string): Promise<number> {
  const path = `${directory}/qmp`;
  await Deno.remove(path).catch(() => {});
  const child = new Deno.Command(program, {
    args: [...args, "-S", "-display", "none", "-nodefaults", "-qmp", `unix:${path},server=on,wait=off`],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  try {
    using socket = await connected(path);
    const buffer = new Uint8Array(65536);
    const decoder = new TextDecoder();
    let rest = "";
    const answer = async () => {
      while (!rest.includes("\n")) rest += decoder.decode(buffer.subarray(0, await socket.read(buffer) ?? 0));
      rest = rest.slice(rest.indexOf("\n") + 1);
    };
    const ask = async (command: string) => {
      await socket.write(new TextEncoder().encode(`{"execute":"${command}"}\n`));
      await answer();
    };
    await answer();
    await ask("qmp_capabilities");
    // Until then V8 has not compiled the way for good.
    for (let i = 0; i < QUERIES; i++) await ask("query-block");
    const start = performance.now();
    for (let i = 0; i < QUERIES; i++) await ask("query-block");
    return QUERIES / ((performance.now() - start) / 1000);
  } finally {
    child.kill("SIGTERM");
    await child.status;
  }
}

async function connected(path: string): Promise<Deno.UnixConn> {
  const giveUpMs = performance.now() + 30_000;
  for (;;) {
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (error) {
      if (performance.now() > giveUpMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
