/** Damaged images: what a check says, and what a repair does, against qemu-img check. */
import { assertEquals } from "@std/assert";
import { haveProgram } from "../../../tests/support/programs.ts";
import type { CheckResult } from "../../driver.ts";
import { MemoryFile, openTestImage, runProgram } from "./testing.ts";

type Patch = [at: number, value: bigint | number[]];
const COPIED = 1n << 63n;

const DAMAGES: [name: string, patches: Patch[]][] = [
  ["nothing", []],
  ["leak", [[0x20000 + 2 * 5, [0, 2]]]],
  ["cluster in use counted as free", [[0x20000 + 2 * 5, [0, 0]]]],
  ["L2 table counted as free", [[0x20000 + 2 * 4, [0, 0]]]],
  ["data mark missing", [[0x40000, 0x50000n]]],
  ["L2 mark missing", [[0x30000, 0x40000n]]],
  ["cluster referred to twice", [[0x40008, COPIED | 0x50000n]]],
  ["data unaligned", [[0x40000, COPIED | 0x50200n]]],
  ["data beyond the file", [[0x40000, COPIED | 0x5000000n]]],
  ["L2 table unaligned", [[0x30000, COPIED | 0x40200n]]],
  ["L2 table beyond the file", [[0x30000, COPIED | 0x4000000n]]],
  ["reserved bits in L2", [[0x40000, COPIED | 0x50002n]]],
  ["reserved bits in L1", [[0x30000, COPIED | 0x40001n]]],
  ["refcount block beyond the file", [[0x10000, 0x2000000n]]],
  ["no refcount block", [[0x10000, 0n]]],
  ["second block beyond the file", [[0x10008, 0x2000000n]]],
  ["compressed with a mark", [[0x40000, 0xC000000000050000n]]],
  ["kept zero cluster unaligned", [[0x40000, COPIED | 0x50201n]]],
  ["refcount block of zeroes", [[0x20000, new Array(32).fill(0)]]],
  ["refcount block is the L1 table", [[0x10000, 0x30000n]]],
  ["corrupt bit", [[72, 2n]]],
  ["two leaks and a missing mark", [[0x20000 + 2 * 5, [0, 2, 0, 3]], [0x40010, 0n]]],
];

function apply(bytes: Uint8Array, patches: readonly Patch[]): Uint8Array {
  const copy = bytes.slice();
  for (const [at, value] of patches) {
    if (typeof value === "bigint") new DataView(copy.buffer).setBigUint64(at, value);
    else copy.set(value, at);
  }
  return copy;
}

/** The lines that qemu-img prints on stderr but for its own. */
function lines(text: string): string[] {
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("qemu-img:"));
}

async function ourCheck(
  content: Uint8Array,
  fix: "none" | "leaks" | "all",
): Promise<{ messages: string[]; first?: CheckResult; last?: CheckResult; content: Uint8Array }> {
  const file = new MemoryFile(content);
  await using image = await openTestImage(file, { readOnly: fix === "none", forCheck: true });
  const first = await image.driver.check({ fix });
  if (first.failure !== undefined) return { messages: [...first.messages], content: file.content() };
  const messages = [...first.messages];
  let last = first;
  if (first.corruptionsFixed > 0 || first.leaksFixed > 0) {
    last = await image.driver.check({ fix: "none" });
    messages.push(...last.messages);
  }
  await image[Symbol.asyncDispose]();
  return { messages, first, last, content: file.content() };
}

function summary(result: CheckResult): string {
  const { corruptions, leaks, checkErrors } = result;
  const total = result.totalClusters ?? 0;
  const share = (count: number | undefined, of: number) => of === 0 ? "0.00" : ((count ?? 0) / of * 100).toFixed(2);
  return [
    corruptions === 0 && leaks === 0 && checkErrors === 0 ? "No errors were found on the image." : undefined,
    corruptions > 0 ? `${corruptions} errors were found on the image.` : undefined,
    leaks > 0 ? `${leaks} leaked clusters were found on the image.` : undefined,
    (result.allocatedClusters ?? 0) === 0
      ? undefined
      : `${result.allocatedClusters}/${total} = ${share(result.allocatedClusters, total)}% allocated, ` +
        `${share(result.fragmentedClusters, result.allocatedClusters ?? 0)}% fragmented, ` +
        `${share(result.compressedClusters, result.allocatedClusters ?? 0)}% compressed clusters`,
    `Image end offset: ${result.imageEndOffset}`,
  ].filter((line) => line !== undefined).join("\n");
}

function theirSummary(stdout: string): string {
  const wanted = /^(No errors|\d+ errors|\d+ leaked clusters were|\d+\/\d+ =|Image end)/;
  return stdout.split("\n").filter((line) => wanted.test(line)).join("\n");
}

Deno.test({
  name: "checks and repairs of damaged images say what qemu-img says",
  ignore: !haveProgram("qemu-img"),
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const path = `${folder}/a.qcow2`;
      await runProgram("qemu-img", "create", "-q", "-f", "qcow2", path, "10M");
      const writes = ["write -P 1 0 64k", "write -P 2 64k 64k", "write -P 3 1M 64k"].flatMap((each) => ["-c", each]);
      await runProgram("qemu-io", ...writes, path);
      const sound = await Deno.readFile(path);
      for (const [name, patches] of DAMAGES) {
        const damaged = apply(sound, patches);
        for (const fix of ["none", "leaks", "all"] as const) {
          await Deno.writeFile(path, damaged);
          const args = ["check", "-f", "qcow2", ...(fix === "none" ? [] : ["-r", fix]), path];
          const theirs = await runProgram("qemu-img", ...args);
          const ours = await ourCheck(damaged, fix);
          assertEquals(ours.messages, lines(theirs.stderr), `${name}, fix ${fix}`);
          if (ours.last === undefined) continue;
          assertEquals(summary(ours.last), theirSummary(theirs.stdout), `${name}, fix ${fix}`);
          if (fix !== "all" || ours.last.corruptions > 0) continue;
          await Deno.writeFile(path, ours.content);
          const again = await runProgram("qemu-img", "check", "-f", "qcow2", path);
          assertEquals(again.code, 0, `${name}: after our repair: ${again.stdout}${again.stderr}`);
        }
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
