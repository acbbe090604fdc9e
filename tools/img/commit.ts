/**
 * `moa img commit`: what an overlay holds goes into its backing file, or with `-b` into one further down.
 *
 * Until the last byte is there the overlay is left as it is, so that an interrupted commit leaves a disk that reads the
 * same.
 *
 * @module
 */
import { BlockError, type BlockNode, commit as commitJob, findBacking } from "../../block/mod.ts";
import { type Program } from "../common/program.ts";
import { addObject } from "../common/objects.ts";
import { cacheMode, makeGraph, openImage } from "./images.ts";
import { sizeArgument } from "./numbers.ts";
import { Progress, progressWish } from "./progress.ts";
import { Pace, Turns } from "./turns.ts";

const SPEC = {
  short: "f:ht:b:dpqr:",
  long: {
    help: { is: "h", takesValue: false },
    object: { is: "object", takesValue: true },
    "image-opts": { is: "image-opts", takesValue: false },
  },
};

/** Runs the subcommand. */
export async function commit(program: Program, args: readonly string[]): Promise<number> {
  const wish = progressWish(program, args);
  const { options, operands } = program.getopt(wish.args, SPEC);
  const last = (name: string) => options.findLast(({ is }) => is === name)?.value;
  const has = (name: string) => options.some(({ is }) => is === name);
  if (has("h")) {
    program.out(await (await import("./help.ts")).helpText(program));
    return 0;
  }
  let rate = 0;
  for (const { is, value } of options) {
    if (is === "object") addObject(program, value);
    if (is === "r") rate = sizeArgument(program, "rate limit", value);
  }
  const [filename] = operands;
  if (filename === undefined || operands.length !== 1) program.usage("Expecting one image file name");
  const cache = cacheMode(last("t") ?? "writeback");
  if (cache === undefined) program.fail(`Invalid cache option: ${last("t")}`);

  await using graph = makeGraph(program);
  const overlay = await openImage(program, graph, filename, {
    format: last("f"),
    imageOpts: has("image-opts"),
    writable: true,
    cache,
  });
  try {
    {
      using progress = new Progress(program, has("p") && !has("q"), 1, { operation: "commit", form: wish.form });
      progress.set(0);
      const base = findBase(overlay, filename, last("b"));
      const pace = new Pace(rate);
      const turns = new Turns();
      const job = commitJob(graph, overlay, { base, keepOverlay: has("d") || has("b") });
      for await (const { done, total } of job) {
        progress.at(done, total);
        await pace.wait(done);
        await turns.take();
      }
      progress.set(100);
    }
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    program.report("", error);
    return 1;
  }
  if (!has("q")) program.out("Image committed.\n");
  return 0;
}

function findBase(overlay: BlockNode, filename: string, name: string | undefined): BlockNode {
  if (overlay.backing === undefined || name === undefined) {
    if (overlay.backing !== undefined) return overlay.backing;
    if (name === undefined) throw new BlockError({ kind: "state", text: "Image does not have a backing file" });
  }
  const found = findBacking(overlay, name);
  if (found !== undefined) return found.backing;
  throw new BlockError({ kind: "state", text: `Did not find '${name}' in the backing chain of '${filename}'` });
}
