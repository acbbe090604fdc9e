/**
 * `moa img rebase`: puts an overlay on another backing file, or on none.
 *
 * Safely (without `-u`), what would read differently is copied into the overlay first; only then does its header name
 * the new file, so that an interrupted rebase leaves a chain that reads the same. With `-u` only the header changes.
 *
 * @module
 */
import {
  BlockError,
  type BlockGraph,
  type BlockNode,
  errnoOf,
  findBacking,
  QEMU_DRIVERS,
  resolveAgainst,
} from "../../block/mod.ts";
import { errnoText } from "../../base/errno.ts";
import { type Program } from "../common/program.ts";
import { addObject } from "../common/objects.ts";
import { cacheMode, makeGraph, openImage } from "./images.ts";
import { Progress, progressWish } from "./progress.ts";
import { copyDifferences, type RebasePlan } from "./rebase_copy.ts";
import { Turns } from "./turns.ts";

const SPEC = {
  short: "hf:F:b:upt:T:qU",
  long: {
    help: { is: "h", takesValue: false },
    object: { is: "object", takesValue: true },
    "image-opts": { is: "image-opts", takesValue: false },
    "force-share": { is: "U", takesValue: false },
  },
};

/** The new backing file as it is typed. */
interface Wanted {
  readonly name: string | undefined;
  readonly format: string | undefined;
}

/** Runs the subcommand. */
export async function rebase(program: Program, args: readonly string[]): Promise<number> {
  const wish = progressWish(program, args);
  const { options, operands } = program.getopt(wish.args, SPEC);
  const last = (name: string) => options.findLast(({ is }) => is === name)?.value;
  const has = (name: string) => options.some(({ is }) => is === name);
  if (has("h")) {
    program.out(await (await import("./help.ts")).helpText(program));
    return 0;
  }
  for (const { is, value } of options) if (is === "object") addObject(program, value);
  const [filename] = operands;
  if (filename === undefined || operands.length !== 1) program.usage("Expecting one image file name");
  const wanted: Wanted = { name: last("b"), format: last("F") };
  const safe = !has("u");
  if (safe && wanted.name === undefined) program.usage("Must specify backing file (-b) or use unsafe mode (-u)");
  using progress = new Progress(program, has("p") && !has("q"), 1, { operation: "rebase", form: wish.form });
  progress.set(0);
  const cache = cacheMode(last("t") ?? "writeback");
  if (cache === undefined) program.fail(`Invalid cache option: ${last("t")}`);
  const sourceCache = cacheMode(last("T") ?? "writeback");
  if (sourceCache === undefined) program.fail(`Invalid source cache option: ${last("T")}`);

  await using graph = makeGraph(program);
  const overlay = await openImage(program, graph, filename, {
    format: last("f"),
    imageOpts: has("image-opts"),
    writable: true,
    noBacking: !safe,
    cache,
  });
  if (wanted.format !== undefined && !QEMU_DRIVERS.includes(wanted.format)) {
    program.fail(`Invalid format name: '${wanted.format}'`);
  }
  try {
    const plan = safe ? await openNew(graph, overlay, wanted, has("U"), sourceCache) : undefined;
    refuseChange(overlay, wanted);
    if (plan !== undefined) await copy(plan, progress);
    await overlay.flush();
    await changeBacking(overlay, wanted);
    progress.set(100);
    return 0;
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    program.report("", error);
    return 1;
  }
}

async function copy(plan: RebasePlan, progress: Progress): Promise<void> {
  const turns = new Turns();
  const { size } = plan.overlay;
  for await (const done of copyDifferences(plan)) {
    progress.at(done, size);
    await turns.take();
  }
}

/** Opens the new backing file, or finds it in the old chain. */
async function openNew(
  graph: BlockGraph,
  overlay: BlockNode,
  wanted: Wanted,
  forceShare: boolean,
  cache: { readonly direct: boolean; readonly noFlush: boolean },
): Promise<RebasePlan> {
  const oldBacking = overlay.backing;
  const name = wanted.name ?? "";
  const none = { overlay, oldBacking, newBacking: undefined, keptBelow: undefined };
  if (name === "") return none;
  const resolved = resolveAgainst(overlay.exactFilename || overlay.filename, name);
  const kept = findBacking(overlay, name)?.backing;
  if (kept !== undefined) return { overlay, oldBacking, newBacking: kept, keptBelow: kept };
  try {
    const newBacking = await graph.openImage({
      filename: resolved,
      options: {
        "read-only": true,
        cache: { direct: cache.direct, "no-flush": cache.noFlush },
        ...(forceShare ? { "force-share": true } : {}),
        ...(wanted.format === undefined ? {} : { driver: wanted.format }),
      },
    });
    return { ...none, newBacking };
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    const prefix = `Could not open new backing file '${name}': `;
    const help = error.help === undefined ? {} : { help: error.help };
    throw new BlockError({ kind: "state", text: prefix + error.message, errno: errnoOf(error) }, help);
  }
}

/** What cannot be written into the header is refused before any data is copied. */
function refuseChange(overlay: BlockNode, wanted: Wanted): void {
  const prefix = `Could not change the backing file to '${wanted.name ?? "(null)"}': `;
  if (wanted.name !== undefined && wanted.name !== "" && wanted.format === undefined) {
    throw new BlockError({ kind: "state", text: `${prefix}backing format must be specified` });
  }
  if (overlay.driver.changeBacking === undefined) {
    throw new BlockError({ kind: "state", text: prefix + errnoText("ENOTSUP"), errno: "ENOTSUP" });
  }
}

async function changeBacking(overlay: BlockNode, wanted: Wanted): Promise<void> {
  const name = wanted.name === "" ? undefined : wanted.name;
  try {
    await overlay.driver.changeBacking!(name, name === undefined ? undefined : wanted.format);
  } catch (error) {
    if (!(error instanceof BlockError)) throw error;
    const reason = errnoOf(error) === "ENOSPC" ? "No space left in the file header" : errnoText(errnoOf(error));
    throw new BlockError({ kind: "state", text: `Could not change the backing file to '${wanted.name}': ${reason}` });
  }
}
