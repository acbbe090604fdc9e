/** The same operations by qemu-io and by this driver end in the same bytes: allocation policy, tables, marks. */
import { assert, assertEquals } from "@std/assert";
import { SeededRandom } from "../../../base/random.ts";
import { haveProgram } from "../../../tests/support/programs.ts";
import { fileNode, MemoryFile, openTestImage, runProgram } from "./testing.ts";

const SHAPES: [options: string, clusterSize: number, size: number][] = [
  ["cluster_size=65536", 65536, 3 << 20],
  ["cluster_size=4096", 4096, 1 << 20],
  ["cluster_size=512", 512, 1 << 19],
  ["cluster_size=512,refcount_bits=64", 512, 1 << 19],
  ["cluster_size=1024,refcount_bits=1", 1024, 1 << 19],
  ["cluster_size=4096,compat=0.10", 4096, 1 << 20],
  ["cluster_size=4096,preallocation=metadata", 4096, 1 << 20],
  ["cluster_size=16384,extended_l2=on", 16384, 1 << 20],
  ["cluster_size=65536,extended_l2=on", 65536, 3 << 20],
  ["cluster_size=16384,extended_l2=on,preallocation=metadata", 16384, (1 << 20) + 3072],
  ["cluster_size=4096,data_file=DATA", 4096, 1 << 20],
  ["cluster_size=4096,data_file=DATA,data_file_raw=on", 4096, 1 << 20],
  ["cluster_size=16384,data_file=DATA,extended_l2=on", 16384, 1 << 20],
  ["cluster_size=16384,data_file=DATA,extended_l2=on,data_file_raw=on", 16384, 1 << 20],
];

interface Step {
  readonly command: string;
  readonly run: (image: Awaited<ReturnType<typeof openTestImage>>) => Promise<void>;
}

function steps(seed: number, clusterSize: number, size: number, parts: boolean): Step[] {
  const random = new SeededRandom(seed);
  const list: Step[] = [];
  for (let i = 0; i < 60; i++) {
    const at = random.below(size / 512) * 512;
    const length = Math.min(size - at, (1 + random.below(clusterSize * 4 / 512)) * 512);
    const start = at - at % clusterSize;
    const whole = Math.min(size - start, clusterSize * (1 + random.below(4)));
    // Zeroes are written to parts of clusters too, where these can be zero by themselves.
    const [zeroAt, zeroLength] = parts && random.below(2) === 0 ? [at, length] : [start, whole];
    const value = 1 + random.below(255);
    switch (random.below(6)) {
      case 0:
        list.push({
          command: `write -z ${zeroAt} ${zeroLength}`,
          run: (image) => image.node.writeZeroes(zeroAt, zeroLength),
        });
        break;
      case 1:
        list.push({
          command: `write -z -u ${zeroAt} ${zeroLength}`,
          run: (image) => image.node.writeZeroes(zeroAt, zeroLength, { unmap: true }),
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
      const dataPath = `${path}.data`;
      try {
        for (let seed = 1; seed <= Number(Deno.env.get("QCOW2_SEEDS") ?? 3); seed++) {
          const named = options.replace("DATA", dataPath);
          await runProgram("qemu-img", "create", "-q", "-f", "qcow2", "-o", named, path, String(size));
          const external = options.includes("DATA");
          const data = new MemoryFile(external ? await Deno.readFile(dataPath) : new Uint8Array(0));
          const image = await openTestImage(new MemoryFile(await Deno.readFile(path)), {
            discard: "unmap",
            dataNode: fileNode(data, "data"),
          });
          const list = steps(seed, clusterSize, size, options.includes("extended_l2"));
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
          // What a data file has where no entry leads is nobody's; a raw one has zeroes there.
          if (options.includes("data_file_raw")) {
            const [wanted, got] = [await Deno.readFile(dataPath), data.content()];
            const bad = wanted.findIndex((byte, i) => byte !== got[i]);
            assert(bad < 0, `seed ${seed}: data file, byte 0x${bad.toString(16)}`);
          }
        }
      } finally {
        await Deno.remove(path);
        await Deno.remove(dataPath).catch(() => {});
      }
    },
  });
}
