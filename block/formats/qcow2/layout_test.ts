/** The same operations by qemu-io and by this driver end in the same bytes: allocation policy, tables, marks. */
import { assert, assertEquals } from "@std/assert";
import { SeededRandom } from "../../../base/random.ts";
import { haveProgram } from "../../../tests/support/programs.ts";
import { MemoryFile, openTestImage, runProgram } from "./testing.ts";

const SHAPES: [options: string, clusterSize: number, size: number][] = [
  ["cluster_size=65536", 65536, 3 << 20],
  ["cluster_size=4096", 4096, 1 << 20],
  ["cluster_size=512", 512, 1 << 19],
  ["cluster_size=512,refcount_bits=64", 512, 1 << 19],
  ["cluster_size=1024,refcount_bits=1", 1024, 1 << 19],
  ["cluster_size=4096,compat=0.10", 4096, 1 << 20],
  ["cluster_size=4096,preallocation=metadata", 4096, 1 << 20],
];

interface Step {
  readonly command: string;
  readonly run: (image: Awaited<ReturnType<typeof openTestImage>>) => Promise<void>;
}

function steps(seed: number, clusterSize: number, size: number): Step[] {
  const random = new SeededRandom(seed);
  const list: Step[] = [];
  for (let i = 0; i < 60; i++) {
    const at = random.below(size / 512) * 512;
    const length = Math.min(size - at, (1 + random.below(clusterSize * 4 / 512)) * 512);
    const start = at - at % clusterSize;
    const whole = Math.min(size - start, clusterSize * (1 + random.below(4)));
    const value = 1 + random.below(255);
    switch (random.below(6)) {
      case 0:
        list.push({ command: `write -z ${start} ${whole}`, run: (image) => image.node.writeZeroes(start, whole) });
        break;
      case 1:
        list.push({
          command: `write -z -u ${start} ${whole}`,
          run: (image) => image.node.writeZeroes(start, whole, { unmap: true }),
        });
        break;
      case 2:
        list.push({ command: `discard ${start} ${whole}`, run: (image) => image.node.discard(start, whole) });
        break;
      default:
        list.push({
          command: `write -P ${value} ${at} ${length}`,
          run: (image) => image.write(at, new Uint8Array(length).fill(value)),
        });
    }
  }
  return list;
}

for (const [options, clusterSize, size] of SHAPES) {
  Deno.test({
    name: `equal operations give equal bytes: ${options}`,
    ignore: !haveProgram("qemu-io"),
    fn: async () => {
      const path = await Deno.makeTempFile();
      try {
        for (let seed = 1; seed <= Number(Deno.env.get("QCOW2_SEEDS") ?? 3); seed++) {
          await runProgram("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, path, String(size));
          const image = await openTestImage(new MemoryFile(await Deno.readFile(path)), { discard: "unmap" });
          const list = steps(seed, clusterSize, size);
          const commands = list.flatMap(({ command }) => ["-c", command]);
          const { code, stdout, stderr } = await runProgram("qemu-io", ...commands, path);
          assertEquals(code, 0, stdout + stderr);
          for (const { run } of list) await run(image);
          await image[Symbol.asyncDispose]();
          const theirs = await Deno.readFile(path);
          const ours = (image.file as MemoryFile).content();
          const at = theirs.findIndex((byte, i) => byte !== ours[i]);
          assert(at < 0, `seed ${seed}: byte 0x${at.toString(16)}: ${ours[at]} for ${theirs[at]}`);
          assertEquals(ours.length, theirs.length, `seed ${seed}: length`);
        }
      } finally {
        await Deno.remove(path);
      }
    },
  });
}
